//! The levels with a loader that counts.

mod bounds;
mod gathering;
mod sharing;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    time::Instant,
};

use futures_util::future::{join, join_all};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    ids::UserId,
    platform::{
        metrics::{Labels, Metrics},
        redis_client,
        scratch::Redis,
    },
};

const LIFE: Duration = Duration::from_secs(100);
const SECOND: u64 = 1_000;
const ONE: Part = Part { name: "one", life: LIFE };
const TWO: Part = Part { name: "two", life: LIFE };

/// What a part holds: a text.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Text<const FORMAT: u32>(String);

impl<const FORMAT: u32> Value for Text<FORMAT> {
    const FORMAT: u32 = FORMAT;

    fn encode(&self) -> Option<Vec<u8>> {
        Some(format!("text {}", self.0).into_bytes())
    }

    fn decode(_: &str, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        text.strip_prefix("text ").map(|text| Self(text.into()))
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Failed {
    Lost,
    ByLoader,
}

impl From<Lost> for Failed {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

type Subject<const FORMAT: u32 = 1> = Cache<Text<FORMAT>, Failed>;

/// A database of one generation that counts how often it is read, and answers when it is let.
struct Source {
    generation: AtomicU64,
    reads: AtomicUsize,
    fails: AtomicBool,
    falls: AtomicBool,
    gate: Semaphore,
}

impl Source {
    /// Answers at once, in generation 1.
    fn open() -> Arc<Self> {
        let source = Self::shut();
        source.gate.add_permits(Semaphore::MAX_PERMITS / 2);
        source
    }

    /// Answers none before it is let.
    fn shut() -> Arc<Self> {
        Arc::new(Self {
            generation: AtomicU64::new(1),
            reads: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
            falls: AtomicBool::new(false),
            gate: Semaphore::new(0),
        })
    }

    fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    fn present(&self) -> Version {
        Version { generation: self.generation.load(SeqCst) as i64, computed: 0 }
    }

    fn load<const FORMAT: u32>(self: &Arc<Self>) -> Load<Text<FORMAT>, Failed> {
        let source = self.clone();
        Arc::new(move |asked| {
            let source = source.clone();
            Box::pin(async move {
                source.reads.fetch_add(1, SeqCst);
                source.gate.acquire().await.unwrap().forget();
                assert!(!source.falls.swap(false, SeqCst), "this loader falls");
                if source.fails.load(SeqCst) {
                    return Err(Failed::ByLoader);
                }
                let version = source.present();
                let value = |part: &Part| Text(format!("{} of {}", part.name, version.generation));
                let loaded = |Asked { part, .. }| Loaded { value: value(&part), part, version };
                Ok(asked.into_iter().map(loaded).collect())
            })
        })
    }
}

struct Scene<const FORMAT: u32 = 1> {
    cache: Arc<Subject<FORMAT>>,
    shared: Option<Arc<Shared>>,
    metrics: Arc<Metrics>,
    now: Arc<AtomicU64>,
}

fn ana() -> UserId {
    UserId::new("ana {of} Rome")
}

impl<const FORMAT: u32> Scene<FORMAT> {
    fn with(memory: usize, redis: Option<&Redis>) -> Self {
        let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
        let shared = redis.map(|redis| {
            let second = Duration::from_secs(1);
            let options = SharedOptions {
                redis: redis_client::Options::parse(&redis.url(), None, second, second).unwrap(),
                prefix: "test".into(),
                deadline: Duration::from_millis(200),
                largest: 10_000,
            };
            Shared::new(options, FORMAT, metrics.clone())
        });
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = now.clone();
        let options =
            Options { memory, shared: shared.clone(), clock: Arc::new(move || clock.load(SeqCst)) };
        let cache = Arc::new(Cache::start(options, metrics.clone()).unwrap());
        Self { cache, shared, metrics, now }
    }

    /// The same, when its connections stand.
    async fn connected(memory: usize, redis: &Redis) -> Self {
        let scene = Self::with(memory, Some(redis));
        scene.reaches_redis().await;
        scene
    }

    async fn reaches_redis(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.shared.as_ref().unwrap().is_open() {
            assert!(Instant::now() < until, "no connection to Redis");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn get(&self, source: &Arc<Source>, version: Version) -> Result<Vec<String>, Failed> {
        let asked = [ONE, TWO].map(|part| Asked { part, version });
        let entries = self.cache.get(&ana(), &asked, source.load()).await?;
        Ok(entries.into_iter().map(|entry| entry.value.0.clone()).collect())
    }

    /// What is right, whoever has it.
    async fn right(&self, source: &Arc<Source>) {
        let generation = source.present().generation;
        let texts = self.get(source, source.present()).await.unwrap();
        assert_eq!(texts, [format!("one of {generation}"), format!("two of {generation}")]);
    }

    fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, SeqCst);
    }
}

/// Waits until both parts are in Redis.
async fn stored(redis: &Redis) {
    until("Redis has it", || redis.ask(&["KEYS", "*.0:[ot]*"]).unwrap().len() == 2).await;
}

async fn until(what: &str, reached: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !reached() {
        assert!(Instant::now() < end, "{what}: not in 10 s");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[actix_web::test]
async fn a_thousand_who_ask_for_one_cold_key_are_one_load() {
    for memory in [1 << 20, 0] {
        let (it, source) = (Scene::<1>::with(memory, None), Source::shut());
        let all = (0..1_000).map(|_| it.right(&source));
        let let_go = async {
            until("the first load begins", || source.reads() == 1).await;
            until("all wait", || it.metrics.cache_waits_total.of("here").get() == 999).await;
            source.gate.add_permits(1_000);
        };
        join(join_all(all), let_go).await;
        assert_eq!(source.reads(), 1, "with {memory} bytes of memory");
    }
}

#[actix_web::test]
async fn what_a_database_that_was_set_back_has_forgotten_is_served_no_more() {
    let (it, source) = (Scene::<1>::with(1 << 20, None), Source::open());
    source.generation.store(9, SeqCst);
    it.right(&source).await;
    it.pass(SECOND);
    source.generation.store(6, SeqCst);
    it.right(&source).await;
    it.right(&source).await;
    assert_eq!(source.reads(), 2, "what it has now is kept in the place of that");
}

#[actix_web::test]
async fn an_older_state_is_never_served_for_a_newer_one() {
    let redis = Redis::start(&[]).unwrap();
    for it in [Scene::<1>::connected(1 << 20, &redis).await, Scene::connected(0, &redis).await] {
        let source = Source::open();
        for generation in 1..20 {
            source.generation.store(generation, SeqCst);
            it.right(&source).await;
            it.right(&source).await;
        }
        assert!(source.reads() <= 19, "{}", source.reads());
    }
}

#[actix_web::test]
async fn what_has_expired_is_served_while_one_refreshes_it_and_never_past_twice_its_life() {
    let (it, source) = (Scene::<1>::with(1 << 20, None), Source::shut());
    source.gate.add_permits(1);
    it.right(&source).await;
    it.pass(89 * SECOND);
    it.right(&source).await;
    assert_eq!(source.reads(), 1, "it is fresh for nine tenths of its life at least");
    it.pass(22 * SECOND);
    let all = (0..100).map(|_| it.right(&source));
    join_all(all).await;
    until("one refreshes", || source.reads() == 2).await;
    it.right(&source).await;
    assert_eq!(source.reads(), 2, "and only one");
    it.pass(90 * SECOND);
    let asked = it.right(&source);
    join(asked, async { source.gate.add_permits(100) }).await;
    it.right(&source).await;
    let old = it.metrics.cache_age_seconds.get_sample_sum();
    assert!(old > 0.0 && it.metrics.cache_expired_total.get() >= 100);
}

#[actix_web::test]
async fn a_loader_that_falls_or_fails_frees_its_key() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(1 << 20, &redis).await, Source::open());
    source.fails.store(true, SeqCst);
    assert_eq!(it.get(&source, source.present()).await, Err(Failed::ByLoader));
    source.fails.store(false, SeqCst);
    let begun = Instant::now();
    until("the lease was given back", || redis.ask(&["DBSIZE"]).unwrap() == ["0"]).await;
    it.right(&source).await;
    assert!(begun.elapsed() < redis_level::LEASE, "the lease was given back at once");
    source.generation.store(2, SeqCst);
    source.falls.store(true, SeqCst);
    it.right(&source).await;
    assert_eq!(source.reads(), 4, "who waited for the one that fell loads it");
}
