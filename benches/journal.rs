//! What a commit of the journal costs, in a file and in PostgreSQL: `cargo bench --bench journal`.
//!
//! File and server lie in the folder that `FANFARE_BENCH_DIR` names, else in the system's temporary one:
//! the figures are those of that disk.

use std::{hint::black_box, path::PathBuf, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fanfare::{
    ids::Channel,
    platform::{postgres::Options, scratch::Postgres},
    protocol::{Payload, Publication},
    realtime::journal::{
        Append, Batch, Direction, Journal, Range, Retention, RetentionOf, WriterId,
        postgres::{Connections, PostgresJournal},
        sqlite::SqliteJournal,
    },
};

/// Bytes of data in each publication.
const DATA: usize = 200;

struct Bench {
    folder: PathBuf,
    journal: Option<Box<dyn Journal>>,
    /// Ends after the journal.
    _server: Option<Postgres>,
    writer: WriterId,
    seq: u64,
    runtime: tokio::runtime::Runtime,
}

fn retention() -> RetentionOf {
    let day = Duration::from_secs(24 * 60 * 60);
    Arc::new(move |_| Retention { size: 1_000_000, ttl: 7 * day, meta_ttl: 30 * day })
}

impl Bench {
    fn new() -> Self {
        let parent =
            std::env::var_os("FANFARE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = parent.join(format!("fanfare-bench-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a folder for the bench");
        let journal =
            SqliteJournal::open(&folder.join("fanfare.db"), retention()).expect("a journal");
        Self::on(folder, Box::new(journal), None)
    }

    /// On a server of its own. None if PostgreSQL is not installed.
    fn postgres() -> Option<Self> {
        let server = match Postgres::start(&[]) {
            Ok(server) => server,
            Err(why) => {
                eprintln!("without PostgreSQL: {why}");
                return None;
            }
        };
        let patience = Duration::from_secs(4);
        let url = server.url("postgres");
        let options = Options::parse(&url, patience, patience).expect("an address");
        let connections = Connections { appending: 2, reading: 2, wait: patience };
        let journal = PostgresJournal::open(options, connections, retention()).expect("a journal");
        Some(Self::on(server.folder().join("bench"), Box::new(journal), Some(server)))
    }

    fn on(folder: PathBuf, journal: Box<dyn Journal>, server: Option<Postgres>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let writer = WriterId(uuid::Uuid::new_v4());
        Self { folder, journal: Some(journal), _server: server, writer, seq: 0, runtime }
    }

    fn journal(&self) -> &dyn Journal {
        self.journal.as_deref().expect("open")
    }

    /// Commits `rows` publications spread over `channels`.
    fn commit(&mut self, rows: usize, channels: usize) {
        let data = Payload::stored(vec![b'x'; DATA].into(), false);
        let publication = Arc::new(Publication { data, ..Publication::default() });
        let appends = (0..rows).map(|n| Append {
            channel: Channel::trusted(&format!("room:{}", n % channels)),
            publication: publication.clone(),
            key: None,
            version: None,
        });
        self.seq += 1;
        let batch = Batch {
            writer: self.writer,
            seq: self.seq,
            appends: appends.collect(),
            notes: Vec::new(),
        };
        let journal = self.journal.as_ref().expect("open");
        self.runtime.block_on(journal.append(batch)).expect("a commit");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.journal = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.measurement_time(Duration::from_secs(5));
    for (rows, channels) in [(1, 1), (64, 64), (256, 64), (1024, 64), (1024, 1024)] {
        let mut bench: Option<Bench> = None;
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new(format!("{rows} rows"), channels), |b| {
            let bench = bench.get_or_insert_with(|| {
                let mut bench = Bench::new();
                // Pages fill and split as they will in use.
                (0..100).for_each(|_| bench.commit(channels, channels));
                bench
            });
            b.iter(|| bench.commit(rows, channels));
        });
    }
    group.finish();
}

fn postgres_commits(c: &mut Criterion) {
    let Some(mut bench) = Bench::postgres() else { return };
    let mut group = c.benchmark_group("postgres commit");
    group.measurement_time(Duration::from_secs(5));
    for (rows, channels) in [(1, 1), (64, 64), (256, 64), (1024, 64), (1024, 1024)] {
        (0..20).for_each(|_| bench.commit(channels, channels));
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new(format!("{rows} rows"), channels), |b| {
            b.iter(|| bench.commit(rows, channels));
        });
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    let mut bench: Option<Bench> = None;
    let channel = Channel::trusted("room:1");
    for (name, limit) in [("top", 0), ("20 rows", 20), ("300 rows", 300)] {
        let range = Range { direction: Direction::After(10), limit, max_bytes: 512 * 1024 };
        c.bench_function(&format!("read/{name}"), |b| {
            let bench = bench.get_or_insert_with(|| {
                let mut bench = Bench::new();
                (0..20).for_each(|_| bench.commit(64 * 16, 64));
                bench
            });
            b.iter(|| {
                let page = bench.runtime.block_on(bench.journal().read(&channel, range));
                black_box(page.expect("a page"))
            });
        });
    }
}

fn start(c: &mut Criterion) {
    let mut full: Option<Bench> = None;
    let mut group = c.benchmark_group("start");
    group.sample_size(10);
    group.bench_function("1,000,000 publications in 1,000 channels", |b| {
        let bench = full.get_or_insert_with(|| {
            let mut bench = Bench::new();
            (0..250).for_each(|_| bench.commit(4_000, 1_000));
            bench.journal = None;
            bench
        });
        let file = bench.folder.join("fanfare.db");
        b.iter(|| SqliteJournal::open(&file, retention()).expect("a journal"));
    });
    group.finish();
}

criterion_group!(benches, commits, postgres_commits, reads, start);
criterion_main!(benches);
