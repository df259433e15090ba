//! The levels together: what is asked for is looked for in memory, then in Redis, and then loaded by one for all.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Asked, Clock, Entry, Load, Loaded, Lost, Shared, Times, Value,
    flights::{Flights, Joined, Pilot},
    memory::Memory,
    redis_level::{LEASE, Lease},
};
use crate::{
    ids::UserId,
    platform::{engine::Engine, metrics::Metrics},
};

/// Who asks is told by then. A store takes up to 10 s to say that it does not answer.
const PATIENCE: Duration = Duration::from_secs(12);

/// Loads of one question that may fall before it is given up.
const FALLS: usize = 2;

/// The first and the longest pause before Redis is asked again whether another node has loaded.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What a cache consists of.
pub struct Options {
    /// Bytes that the memory level may hold; 0: it is off.
    pub memory: usize,
    /// None: the level is off.
    pub shared: Option<Arc<Shared>>,
    pub clock: Clock,
}

/// All levels and what is under way between them.
pub struct Cache<V, E> {
    inner: Arc<Inner<V, E>>,
    /// Last: it is joined when the cache goes, so no work of its own may keep the cache.
    engine: Engine,
}

struct Inner<V, E> {
    memory: Memory<V>,
    shared: Option<Arc<Shared>>,
    flights: Arc<Flights<V, E>>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Why something is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Nobody has it: somebody waits.
    Missing,
    /// What there is has expired: nobody waits.
    Expired,
}

