//! The journal writer: gathers publications while a commit is under way, and answers for each of them.
//!
//! What is under way belongs to it: it answers the publisher and tells the room, whoever asked. All
//! of that stands in its struct and not in futures, which a restart after a panic would drop.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Supervised};
use tokio::sync::oneshot;

use super::{AppendError, Appended, Batch, Journal, Settled, WriterId};
use crate::{fail_point, platform::mutant::mutant};

mod errands;
mod handle;
mod note;
#[cfg(test)]
mod tests;
mod ticket;

use errands::{BatchDone, BatchName, BatchSettled};
pub use handle::{JournalHandle, Overloaded};
use note::NoteTicket;
pub use note::Place;
use ticket::Ticket;
pub use ticket::{Answer, Committed};

/// Publications in one commit, at most: about 10 ms of a disk's time.
const BATCH: usize = 1024;

/// Bytes of data in one commit, at most: what a disk of 100 MB/s writes in 40 ms. One publication always fits.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of notes in one commit, at most; one note always fits.
const BATCH_NOTES: usize = 256 * 1024;

/// How often those who wait are looked at.
const TICK: Duration = Duration::from_millis(250);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A publisher is told something, at the latest.
    answer: Duration,
    /// A commit that did not answer has an unknown fate.
    commit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(3), commit: Duration::from_secs(5) }
    }
}

/// Who wants to see how the journal does. Called on the writer's thread, once a batch.
pub struct Observer {
    /// Publications in a batch that was committed.
    pub batch_size: Box<dyn Fn(usize) + Send>,
    /// How long its commit took, in seconds.
    pub commit_seconds: Box<dyn Fn(f64) + Send>,
    /// A batch was refused.
    pub refused: Box<dyn Fn() + Send>,
    /// A batch's fate was unknown, if only for a moment.
    pub unknown: Box<dyn Fn() + Send>,
}

impl Default for Observer {
    /// Looks away.
    fn default() -> Self {
        Self {
            batch_size: Box::new(|_| ()),
            commit_seconds: Box::new(|_| ()),
            refused: Box::new(|| ()),
            unknown: Box::new(|| ()),
        }
    }
}

/// The actor. Others hold a [`JournalHandle`].
pub(super) struct JournalWriter {
    journal: Arc<dyn Journal>,
    observer: Observer,
    patience: Patience,
    id: WriterId,
    /// The last batch of this id that was committed.
    seq: u64,
    waiting: VecDeque<Ticket>,
    notes: VecDeque<NoteTicket>,
    flight: Option<Flight>,
    flushes: Vec<oneshot::Sender<()>>,
}

/// The batch under way.
struct Flight {
    name: BatchName,
    tickets: VecDeque<Ticket>,
    notes: VecDeque<NoteTicket>,
    fate: Fate,
}

enum Fate {
    /// The journal has it.
    UnderWay,
    /// The journal could not say; it is asked until it can.
    Unknown,
    /// As many results as tickets, or why there are none.
    Known(Result<VecDeque<Appended>, AppendError>),
}

/// One more publication.
#[derive(Message)]
#[rtype(result = "()")]
struct Queue(Ticket);

/// Answer when nothing waits and nothing is under way.
#[derive(Message)]
#[rtype(result = "()")]
struct Flush(oneshot::Sender<()>);

/// Time to look at those who wait.
#[derive(Message)]
#[rtype(result = "()")]
struct Tick {
    now: Instant,
}

impl JournalWriter {
    fn new(journal: Arc<dyn Journal>, observer: Observer, patience: Patience) -> Self {
        Self {
            journal,
            observer,
            patience,
            id: WriterId(uuid::Uuid::new_v4()),
            seq: 0,
            waiting: VecDeque::new(),
            notes: VecDeque::new(),
            flight: None,
            flushes: Vec::new(),
        }
    }

    /// Sends the next batch if none is under way.
    fn go_on(&mut self, me: &Addr<Self>) {
        if self.flight.is_some() {
            return;
        }
        if self.waiting.is_empty() && self.notes.is_empty() {
            for flush in self.flushes.drain(..) {
                // Who asked may have given up.
                let _ = flush.send(());
            }
            return;
        }
        let fits = fitting(self.waiting.iter().take(BATCH).map(Ticket::bytes), BATCH_BYTES);
        let tickets: VecDeque<Ticket> = self.waiting.drain(..fits).collect();
        let appends = tickets.iter().map(Ticket::append).collect();
        let fits = fitting(self.notes.iter().map(|ticket| ticket.note().len()), BATCH_NOTES);
        let noted: VecDeque<NoteTicket> = self.notes.drain(..fits).collect();
        let notes = noted.iter().map(NoteTicket::note).collect();
        let name = BatchName { writer: self.id, seq: self.seq + 1 };
        self.flight = Some(Flight { name, tickets, notes: noted, fate: Fate::UnderWay });
        let batch = Batch { writer: name.writer, seq: name.seq, appends, notes };
        actix_rt::spawn(errands::commit(
            self.journal.clone(),
            batch,
            self.patience.commit,
            me.clone(),
        ));
    }

    /// Asks for the fate of the batch under way; a second asking does no harm.
    fn settle(&mut self, me: &Addr<Self>) {
        if let Some(flight) = &mut self.flight {
            flight.fate = Fate::Unknown;
            actix_rt::spawn(errands::settle(self.journal.clone(), flight.name, me.clone()));
        }
    }

    /// The fate of the batch under way is known. It is stored before the first is told, so that a
    /// panic half way through leaves the others to be told.
    fn known(&mut self, results: Result<Vec<Appended>, AppendError>, me: &Addr<Self>) {
        if let Some(flight) = &mut self.flight {
            flight.fate = Fate::Known(results.map(Into::into));
        }
        self.tell(me);
    }

