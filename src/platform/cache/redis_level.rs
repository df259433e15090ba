//! The level in Redis, which the nodes share: best effort, each question with a deadline, its own connections.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redis::{Cmd, FromRedisValue, Pipeline, aio::MultiplexedConnection, cmd, pipe};
use tokio::time::timeout;

use super::{Asked, Entry, Millis, Part, Times, Value, Version};
use crate::{
    ids::UserId,
    platform::{
        metrics::Metrics,
        redis_client::{self, Shard, Unreachable, slot},
    },
};

/// After a question that was not answered Redis is left alone for so long: nobody else waits for it in vain.
const REST: Duration = Duration::from_secs(1);

/// A lease stands for so long: longer than a load takes, and no longer than others should wait for one that died.
pub(super) const LEASE: Duration = Duration::from_secs(2);

/// Bytes before a value: when it was read, and until when it is fresh.
const HEAD: usize = 16;

/// Ends a lease if it is still the one that was given: a loader that was slow does not end the next one's.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/// Where Redis is and what it may cost.
#[derive(Clone, Debug)]
pub struct SharedOptions {
    pub redis: redis_client::Options,
    /// What all names begin with.
    pub prefix: String,
    /// A question that is not answered by then is not waited for any longer.
    pub deadline: Duration,
    /// Bytes of a value, at most; a larger one is not kept there.
    pub largest: usize,
}

/// The way to Redis.
pub struct Shared {
    options: SharedOptions,
    format: u32,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

struct State {
    way: Way,
    /// Not asked before.
    rests_until: Instant,
}

enum Way {
    Closed,
    Opening,
    Open(Vec<(Shard, MultiplexedConnection)>),
}

/// Whether this node is the one that loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lease {
    /// What is written into it, which tells it from those before and after.
    Mine(u64),
    Theirs,
    /// Redis did not say.
    Unknown,
}

impl Shared {
    /// Of values of one format. Opens nothing yet.
    pub fn new(options: SharedOptions, format: u32, metrics: Arc<Metrics>) -> Arc<Self> {
        let state = State { way: Way::Closed, rests_until: Instant::now() };
        Arc::new(Self { options, format, state: Mutex::new(state), metrics })
    }

    /// Whether there are connections.
    pub fn is_open(&self) -> bool {
        matches!(self.lock().way, Way::Open(_))
    }

    /// Opens the connections, unless somebody does or Redis is left alone. On the runtime that is to carry them.
    pub(super) async fn open(self: Arc<Self>) {
        {
            let mut state = self.lock();
            if !matches!(state.way, Way::Closed) || Instant::now() < state.rests_until {
                return;
            }
            state.way = Way::Opening;
        }
        let opened = self.connect().await;
        let mut state = self.lock();
        match opened {
            Ok(lines) => state.way = Way::Open(lines),
            Err(why) => {
                log::debug!("the cache does not reach Redis: {why}");
                self.metrics.cache_redis_failures_total.inc();
                (state.way, state.rests_until) = (Way::Closed, Instant::now() + REST);
            }
        }
    }

    async fn connect(&self) -> Result<Vec<(Shard, MultiplexedConnection)>, Unreachable> {
        let mut lines = Vec::new();
        for shard in self.options.redis.shards().await? {
            let line = self.options.redis.connect(&shard, |_| ()).await?;
            lines.push((shard, line));
        }
        Ok(lines)
    }

    /// What Redis has of these; none if it does not answer.
    pub(super) async fn read<V: Value>(
        self: &Arc<Self>,
        owner: &UserId,
        asked: &[Asked],
        now: Millis,
    ) -> Option<Vec<Option<Entry<V>>>> {
        let mut gets = pipe();
        for one in asked {
            gets.cmd("GET").arg(self.name(owner, one.version, one.part.name));
        }
        let values: Vec<Option<Vec<u8>>> = self.ask_all(owner, &gets).await?;
        let entry = |(value, asked): (Option<Vec<u8>>, &Asked)| {
            let (times, bytes) = read_back(&value?, asked.part, now)?;
            let value = Arc::new(V::decode(asked.part.name, &bytes)?);
            Some(Entry { part: asked.part.name, version: asked.version, times, value })
        };
        Some(values.into_iter().zip(asked).map(entry).collect())
    }

    /// Keeps these until they don't count any more. Whether all of them are kept.
    pub(super) async fn write<V: Value>(
        self: &Arc<Self>,
        owner: &UserId,
        entries: &[Entry<V>],
        now: Millis,
    ) -> bool {
        let mut puts = pipe();
        let mut kept = 0;
        for entry in entries {
            let (Some(bytes), true) = (entry.value.encode(), entry.times.counts(now)) else {
                continue;
            };
            if bytes.len() > self.options.largest {
                continue;
            }
            let name = self.name(owner, entry.version, entry.part);
            let value = written(&entry.times, &bytes);
            puts.cmd("SET").arg(name).arg(value).arg("PX").arg(entry.times.stale_until - now);
            puts.ignore();
            kept += 1;
        }
        let said = kept > 0 && self.ask_all::<()>(owner, &puts).await.is_some();
        said && kept == entries.len()
    }