impl<V, E> Cache<V, E>
where
    V: Value,
    E: Clone + From<Lost> + Send + Sync + 'static,
{
    /// Starts the cache's thread.
    pub fn start(options: Options, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let engine = Engine::start("cache")?;
        if let Some(shared) = &options.shared {
            drop(engine.run(shared.clone().open()));
        }
        let inner = Inner {
            memory: Memory::new(options.memory),
            shared: options.shared,
            flights: Flights::new(),
            clock: options.clock,
            metrics,
        };
        Ok(Self { inner: Arc::new(inner), engine })
    }

    /// The thread that loads.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// These parts in the states that are asked for, or later ones: each entry says which. In the order of `asked`.
    pub async fn get(
        &self,
        owner: &UserId,
        asked: &[Asked],
        load: Load<V, E>,
    ) -> Result<Vec<Entry<V>>, E> {
        let (inner, until) = (&self.inner, Instant::now() + PATIENCE);
        let (mut have, mut falls) = (inner.look(owner, asked), 0);
        inner.count_looks("memory", asked.len(), have.iter().flatten().count());
        loop {
            let lacks = |(have, _): &(&Option<Entry<V>>, &Asked)| have.is_none();
            let missing: Vec<Asked> =
                have.iter().zip(asked).filter(lacks).map(|(_, asked)| *asked).collect();
            if missing.is_empty() {
                break;
            }
            let (joined, pilot) = inner.flights.join(owner, &missing);
            let covers = joined.covers;
            match pilot {
                Some(pilot) => self.fly(pilot, owner, missing, &load, Why::Missing),
                None => inner.metrics.cache_waits_total.of("here").inc(),
            }
            match landing(joined, until).await {
                Landing::Brought(entries) => {
                    let lacks = fill(&mut have, asked, &entries);
                    // A loader that leaves out what it was asked for is as good as none.
                    if lacks && covers {
                        falls += 1;
                    }
                    if falls > FALLS {
                        return Err(Lost("what was asked for was not in what was loaded").into());
                    }
                }
                Landing::Failed(why) if covers => return Err(why),
                // It was about something else.
                Landing::Failed(_) => {}
                Landing::Fell if falls < FALLS => falls += 1,
                Landing::Fell => return Err(Lost("what was asked for could not be loaded").into()),
                Landing::Late => {
                    return Err(Lost("what was asked for was not loaded in time").into());
                }
            }
            let seen = inner.look(owner, asked);
            for (have, seen) in have.iter_mut().zip(seen) {
                *have = have.take().or(seen);
            }
        }
        let found: Vec<Entry<V>> = have.into_iter().flatten().collect();
        self.refresh(owner, asked, &found, &load);
        Ok(found)
    }

    /// The newest that this node's memory has of these parts, whatever its age: for when nobody can say what is right. None
    /// unless it has all of them.
    pub fn last(&self, owner: &UserId, parts: &[&'static str]) -> Option<Vec<Entry<V>>> {
        parts.iter().map(|part| self.inner.memory.last(owner, part)).collect()
    }

    /// Has what expired loaded anew, unless somebody is at it.
    fn refresh(&self, owner: &UserId, asked: &[Asked], found: &[Entry<V>], load: &Load<V, E>) {
        let now = (self.inner.clock)();
        if let Some(oldest) = found.iter().map(|entry| entry.times.age(now)).max() {
            self.inner.metrics.cache_age_seconds.observe(oldest.as_secs_f64());
        }
        let old = |(entry, asked): (&Entry<V>, &Asked)| {
            let newer = Asked { version: entry.version, ..*asked };
            (!entry.times.is_fresh(now)).then_some(newer)
        };
        let expired: Vec<Asked> = found.iter().zip(asked).filter_map(old).collect();
        if expired.is_empty() {
            return;
        }
        self.inner.metrics.cache_expired_total.inc();
        if let (_, Some(pilot)) = self.inner.flights.join(owner, &expired) {
            self.fly(pilot, owner, expired, load, Why::Expired);
        }
    }

    fn fly(
        &self,
        pilot: Pilot<V, E>,
        owner: &UserId,
        asked: Vec<Asked>,
        load: &Load<V, E>,
        why: Why,
    ) {
        let flight = Flight {
            inner: self.inner.clone(),
            owner: owner.clone(),
            load: load.clone(),
            why,
            found: Vec::new(),
            missing: asked,
        };
        drop(self.engine.run(flight.fly(pilot)));
    }
}

impl<V: Value, E> Inner<V, E> {
    /// What memory has of these that still counts.
    fn look(&self, owner: &UserId, asked: &[Asked]) -> Vec<Option<Entry<V>>> {
        let now = (self.clock)();
        let look =
            |asked: &Asked| self.memory.get(owner, asked).filter(|entry| entry.times.counts(now));
        asked.iter().map(look).collect()
    }

    fn keep(&self, owner: &UserId, entries: &[Entry<V>]) {
        for entry in entries {
            let bytes = self.memory.put(owner, entry.clone());
            self.metrics.cache_memory_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    fn count_looks(&self, level: &str, all: usize, found: usize) {
        self.metrics.cache_hits_total.of(level).inc_by(found as u64);
        self.metrics.cache_misses_total.of(level).inc_by(all.saturating_sub(found) as u64);
    }
}

/// One load, for all who wait for it.
struct Flight<V, E> {
    inner: Arc<Inner<V, E>>,
    owner: UserId,
    load: Load<V, E>,
    why: Why,
    found: Vec<Entry<V>>,
    missing: Vec<Asked>,
}

impl<V, E> Flight<V, E>
where
    V: Value,
    E: Clone + From<Lost> + Send + Sync + 'static,
{
    fn fly(mut self, pilot: Pilot<V, E>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let lease = self.look_in_redis().await;
            if self.missing.is_empty() {
                return pilot.land(Ok(self.found));
            }
            let loaded = self.load().await;
            let entries = loaded.clone().unwrap_or_default();
            self.inner.keep(&self.owner, &entries);
            self.found.extend(entries.iter().cloned());
            // Nobody waits for what comes now.
            pilot.land(loaded.map(|_| self.found));
            let Some(shared) = &self.inner.shared else { return };
            let is_kept = shared.write(&self.owner, &entries, (self.inner.clock)()).await;
            let is_asked = |asked: &Asked| entries.iter().any(|entry| asked.is(entry));
            // Who waits for something else than there is now is not to wait for the lease's end.
            let answers = is_kept && self.missing.iter().all(is_asked);
            if let (false, Lease::Mine(mark)) = (answers, lease) {
                shared.release(&self.owner, &self.missing, mark).await;
            }
        })
    }

    /// Takes what Redis has, or will have soon since another node loads it.
    async fn look_in_redis(&mut self) -> Lease {
        let Some(shared) = self.inner.shared.clone() else { return Lease::Unknown };
        let before = self.missing.len();
        let answers = self.take(&shared).await;
        self.inner.count_looks("redis", before, before - self.missing.len());
        let (until, mut pause) = (Instant::now() + LEASE, PAUSES.0);
        while answers && !self.missing.is_empty() {
            let lease = shared.lease(&self.owner, &self.missing).await;
            if lease != Lease::Theirs || Instant::now() >= until {
                return lease;
            }
            if pause == PAUSES.0 {
                self.inner.metrics.cache_waits_total.of("elsewhere").inc();
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
            self.take(&shared).await;
        }
        Lease::Unknown
    }

    /// Takes what Redis has. False if it does not answer.
    async fn take(&mut self, shared: &Arc<Shared>) -> bool {
        let now = (self.inner.clock)();
        let Some(came) = shared.read::<V>(&self.owner, &self.missing, now).await else {
            return false;
        };
        let good = |entry: &Entry<V>| self.why == Why::Missing || entry.times.is_fresh(now);
        let came: Vec<Entry<V>> = came.into_iter().flatten().filter(good).collect();
        self.missing.retain(|asked| came.iter().all(|entry| entry.part != asked.part.name));
        self.inner.keep(&self.owner, &came);
        self.found.extend(came);
        true
    }

    /// Loads what is missing; filed under the versions that came with it.
    async fn load(&self) -> Result<Vec<Entry<V>>, E> {
        let now = (self.inner.clock)();
        let loaded = (self.load)(self.missing.clone()).await;
        let outcome = if loaded.is_ok() { "done" } else { "failed" };
        self.inner.metrics.cache_loads_total.of(outcome).inc();
        let file = |loaded: Loaded<V>| Entry {
            part: loaded.part.name,
            version: loaded.version,
            times: Times::of(loaded.part.life, now, rand::random()),
            value: Arc::new(loaded.value),
        };
        Ok(loaded?.into_iter().map(file).collect())
    }
}

enum Landing<V, E> {
    Brought(Vec<Entry<V>>),
    Failed(E),
    Fell,
    Late,
}

async fn landing<V, E: Clone>(flight: Joined<V, E>, until: Instant) -> Landing<V, E> {
    match timeout_at(until, flight.end()).await {
        Err(_) => Landing::Late,
        Ok(None) => Landing::Fell,
        Ok(Some(outcome)) => match &*outcome {
            Ok(entries) => Landing::Brought(entries.clone()),
            Err(why) => Landing::Failed(why.clone()),
        },
    }
}

/// Puts what came where it was asked for. Whether something is still missing.
fn fill<V>(have: &mut [Option<Entry<V>>], asked: &[Asked], came: &[Entry<V>]) -> bool {
    for (have, asked) in have.iter_mut().zip(asked) {
        let is_it =
            |entry: &&Entry<V>| entry.part == asked.part.name && entry.version >= asked.version;
        if have.is_none() {
            *have = came.iter().find(is_it).cloned();
        }
    }
    have.iter().any(Option::is_none)
}
