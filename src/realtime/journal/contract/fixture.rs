//! A store under test, with a clock and a retention that the test sets.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::{
    ids::Channel,
    platform::{database::Database, postgres::Options, scratch::postgres::shared::schema},
    protocol::{Payload, Publication},
    realtime::journal::{
        Append, Appended, Batch, Clock, Direction, Journal, Key, Page, Range, Retention,
        RetentionOf, WriterId,
        memory::MemoryJournal,
        postgres::{Connections, PostgresJournal},
        sqlite::SqliteJournal,
    },
};

/// A moment from which the tests' clocks start; any that is not near 0.
pub const START: u64 = 1_700_000_000_000;

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("fanfare.db")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock and a retention that a test turns.
#[derive(Clone)]
pub struct World {
    now: Arc<AtomicU64>,
    retention: Arc<Mutex<Retention>>,
}

impl World {
    pub fn new() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        let retention = Retention { size: 1_000, ttl: 7 * day, meta_ttl: 30 * day };
        Self { now: Arc::new(AtomicU64::new(START)), retention: Arc::new(Mutex::new(retention)) }
    }

    pub fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || now.load(Ordering::SeqCst))
    }

    pub fn retention(&self) -> RetentionOf {
        let retention = self.retention.clone();
        Arc::new(move |_| *retention.lock().unwrap())
    }

    pub fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn step_back(&self, time: Duration) {
        self.now.fetch_sub(time.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn keep(&self, change: impl FnOnce(&mut Retention)) {
        change(&mut self.retention.lock().unwrap());
    }
}

/// A journal and its world.
pub struct Fixture {
    pub journal: Arc<dyn Journal>,
    /// Another instance on the same store, or the same one where a store can't be shared.
    pub second: Arc<dyn Journal>,
    pub world: World,
    /// Dropped after the journal.
    _folder: Option<Folder>,
}

impl Fixture {
    pub fn memory() -> Self {
        let world = World::new();
        Self::of(Arc::new(MemoryJournal::with_clock(world.retention(), world.clock())), world)
    }

    pub fn sqlite() -> Self {
        let (world, folder) = (World::new(), Folder::new());
        let journal = Arc::new(open(&folder.file(), &world));
        Self { _folder: Some(folder), ..Self::of(journal, world) }
    }

    /// Two instances on a schema of their own.
    pub fn postgres() -> Self {
        let (world, url) = (World::new(), schema());
        let (journal, second) = (postgres(&url, &world), postgres(&url, &world));
        Self { second: Arc::new(second), ..Self::of(Arc::new(journal), world) }
    }

    /// A look at a journal that the test made itself.
    pub fn of(journal: Arc<dyn Journal>, world: World) -> Self {
        Self { second: journal.clone(), journal, world, _folder: None }
    }

    /// All that a channel shows, oldest first.
    pub async fn all(&self, name: &str) -> Page {
        self.page(name, Direction::After(0), 10_000, usize::MAX).await
    }

    pub async fn page(&self, name: &str, direction: Direction, limit: usize, bytes: usize) -> Page {
        let range = Range { direction, limit, max_bytes: bytes };
        self.journal.read(&channel(name), range).await.expect("a page")
    }

    /// Trims until there is no more to do; how many publications went.
    pub async fn trim(&self) -> u64 {
        let mut gone = 0;
        loop {
            let trimmed = self.journal.trim().await.expect("a step of trimming");
            gone += trimmed.publications;
            if !trimmed.more {
                return gone;
            }
        }
    }
}

/// The journal in a file.
pub fn open(path: &Path, world: &World) -> SqliteJournal {
    let database = Arc::new(Database::open(path).expect("a database"));
    SqliteJournal::on(database, world.retention(), world.clock()).expect("a journal")
}

/// The journal in a database.
pub fn postgres(url: &str, world: &World) -> PostgresJournal {
    let patience = Duration::from_secs(4);
    let options = Options::parse(url, patience, patience).expect("an address");
    let connections = Connections { appending: 3, reading: 2, wait: patience };
    let clock = Some(world.clock());
    PostgresJournal::with_clock(options, connections, world.retention(), clock).expect("a journal")
}

/// Appends batch after batch under one writer.
pub struct Lane {
    journal: Arc<dyn Journal>,
    pub writer: WriterId,
    pub seq: u64,
}

impl Lane {
    pub fn new(journal: &Arc<dyn Journal>) -> Self {
        Self { journal: journal.clone(), writer: WriterId(uuid::Uuid::new_v4()), seq: 0 }
    }

    pub fn batch(&self, appends: Vec<Append>) -> Batch {
        Batch { writer: self.writer, seq: self.seq + 1, appends, notes: Vec::new() }
    }

    pub async fn append(&mut self, appends: Vec<Append>) -> Vec<Appended> {
        let results = self.journal.append(self.batch(appends)).await.expect("a commit");
        self.seq += 1;
        results
    }

    /// A batch with appends and notes.
    pub async fn note(&mut self, appends: Vec<Append>, notes: &[&'static str]) -> Vec<Appended> {
        let notes = notes.iter().map(|note| Bytes::from_static(note.as_bytes())).collect();
        let batch = Batch { notes, ..self.batch(appends) };
        let results = self.journal.append(batch).await.expect("a commit");
        self.seq += 1;
        results
    }

    pub async fn one(&mut self, append: Append) -> Appended {
        self.append(vec![append]).await.remove(0)
    }
}

pub fn channel(name: &str) -> Channel {
    Channel::trusted(name)
}

pub fn publication(data: &str) -> Arc<Publication> {
    let data = Payload::stored(data.to_owned().into(), false);
    Arc::new(Publication { data, ..Publication::default() })
}

pub fn append(name: &str, data: &str) -> Append {
    Append { channel: channel(name), publication: publication(data), key: None, version: None }
}

pub fn keyed(name: &str, data: &str, publisher: &str, key: &str) -> Append {
    let key = Key { publisher: publisher.into(), key: key.into() };
    Append { key: Some(key), ..append(name, data) }
}

/// The offset of a new publication.
pub fn new(appended: &Appended) -> u64 {
    match appended {
        Appended::New(position) => position.offset,
        other => panic!("expected a new publication, got {other:?}"),
    }
}

/// The offsets of a page.
pub fn offsets(page: &Page) -> Vec<u64> {
    page.publications.iter().map(|publication| publication.offset).collect()
}

/// What a page says.
pub fn said(page: &Page) -> Vec<String> {
    let text = |p: &Arc<Publication>| String::from_utf8_lossy(p.data.bytes()).into_owned();
    page.publications.iter().map(text).collect()
}
