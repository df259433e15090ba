//! What is asked of all nodes: orders and questions on their way, and who has answered.
//!
//! Each is a note. It is done when every live run has read it: their beats say how far they have read. A question
//! is done when every run that lived when it was asked, and still lives, has answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::{
    Feed,
    words::{Note, Word},
};
use crate::{
    ids::NodeId,
    realtime::{
        journal::{AppendError, NOTE_BYTES, writer},
        peers::{Peers, Place},
        session::everywhere::{self, Channels, Order, Undone},
    },
};

/// How long all nodes may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Orders and questions under way, at most: each is held for the time of a look or two.
const MOST: usize = 1_024;

/// Questions of others that are being answered, at most; who is not answered is told so after [`PATIENCE`].
const ANSWERING: usize = 8;

/// Bytes of an answer, with room for the rest of its note: about 1,000 channels.
const ANSWER_BYTES: usize = NOTE_BYTES - 1_024;

/// Something is asked of all nodes.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum Ask {
    Order(Order, oneshot::Sender<Result<(), Undone>>),
    Channels(Option<String>, oneshot::Sender<Result<Vec<Channels>, Undone>>),
}

/// It stands in the feed, or not.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Noted {
    number: u64,
    result: Result<writer::Place, AppendError>,
}

/// A question of another run was answered.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Answered;

/// All that is under way.
#[derive(Default)]
pub(super) struct Asked {
    last: u64,
    under_way: BTreeMap<u64, UnderWay>,
    answering: usize,
}

struct UnderWay {
    since: Instant,
    /// None: it is not known yet to be committed.
    place: Option<Place>,
    what: What,
}

enum What {
    Order(oneshot::Sender<Result<(), Undone>>),
    Channels {
        answer: oneshot::Sender<Result<Vec<Channels>, Undone>>,
        awaited: BTreeSet<NodeId>,
        found: Vec<Channels>,
    },
}

impl What {
    /// Who asked may have given up.
    fn fail(self, why: Undone) {
        match self {
            Self::Order(answer) => drop(answer.send(Err(why))),
            Self::Channels { answer, .. } => drop(answer.send(Err(why))),
        }
    }
}

impl Asked {
    /// Whether the feed has to be read often for somebody who waits.
    pub fn is_waiting(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Answers those of whom all is known, and those who have waited long enough.
    pub fn settle(&mut self, peers: &Peers, now: Instant) {
        let live: BTreeSet<_> = peers.others().collect();
        let done = self.under_way.extract_with(|it| {
            let lagging = it.lagging(peers, &live);
            let late = now.saturating_duration_since(it.since) >= PATIENCE;
            (lagging == 0 || late).then_some(lagging)
        });
        for (lagging, it) in done {
            match it.what {
                What::Order(answer) if lagging == 0 => drop(answer.send(Ok(()))),
                What::Channels { answer, found, .. } if lagging == 0 => {
                    drop(answer.send(Ok(found)));
                }
                what => what.fail(Undone::Lagging { lagging, of: peers.count() }),
            }
        }
    }

    /// A run has said which channels it has.
    pub fn found(&mut self, number: u64, run: NodeId, channels: Option<Channels>) {
        let Some(UnderWay { what, .. }) = self.under_way.get_mut(&number) else { return };
        let What::Channels { awaited, found, .. } = what else { return };
        match channels {
            Some(channels) if awaited.remove(&run) => found.push(channels),
            Some(_) => {}
            None => {
                if let Some(it) = self.under_way.remove(&number) {
                    it.what.fail(Undone::TooMany);
                }
            }
        }
    }
}

impl UnderWay {
    fn lagging(&self, peers: &Peers, live: &BTreeSet<NodeId>) -> usize {
        match (&self.what, self.place) {
            (_, None) => peers.count(),
            (What::Order(_), Some(place)) => peers.lagging(place),
            (What::Channels { awaited, .. }, Some(_)) => awaited.intersection(live).count(),
        }
    }
}

/// Takes out of a map what is done, with what was found out about it.
trait ExtractWith<V> {
    fn extract_with<T>(&mut self, done: impl Fn(&V) -> Option<T>) -> Vec<(T, V)>;
}

impl<V> ExtractWith<V> for BTreeMap<u64, V> {
    fn extract_with<T>(&mut self, done: impl Fn(&V) -> Option<T>) -> Vec<(T, V)> {
        let found: Vec<_> =
            self.iter().filter_map(|(number, it)| Some((*number, done(it)?))).collect();
        let taken = found.into_iter().filter_map(|(n, what)| Some((what, self.remove(&n)?)));
        taken.collect()
    }
}

impl Feed {
    fn ask(&mut self, word: Word, what: What, me: Addr<Self>) {
        if self.asked.under_way.len() >= MOST || self.leaving {
            return what.fail(Undone::Busy);
        }
        let note = Note { run: self.peers.me(), word }.encode();
        if note.len() > NOTE_BYTES {
            return what.fail(Undone::TooLong);
        }
        let number = self.asked.last;
        let under_way = UnderWay { since: Instant::now(), place: None, what };
        self.asked.under_way.insert(number, under_way);
        let journal = self.journal.clone();
        actix_rt::spawn(async move {
            let result = journal.note(note).await;
            #[allow(clippy::disallowed_methods, reason = "one for each that is under way")]
            me.do_send(Noted { number, result });
        });
    }

