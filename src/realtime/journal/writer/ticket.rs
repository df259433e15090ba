//! One publication on its way into the journal: whom to answer, whom to tell.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Message, Recipient};

use super::handle::Permit;
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{Epoch, Position, Publication},
    realtime::journal::{Append, AppendError, Appended},
};

type Callback = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// Tells a publisher what became of its publication, exactly once.
///
/// Dropped without a word, it says by itself that the fate is unknown: no publisher waits for ever.
pub struct Answer(Option<Callback>);

impl Answer {
    /// Calls `callback` when the fate is known. On any thread; it must not block.
    pub fn new(callback: impl FnOnce(Result<Appended, AppendError>) + Send + 'static) -> Self {
        Self(Some(Box::new(callback)))
    }

    /// Tells it.
    pub fn give(mut self, result: Result<Appended, AppendError>) {
        if let Some(callback) = self.0.take() {
            callback(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback(Err(AppendError::Unknown("it was lost on its way to the journal".into())));
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

/// What the writer tells a room of each append that it took, whatever its fate.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct Committed {
    pub channel: Channel,
    /// As it was appended: without its offset, which `result` says.
    pub publication: Arc<Publication>,
    pub result: Result<Appended, AppendError>,
}

impl Committed {
    /// The epoch that the journal worked under, if it says one.
    pub fn epoch(&self) -> Option<&Epoch> {
        match &self.result {
            Ok(Appended::New(at) | Appended::Duplicate(at) | Appended::Superseded(at)) => {
                Some(&at.epoch)
            }
            Ok(Appended::KeyReused) | Err(_) => None,
        }
    }
}

/// One append with all who want to hear of it. Dropped, it tells them that the fate is unknown.
#[derive(Debug)]
pub(super) struct Ticket {
    append: Append,
    answer: Option<Answer>,
    told: Option<Recipient<Committed>>,
    since: Instant,
    _permit: Permit,
}

impl Ticket {
    pub fn new(
        append: Append,
        answer: Answer,
        told: Recipient<Committed>,
        since: Instant,
        permit: Permit,
    ) -> Self {
        let mut answer = Some(answer);
        if mutant!(AnsweredWhenQueued)
            && let Some(answer) = answer.take()
        {
            answer.give(Ok(Appended::New(Position::default())));
        }
        Self { append, answer, told: Some(told), since, _permit: permit }
    }

    /// What to append.
    pub fn append(&self) -> Append {
        self.append.clone()
    }

    /// Length of its data.
    pub fn bytes(&self) -> usize {
        self.append.publication.data.len()
    }

    /// How long it has been on its way.
    pub fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Tells the room and the publisher.
    pub fn settle(mut self, result: Result<Appended, AppendError>) {
        self.settle_once(result);
    }

    /// Tells the publisher that the fate is unknown; the room will hear it when it is known.
    pub fn give_up(&mut self, why: &str) {
        if let Some(answer) = self.answer.take() {
            answer.give(Err(AppendError::Unknown(why.to_owned())));
        }
    }

    fn settle_once(&mut self, result: Result<Appended, AppendError>) {
        if let Some(told) = self.told.take() {
            // May not be refused, or the room would wait for it for ever.
            #[allow(
                clippy::disallowed_methods,
                reason = "bounded by the appends under way: each has a permit"
            )]
            told.do_send(Committed {
                channel: self.append.channel.clone(),
                publication: self.append.publication.clone(),
                result: result.clone(),
            });
        }
        if let Some(answer) = self.answer.take() {
            answer.give(result);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.told.is_some() {
            self.settle_once(Err(AppendError::Unknown("the journal writer has ended".into())));
        }
    }
}
