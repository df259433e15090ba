//! One note on its way into the journal's feed, with whoever waits for its place there.

use std::time::{Duration, Instant};

use actix::Message;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::handle::Permit;
use crate::realtime::journal::{AppendError, WriterId};

/// Where a note stands in the feed: its writer and that writer's batch.
pub type Place = (WriterId, u64);

/// A note that waits or is under way. Dropped, it tells that its fate is unknown.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct NoteTicket {
    note: Bytes,
    answer: Option<oneshot::Sender<Result<Place, AppendError>>>,
    since: Instant,
    _permit: Permit,
}

impl NoteTicket {
    pub fn new(
        note: Bytes,
        answer: oneshot::Sender<Result<Place, AppendError>>,
        permit: Permit,
    ) -> Self {
        Self { note, answer: Some(answer), since: Instant::now(), _permit: permit }
    }

    /// What it says.
    pub fn note(&self) -> Bytes {
        self.note.clone()
    }

    /// How long it has been on its way.
    pub fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Tells its fate, once.
    pub fn settle(&mut self, fate: Result<Place, AppendError>) {
        if let Some(answer) = self.answer.take() {
            // Who asked may have given up.
            let _ = answer.send(fate);
        }
    }
}

impl Drop for NoteTicket {
    fn drop(&mut self) {
        self.settle(Err(AppendError::Unknown("the note was lost on its way".into())));
    }
}
