//! A house with two workers on one thread, and a journal that does what a test wants.

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_rt::Arbiter;
use tokio::sync::{Notify, oneshot};

use super::fake::{Ear, FakeSeat, Word};
use crate::{
    ids::Channel,
    platform::{
        metrics::{Labels, Metrics},
        mutant::patience,
    },
    protocol::{ClientInfo, Encoding, Epoch, Payload, Position, Publication},
    realtime::{
        journal::{
            Append, AppendError, Appended, Batch, Changes, Cursor, Direction, Journal, Page,
            Pending, Range, Retention, Settled, Trimmed, Unavailable, WriterId,
            memory::MemoryJournal,
            writer::{Answer, JournalHandle, Observer},
        },
        namespace::Storage,
        room::{
            Limits,
            house::{House, Journals, Rules, Worker},
            hub::{Hub, MAILBOX},
            request::{Leave, Publish, Request, Subscribe},
            roster::Roster,
            seat::{Announced, Identity, SeatId, SubscriptionNumber, Told, Wishes, WorkerIndex},
        },
    },
    supervisor,
};

/// What reads do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Answer,
    Fail,
    Panic,
    /// Look at once, answer when [`Stubborn::let_go`] is called.
    Wait,
}

/// A journal in memory that can be stubborn.
pub struct Stubborn {
    inner: Mutex<Arc<MemoryJournal>>,
    reads: AtomicU8,
    asked: AtomicU64,
    holds_appends: AtomicU8,
    go: Notify,
    append: Notify,
}

impl Stubborn {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(memory())),
            reads: AtomicU8::new(Reads::Answer as u8),
            asked: AtomicU64::new(0),
            holds_appends: AtomicU8::new(0),
            go: Notify::new(),
            append: Notify::new(),
        })
    }

    fn inner(&self) -> Arc<MemoryJournal> {
        self.inner.lock().unwrap().clone()
    }

    pub fn reads(&self, reads: Reads) {
        self.reads.store(reads as u8, Ordering::SeqCst);
    }

    /// How many reads have begun.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// The read under way may answer.
    pub fn let_go(&self) {
        self.reads(Reads::Answer);
        self.go.notify_one();
    }

    pub fn hold_appends(&self) {
        self.holds_appends.store(1, Ordering::SeqCst);
    }

    pub fn let_appends_go(&self) {
        self.holds_appends.store(0, Ordering::SeqCst);
        self.append.notify_one();
    }

    /// All is forgotten; another history begins.
    pub fn begin_anew(&self) {
        *self.inner.lock().unwrap() = Arc::new(memory());
    }

    /// Where a channel stands.
    pub async fn top(&self, channel: &Channel) -> Position {
        let nothing = Range { direction: Direction::After(0), limit: 0, max_bytes: 0 };
        let page = self.inner().read(channel, nothing).await.expect("memory answers");
        Position { epoch: page.epoch, offset: page.top }
    }

    /// Appends behind the room's back, as another node would.
    pub async fn append_elsewhere(&self, channel: &Channel, count: usize) {
        let append = Append {
            channel: channel.clone(),
            publication: said("elsewhere"),
            key: None,
            version: None,
        };
        let writer = WriterId(uuid::Uuid::new_v4());
        let batch = Batch { writer, seq: 1, appends: vec![append; count], notes: vec![] };
        self.inner().append(batch).await.expect("memory takes everything");
    }
}

fn memory() -> MemoryJournal {
    let day = Duration::from_secs(24 * 60 * 60);
    let retention = Retention { size: 1_000, ttl: day, meta_ttl: day };
    MemoryJournal::new(Arc::new(move |_| retention))
}

impl Journal for Stubborn {
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(async move {
            if self.holds_appends.load(Ordering::SeqCst) > 0 {
                self.append.notified().await;
            }
            let inner = self.inner();
            inner.append(batch).await
        })
    }

    fn read(&self, channel: &Channel, range: Range) -> Pending<'_, Result<Page, Unavailable>> {
        let channel = channel.clone();
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let page = self.inner().read(&channel, range).await;
            match self.reads.load(Ordering::SeqCst) {
                r if r == Reads::Fail as u8 => Err(Unavailable("as a test asked".into())),
                r if r == Reads::Panic as u8 => panic!("as a test asked"),
                r if r == Reads::Wait as u8 => {
                    self.go.notified().await;
                    page
                }
                _ => page,
            }
        })
    }

    fn changes(&self, _: Cursor) -> Pending<'_, Result<Changes, Unavailable>> {
        Box::pin(std::future::ready(Ok(Changes::default())))
    }

    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>> {
        Box::pin(std::future::ready(Ok(Cursor::default())))
    }

    fn heads(&self, channels: Vec<Channel>) -> Pending<'_, Result<Vec<Position>, Unavailable>> {
        Box::pin(async move {
            let inner = self.inner();
            inner.heads(channels).await
        })
    }

    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>> {
        Box::pin(async move {
            let inner = self.inner();
            inner.settle(writer, seq).await
        })
    }

    fn remove(&self, channel: &Channel) -> Pending<'_, Result<(), Unavailable>> {
        let channel = channel.clone();
        Box::pin(async move {
            let inner = self.inner();
            inner.remove(&channel).await
        })
    }

    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>> {
        Box::pin(std::future::ready(Ok(Trimmed::default())))
    }
}