    /// Tells everybody of the batch under way, and goes on.
    fn tell(&mut self, me: &Addr<Self>) {
        if let Some(Flight { name, tickets, notes, fate: Fate::Known(results) }) = &mut self.flight
        {
            while let Some(ticket) = tickets.pop_front() {
                let lost = || AppendError::Unknown("the journal left this one out".into());
                ticket.settle(match results {
                    Ok(results) => results.pop_front().ok_or_else(lost),
                    Err(why) => Err(why.clone()),
                });
            }
            let place = results.as_ref().map(|_| (name.writer, name.seq));
            while let Some(mut note) = notes.pop_front() {
                note.settle(place.map_err(Clone::clone));
            }
            self.flight = None;
            fail_point!("writer.replied");
        }
        self.go_on(me);
    }

    /// What this id still has under way may appear or never will: the next batch goes under another.
    fn new_id(&mut self) {
        if mutant!(RefusesAfterTheFirstFault) {
            return;
        }
        self.id = WriterId(uuid::Uuid::new_v4());
        self.seq = 0;
    }

    fn is_under_way(&self, name: BatchName) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.name == name && !matches!(flight.fate, Fate::Known(_)))
    }
}

impl Actor for JournalWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |this, ctx| this.handle(Tick { now: Instant::now() }, ctx));
    }
}

impl Supervised for JournalWriter {
    /// The message that told the fate of the batch under way may be the one that was lost.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        match &self.flight {
            Some(Flight { fate: Fate::UnderWay | Fate::Unknown, .. }) => {
                self.settle(&ctx.address())
            }
            Some(Flight { fate: Fate::Known(_), .. }) | None => self.tell(&ctx.address()),
        }
    }
}

impl Handler<Queue> for JournalWriter {
    type Result = ();

    fn handle(&mut self, Queue(ticket): Queue, ctx: &mut Self::Context) {
        self.waiting.push_back(ticket);
        self.go_on(&ctx.address());
    }
}

impl Handler<NoteTicket> for JournalWriter {
    type Result = ();

    fn handle(&mut self, note: NoteTicket, ctx: &mut Self::Context) {
        self.notes.push_back(note);
        self.go_on(&ctx.address());
    }
}

impl Handler<BatchDone> for JournalWriter {
    type Result = ();

    fn handle(&mut self, done: BatchDone, ctx: &mut Self::Context) {
        if !self.is_under_way(done.name) {
            return;
        }
        match done.result {
            Ok(results) => {
                if !results.is_empty() {
                    fail_point!("append.committed");
                    (self.observer.batch_size)(results.len());
                }
                (self.observer.commit_seconds)(done.took.as_secs_f64());
                if self.id == done.name.writer {
                    self.seq = done.name.seq;
                }
                self.known(Ok(results), &ctx.address());
            }
            Err(AppendError::Unknown(why)) => {
                log::warn!("a commit has an unknown fate: {why}");
                (self.observer.unknown)();
                if mutant!(UnknownBatchRetried)
                    && let Some(flight) = self.flight.take()
                {
                    self.waiting.extend(flight.tickets);
                    self.notes.extend(flight.notes);
                    self.new_id();
                    return self.go_on(&ctx.address());
                }
                self.settle(&ctx.address());
            }
            Err(refused) => {
                (self.observer.refused)();
                self.new_id();
                self.known(Err(refused), &ctx.address());
            }
        }
    }
}

impl Handler<BatchSettled> for JournalWriter {
    type Result = ();

    fn handle(&mut self, settled: BatchSettled, ctx: &mut Self::Context) {
        if !self.is_under_way(settled.name) {
            return;
        }
        self.new_id();
        match settled.settled {
            Settled::Happened(results) => {
                self.known(Ok(results), &ctx.address());
            }
            Settled::Never => {
                let why = "the journal could not commit it; try again".to_owned();
                self.known(Err(AppendError::Refused(why)), &ctx.address());
            }
        }
    }
}

impl Handler<Flush> for JournalWriter {
    type Result = ();

    fn handle(&mut self, Flush(flush): Flush, ctx: &mut Self::Context) {
        self.flushes.push(flush);
        self.go_on(&ctx.address());
    }
}

impl Handler<Tick> for JournalWriter {
    type Result = ();

    fn handle(&mut self, Tick { now }: Tick, _: &mut Self::Context) {
        let patience = self.patience.answer;
        while self.waiting.front().is_some_and(|ticket| ticket.waited(now) >= patience) {
            if let Some(ticket) = self.waiting.pop_front() {
                let why = "the journal does not keep up; try again".to_owned();
                ticket.settle(Err(AppendError::Refused(why)));
            }
        }
        while self.notes.front().is_some_and(|note| note.waited(now) >= patience) {
            if let Some(mut note) = self.notes.pop_front() {
                let why = "the journal does not keep up; try again".to_owned();
                note.settle(Err(AppendError::Refused(why)));
            }
        }
        for ticket in self.flight.iter_mut().flat_map(|flight| &mut flight.tickets) {
            if ticket.waited(now) >= patience {
                ticket.give_up("the journal has not answered yet: it may or may not be appended");
            }
        }
        for note in self.flight.iter_mut().flat_map(|flight| &mut flight.notes) {
            if note.waited(now) >= patience {
                let why = "the journal has not answered yet: it may or may not be noted".to_owned();
                note.settle(Err(AppendError::Unknown(why)));
            }
        }
    }
}

/// How many of the first fit together; the first always does.
fn fitting(sizes: impl Iterator<Item = usize>, most: usize) -> usize {
    let mut sum = 0;
    let fits = |(n, size): &(usize, usize)| {
        sum += size;
        *n == 0 || sum <= most
    };
    sizes.enumerate().take_while(fits).count()
}