    /// Asks to be the one that loads these.
    pub(super) async fn lease(self: &Arc<Self>, owner: &UserId, asked: &[Asked]) -> Lease {
        let (mut ask, mark) = (cmd("SET"), rand::random());
        let name = self.lease_name(owner, asked);
        ask.arg(name).arg(mark).arg("NX").arg("PX").arg(LEASE.as_millis() as u64);
        match self.ask::<Option<String>>(owner, &ask).await {
            Some(Some(_)) => Lease::Mine(mark),
            Some(None) => Lease::Theirs,
            None => Lease::Unknown,
        }
    }

    /// Lets another one load: this one could not, or Redis does not keep what it loaded. Otherwise a lease ends by itself, so
    /// that who looked just before the values were there does not load them again.
    pub(super) async fn release(self: &Arc<Self>, owner: &UserId, asked: &[Asked], mark: u64) {
        let mut ask = cmd("EVAL");
        ask.arg(RELEASE).arg(1).arg(self.lease_name(owner, asked)).arg(mark);
        let _: Option<i64> = self.ask(owner, &ask).await;
    }

    async fn ask<T: FromRedisValue>(self: &Arc<Self>, owner: &UserId, ask: &Cmd) -> Option<T> {
        let mut line = self.line(owner)?;
        self.heard(timeout(self.options.deadline, ask.query_async(&mut line)).await)
    }

    async fn ask_all<T: FromRedisValue>(
        self: &Arc<Self>,
        owner: &UserId,
        ask: &Pipeline,
    ) -> Option<T> {
        let mut line = self.line(owner)?;
        self.heard(timeout(self.options.deadline, ask.query_async(&mut line)).await)
    }

    /// The connection to the server that has this owner's names.
    fn line(self: &Arc<Self>, owner: &UserId) -> Option<MultiplexedConnection> {
        let state = self.lock();
        if Instant::now() < state.rests_until {
            return None;
        }
        let lines = match &state.way {
            Way::Open(lines) => lines,
            Way::Opening => return None,
            Way::Closed => {
                tokio::spawn(self.clone().open());
                return None;
            }
        };
        let slot = slot(self.home(owner).as_bytes());
        let has = |shard: &Shard| shard.slots.as_ref().is_none_or(|slots| slots.contains(slot));
        lines.iter().find(|(shard, _)| has(shard)).map(|(_, line)| line.clone())
    }

    fn heard<T>(
        &self,
        answer: Result<redis::RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Option<T> {
        let why = match answer {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(why)) => Some(why),
            Err(_) => None,
        };
        self.metrics.cache_redis_failures_total.inc();
        let mut state = self.lock();
        state.rests_until = Instant::now() + REST;
        // One that is only late may be the same again; one that failed is not, or is not the right one any more.
        if let Some(why) = why {
            log::debug!("the cache goes on without Redis: {why}");
            if matches!(state.way, Way::Open(_)) {
                state.way = Way::Closed;
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all names of an owner begin with; they are on one server of a cluster.
    fn home(&self, owner: &UserId) -> String {
        let owner = utf8_percent_encode(owner.as_str(), NON_ALPHANUMERIC);
        format!("{}:k:{}:{{{owner}}}", self.options.prefix, self.format)
    }

    fn name(&self, owner: &UserId, version: Version, part: &str) -> String {
        format!("{}:{}.{}:{part}", self.home(owner), version.generation, version.computed)
    }

    /// Of all that is loaded together: who loads something else is not waited for.
    fn lease_name(&self, owner: &UserId, asked: &[Asked]) -> String {
        let newest = asked.iter().map(|asked| asked.version).max().unwrap_or_default();
        let parts: Vec<&str> = asked.iter().map(|asked| asked.part.name).collect();
        self.name(owner, newest, &format!("lease:{}", parts.join("+")))
    }
}

fn written(times: &Times, bytes: &[u8]) -> Vec<u8> {
    [&times.read_at.to_be_bytes(), &times.fresh_until.to_be_bytes(), bytes].concat()
}

fn read_back(value: &[u8], part: Part, now: Millis) -> Option<(Times, Vec<u8>)> {
    let (head, bytes) = value.split_at_checked(HEAD)?;
    let (read_at, fresh_until) = head.split_at_checked(HEAD / 2)?;
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    let times = Times::told(part.life, number(read_at)?, number(fresh_until)?, now);
    times.counts(now).then(|| (times, bytes.to_vec()))
}