/// The house.
pub struct Stage {
    pub house: Arc<House>,
    pub journal: Arc<Stubborn>,
    pub channel: Channel,
    rosters: Vec<Rc<Roster>>,
}

/// A member to be.
pub struct Visitor {
    pub seat: Rc<FakeSeat>,
    pub ear: Ear,
    pub id: SeatId,
    pub positioned: bool,
    pub number: SubscriptionNumber,
}

pub fn said(text: &str) -> Arc<Publication> {
    let data = Payload::json(format!("{text:?}").into());
    Arc::new(Publication { data, ..Publication::default() })
}

impl Stage {
    pub fn new() -> Self {
        Self::with(false, 1 << 20)
    }

    pub fn with(cache: bool, ring_bytes: usize) -> Self {
        Self::build(cache, ring_bytes, MAILBOX)
    }

    /// With hubs that take only so many messages.
    pub fn with_small_hubs(mailbox: usize) -> Self {
        Self::build(false, 1 << 20, mailbox)
    }

    fn build(cache: bool, ring_bytes: usize, mailbox: usize) -> Self {
        let journal = Stubborn::new();
        let here = Arbiter::current();
        let start = || JournalHandle::start(journal.clone(), &here, Observer::default());
        let rules = Rules { storage: Storage::Durable, cache };
        let workers = 2;
        let metrics = Metrics::new(&Labels { workers, ..Labels::default() }).unwrap();
        let house = House::new(
            Box::new(move |_| rules),
            Journals { durable: start(), memory: start() },
            None,
            Arc::new(metrics),
            Limits { publications: 300, bytes: 512 * 1024 },
            ring_bytes,
        );
        let rosters: Vec<_> = (0..workers).map(Roster::new).collect();
        let hubs = rosters.iter().map(|roster| {
            let (house, roster) = (house.clone(), roster.clone());
            let hub = supervisor::start_here("hub", mailbox, move |_| Hub::new(house, roster));
            Worker::new(hub, here.clone())
        });
        house.open(hubs.collect());
        Self { house, journal, channel: Channel::trusted("news"), rosters }
    }

    pub fn visitor(&self, worker: WorkerIndex) -> Visitor {
        let (seat, ear) = FakeSeat::new(Encoding::Json);
        let id = self.rosters[worker].next_id();
        self.rosters[worker].enter(id, seat.clone());
        Visitor { seat, ear, id, positioned: true, number: 0 }
    }

    /// A member that has entered.
    pub async fn member(&self, worker: WorkerIndex) -> Visitor {
        let mut visitor = self.visitor(worker);
        self.subscribe(&mut visitor, None);
        assert!(matches!(visitor.ear.next().await, Word::Entered { .. }));
        visitor
    }

    pub fn subscribe(&self, visitor: &mut Visitor, recover: Option<Position>) {
        visitor.number += 1;
        let client = format!("{:?}", visitor.id);
        let info = Arc::new(ClientInfo { client, ..ClientInfo::default() });
        let wishes = Wishes {
            positioned: visitor.positioned,
            recoverable: visitor.positioned,
            announced: Announced { presence: true, join_leave: false },
            ..Wishes::default()
        };
        let subscribe = Subscribe {
            who: Identity { seat: visitor.id, number: visitor.number, info },
            wishes,
            recover,
            else_refuse: false,
            data: Payload::default(),
            ttl: None,
            told: Told::Connect,
        };
        self.ask(Request::Subscribe(Box::new(subscribe)));
    }

    /// Somebody will come who stood there.
    pub fn expect(&self, stood: Option<Position>) {
        self.house.ask(&self.channel, Request::Expect(stood)).expect("a room");
    }

    pub fn unsubscribe(&self, visitor: &Visitor) {
        let leave = Leave { seat: visitor.id, number: visitor.number, command: None };
        self.house.good_bye(&self.channel, leave);
    }

    /// Publishes; the answer comes later.
    pub fn publish_soon(
        &self,
        skip_history: bool,
    ) -> oneshot::Receiver<Result<Appended, AppendError>> {
        let (answer, answered) = oneshot::channel();
        let publish = Publish {
            publication: said("hello"),
            key: None,
            version: None,
            skip_history,
            answer: Answer::new(move |outcome| drop(answer.send(outcome))),
        };
        self.ask(Request::Publish(Box::new(publish)));
        answered
    }

    /// Publishes and waits for the answer.
    pub async fn publish(&self) -> Position {
        match self.publish_soon(false).await.expect("every publisher is answered") {
            Ok(Appended::New(position)) => position,
            other => panic!("expected a place in the history, got {other:?}"),
        }
    }

    pub fn fall(&self) {
        self.ask(Request::Fall);
    }

    /// The room looks after itself, as it does every 15 s.
    pub fn tick(&self) {
        self.house.tick(&self.channel);
    }

    /// Everything that was sent to the room so far is handled.
    pub async fn settle(&self) {
        self.house.members(&self.channel).await.expect("the room answers");
    }

    pub async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let soon = async {
            while !is_so() {
                actix_rt::task::yield_now().await;
            }
        };
        tokio::time::timeout(patience(Duration::from_secs(5)), soon).await.expect(what);
    }

    pub fn at(&self, epoch: &Epoch, offset: u64) -> Option<Position> {
        Some(Position { epoch: epoch.clone(), offset })
    }

    fn ask(&self, request: Request) {
        self.house.ask(&self.channel, request).expect("the room takes it");
    }
}