    /// Another run wants to know which channels are here.
    pub(super) fn answer(
        &mut self,
        to: NodeId,
        number: u64,
        pattern: Option<String>,
        me: Addr<Self>,
    ) {
        if self.asked.answering >= ANSWERING {
            return;
        }
        self.asked.answering += 1;
        let (node, journal, run) = (self.node.clone(), self.journal.clone(), self.peers.me());
        actix_rt::spawn(async move {
            let found = everywhere::channels(&node, pattern.as_deref()).await;
            let bytes: usize = found.keys().map(|name| name.len() + 16).sum();
            let found = (bytes <= ANSWER_BYTES).then_some(found);
            let note = Note { run, word: Word::Answer { to, number, found } }.encode();
            if let Err(why) = journal.note(note).await {
                log::debug!("another node's question could not be answered: {why:?}");
            }
            #[allow(clippy::disallowed_methods, reason = "one for each that is answered")]
            me.do_send(Answered);
        });
    }
}

impl Handler<Ask> for Feed {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        self.asked.last += 1;
        let (word, what) = match ask {
            Ask::Order(order, answer) => (Word::Order(order), What::Order(answer)),
            Ask::Channels(pattern, answer) => {
                let awaited = self.peers.others().collect();
                let what = What::Channels { answer, awaited, found: Vec::new() };
                (Word::Question { number: self.asked.last, pattern }, what)
            }
        };
        self.ask(word, what, ctx.address());
    }
}

impl Handler<Noted> for Feed {
    type Result = ();

    fn handle(&mut self, Noted { number, result }: Noted, ctx: &mut Context<Self>) {
        match result {
            Ok((writer, seq)) => {
                self.peers.writes(writer);
                if let Some(it) = self.asked.under_way.get_mut(&number) {
                    it.place = Some(Place { writer, seq });
                }
                self.nudge();
                self.look_now(ctx);
            }
            Err(why) => {
                log::warn!("something for all nodes could not be noted: {why:?}");
                if let Some(it) = self.asked.under_way.remove(&number) {
                    it.what.fail(Undone::NotNoted);
                }
            }
        }
    }
}

impl Handler<Answered> for Feed {
    type Result = ();

    fn handle(&mut self, _: Answered, _: &mut Context<Self>) {
        self.asked.answering = self.asked.answering.saturating_sub(1);
        self.nudge();
    }
}
