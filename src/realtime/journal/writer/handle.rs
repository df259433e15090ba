//! What rooms hold of the journal: verbs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{Addr, ArbiterHandle, Recipient};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    Answer, Committed, Flush, JournalWriter, NoteTicket, Observer, Patience, Place, Queue,
    ticket::Ticket,
};
use crate::{
    ids::Channel,
    realtime::journal::{Append, AppendError, Journal, NOTE_BYTES, Page, Range, Unavailable},
    supervisor,
};

/// Publications on their way, at most: what a good disk commits in the 3 s that a publisher waits.
pub(super) const MOST: usize = 64 * 1024;

/// Bytes of their data, at most. They are held for the room anyway; this bounds what a stalled disk may cost.
pub(super) const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The mailbox has no bound of its own: what is on its way is counted, and [`MOST`] is its bound.
const MAILBOX: usize = 0;

/// How long a read may take.
const READ: Duration = Duration::from_secs(5);

/// The way to a journal and its writer. Cheap to clone; may be used from any thread of the runtime.
#[derive(Clone)]
pub struct JournalHandle {
    writer: Addr<JournalWriter>,
    journal: Arc<dyn Journal>,
    load: Arc<Load>,
}

/// The journal takes nothing more at the moment. The answer that came with the append has been told so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overloaded;

impl JournalHandle {
    /// Starts the writer of `journal` on a thread.
    pub fn start(journal: Arc<dyn Journal>, arbiter: &ArbiterHandle, observer: Observer) -> Self {
        Self::start_with(journal, arbiter, observer, Patience::default())
    }

    pub(super) fn start_with(
        journal: Arc<dyn Journal>,
        arbiter: &ArbiterHandle,
        observer: Observer,
        patience: Patience,
    ) -> Self {
        let for_writer = journal.clone();
        let writer = supervisor::start("journal_writer", MAILBOX, arbiter, move |_| {
            JournalWriter::new(for_writer, observer, patience)
        });
        Self { writer, journal, load: Arc::default() }
    }

    /// Puts a publication on its way. `answer` hears what became of it, and `told` in any case that it
    /// is taken, when its fate is known.
    pub fn append(
        &self,
        append: Append,
        answer: Answer,
        told: Recipient<Committed>,
    ) -> Result<(), Overloaded> {
        let Some(permit) = Load::admit(&self.load, append.publication.data.len()) else {
            let why = "too much is on its way to the journal; try again".to_owned();
            answer.give(Err(AppendError::Refused(why)));
            return Err(Overloaded);
        };
        // If the writer has ended, the ticket is dropped and says so.
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded by the permits, which count what is under way, too"
        )]
        self.writer.do_send(Queue(Ticket::new(append, answer, told, Instant::now(), permit)));
        Ok(())
    }

    /// Tells all that follow the feed something, with the writer's next batch, and waits until it is
    /// committed: at most 3 s. At most [`NOTE_BYTES`].
    pub async fn note(&self, note: Bytes) -> Result<Place, AppendError> {
        let refused = |why: &str| Err(AppendError::Refused(why.to_owned()));
        if note.len() > NOTE_BYTES {
            return refused("a note is longer than 64 KiB");
        }
        let Some(permit) = Load::admit(&self.load, note.len()) else {
            return refused("too much is on its way to the journal; try again");
        };
        let (answer, answered) = oneshot::channel();
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded by the permits, which count what is under way, too"
        )]
        self.writer.do_send(NoteTicket::new(note, answer, permit));
        let lost = || Err(AppendError::Unknown("the journal writer has ended".into()));
        answered.await.unwrap_or_else(|_| lost())
    }

    /// A page of a channel with its epoch and top, from one snapshot.
    pub async fn read(&self, channel: &Channel, range: Range) -> Result<Page, Unavailable> {
        match tokio::time::timeout(READ, self.journal.read(channel, range)).await {
            Ok(page) => page,
            Err(_) => Err(Unavailable("the journal did not answer in time".into())),
        }
    }

    /// Forgets every publication of a channel; its epoch and top stay.
    pub async fn remove(&self, channel: &Channel) -> Result<(), Unavailable> {
        match tokio::time::timeout(READ, self.journal.remove(channel)).await {
            Ok(removed) => removed,
            Err(_) => Err(Unavailable("the journal did not answer in time".into())),
        }
    }

    /// Waits until everything on its way is committed and answered.
    pub async fn flush(&self, deadline: Duration) -> Result<(), Unavailable> {
        let (flush, flushed) = oneshot::channel();
        #[allow(clippy::disallowed_methods, reason = "one a shutdown")]
        self.writer.do_send(Flush(flush));
        match tokio::time::timeout(deadline, flushed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Unavailable("the journal writer has ended".into())),
            Err(_) => Err(Unavailable("the journal was not flushed in time".into())),
        }
    }

    /// Publications on their way.
    pub fn under_way(&self) -> usize {
        self.load.publications.load(Ordering::Relaxed)
    }

    /// The journal itself, for those who work behind it.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }
}

impl fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalHandle").field("load", &self.load).finish_non_exhaustive()
    }
}

/// What is on its way.
#[derive(Debug, Default)]
struct Load {
    publications: AtomicUsize,
    bytes: AtomicUsize,
}

impl Load {
    fn admit(load: &Arc<Self>, bytes: usize) -> Option<Permit> {
        // Counted first, given back by the permit: two threads never both take the last place.
        let permit = Permit { load: load.clone(), bytes };
        let publications = load.publications.fetch_add(1, Ordering::Relaxed) + 1;
        let all = load.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // A single one fits whatever its size: limits on sizes are not the journal's.
        (publications == 1 || (publications <= MOST && all <= MOST_BYTES)).then_some(permit)
    }
}

/// The place of one publication among those on their way.
#[derive(Debug)]
pub(super) struct Permit {
    load: Arc<Load>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.load.publications.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl JournalHandle {
    /// Lets the writer look at those who wait as if so much time had passed.
    pub(super) async fn tick(&self, later: Duration) {
        let tick = super::Tick { now: Instant::now() + later };
        self.writer.send(tick).await.expect("the writer lives");
    }
}
