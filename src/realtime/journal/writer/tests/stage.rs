//! A writer whose journal does what a test says, and a room that keeps what it is told.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use super::super::*;
use crate::{
    platform::mutant::patience,
    protocol::Position,
    realtime::journal::{
        Append, Changes, Cursor, Page, Pending, Range, Trimmed, Unavailable,
        contract::fixture::{World, append, channel},
        memory::MemoryJournal,
    },
};

/// How long a test waits for what has to come.
pub const SOON: Duration = Duration::from_secs(10);

/// What the double does with the next batch.
pub enum Next {
    /// Commits when told.
    Hold(oneshot::Receiver<()>),
    Refuse,
    /// Commits and then knows nothing of it.
    CommitUnknown,
    /// Commits and does not say so.
    CommitSilently,
    /// Does nothing and knows nothing.
    DropUnknown,
    Panic,
    Never,
}

/// A memory journal with a will of its own.
pub struct Double {
    inner: MemoryJournal,
    next: Mutex<VecDeque<Next>>,
    pub batches: Mutex<Vec<(WriterId, u64, Vec<String>)>>,
    pub deaf: AtomicBool,
    asked: mpsc::UnboundedSender<()>,
}

impl Journal for Double {
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>> {
        let said = |a: &Append| String::from_utf8_lossy(a.publication.data.bytes()).into_owned();
        let said = batch.appends.iter().map(said).collect();
        self.batches.lock().unwrap().push((batch.writer, batch.seq, said));
        let _ = self.asked.send(());
        let next = self.next.lock().unwrap().pop_front();
        Box::pin(async move {
            match next {
                None => self.inner.append(batch).await,
                Some(Next::Hold(until)) => {
                    let _ = until.await;
                    self.inner.append(batch).await
                }
                Some(Next::Refuse) => Err(AppendError::Refused("full".into())),
                Some(Next::CommitUnknown) => {
                    let _ = self.inner.append(batch).await;
                    Err(AppendError::Unknown("no answer".into()))
                }
                Some(Next::CommitSilently) => {
                    let _ = self.inner.append(batch).await;
                    std::future::pending().await
                }
                Some(Next::DropUnknown) => Err(AppendError::Unknown("no answer".into())),
                Some(Next::Panic) => panic!("as the test asked"),
                Some(Next::Never) => std::future::pending().await,
            }
        })
    }

    fn read(
        &self,
        channel: &crate::ids::Channel,
        range: Range,
    ) -> Pending<'_, Result<Page, Unavailable>> {
        self.inner.read(channel, range)
    }

    fn changes(&self, cursor: Cursor) -> Pending<'_, Result<Changes, Unavailable>> {
        self.inner.changes(cursor)
    }

    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>> {
        self.inner.cursor()
    }

    fn heads(
        &self,
        channels: Vec<crate::ids::Channel>,
    ) -> Pending<'_, Result<Vec<Position>, Unavailable>> {
        self.inner.heads(channels)
    }

    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>> {
        if self.deaf.load(Ordering::SeqCst) {
            return Box::pin(async { Err(Unavailable("deaf".into())) });
        }
        self.inner.settle(writer, seq)
    }

    fn remove(&self, channel: &crate::ids::Channel) -> Pending<'_, Result<(), Unavailable>> {
        self.inner.remove(channel)
    }

    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>> {
        self.inner.trim()
    }
}

/// Stands for a room: keeps what it is told.
pub struct Room(mpsc::UnboundedSender<Committed>);

impl Actor for Room {
    type Context = Context<Self>;
}

impl Handler<Committed> for Room {
    type Result = ();
    fn handle(&mut self, committed: Committed, _: &mut Self::Context) {
        let _ = self.0.send(committed);
    }
}

pub struct Scene {
    pub journal: Arc<Double>,
    pub handle: JournalHandle,
    pub room: Addr<Room>,
    pub told: mpsc::UnboundedReceiver<Committed>,
    asked: mpsc::UnboundedReceiver<()>,
}

pub type Answered = oneshot::Receiver<Result<Appended, AppendError>>;

impl Scene {
    pub fn new(patience: Patience) -> Self {
        let world = World::new();
        let (asking, asked) = mpsc::unbounded_channel();
        let journal = Arc::new(Double {
            inner: MemoryJournal::with_clock(world.retention(), world.clock()),
            next: Mutex::default(),
            batches: Mutex::default(),
            deaf: AtomicBool::new(false),
            asked: asking,
        });
        let here = actix_rt::Arbiter::current();
        let handle =
            JournalHandle::start_with(journal.clone(), &here, Observer::default(), patience);
        let (tell, told) = mpsc::unbounded_channel();
        Self { journal, handle, room: Room(tell).start(), told, asked }
    }

    pub fn next(&self, next: Next) {
        self.journal.next.lock().unwrap().push_back(next);
    }

    /// The next batch commits when the sender is used.
    pub fn hold(&self) -> oneshot::Sender<()> {
        let (go, held) = oneshot::channel();
        self.next(Next::Hold(held));
        go
    }

    pub fn publish(&self, name: &str, data: &str) -> Answered {
        let (tell, answered) = oneshot::channel();
        let answer = Answer::new(move |result| drop(tell.send(result)));
        let taken = self.handle.append(append(name, data), answer, self.room.clone().recipient());
        assert_eq!(taken, Ok(()));
        answered
    }

    pub async fn told(&mut self) -> Committed {
        soon(self.told.recv()).await.expect("the room is told")
    }

    /// Until a batch has reached the journal.
    pub async fn under_way(&mut self) {
        soon(self.asked.recv()).await.expect("a batch");
    }

    pub async fn stands(&self, name: &str) -> Vec<String> {
        let range = Range {
            direction: crate::realtime::journal::Direction::After(0),
            limit: 1_000,
            max_bytes: usize::MAX,
        };
        let page = self.handle.read(&channel(name), range).await.unwrap();
        let text = |p: &Arc<crate::protocol::Publication>| {
            String::from_utf8_lossy(p.data.bytes()).into_owned()
        };
        page.publications.iter().map(text).collect()
    }
}

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience(SOON), what).await.expect("nothing came")
}

pub async fn offset(answered: Answered) -> u64 {
    match soon(answered).await.expect("an answer") {
        Ok(Appended::New(position)) => position.offset,
        other => panic!("expected a new publication, got {other:?}"),
    }
}
