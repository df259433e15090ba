//! How often users and their devices may connect, command and publish; past it they are told when to come again.
//!
//! A device is one connection. Its buckets lie in its session. Those of users lie here while they may not be full, and are
//! shared with other nodes through Redis if there is one, see [`shared`]. A connection without a user has those of its
//! device only, since all of them would have one together.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

pub mod bucket;
mod device;
mod over;
pub mod shared;
#[cfg(test)]
mod tests;

pub use bucket::Limit;
pub use device::Device;
pub use over::{Over, What};

use crate::{
    ids::UserId,
    platform::{metrics::Metrics, settings::RateLimit},
    realtime::bridge::{BridgeHandle, Charge, Charged},
};
use bucket::Micros;
use shared::{Heard, Shared, Told};

/// Locks among which users are spread.
const SHARDS: usize = 64;

/// Users of one lock that are remembered, at most. Who comes on top is let through.
const MOST_USERS: usize = 16 * 1024;

/// Charges that may be under way, at most. The next one waits for its turn.
const MOST_CHARGES: usize = 256;

/// The one in Redis owes at most so many bursts: what nodes gave beyond that is forgiven.
const MOST_BURSTS: u64 = 2;

const COMMAND: &[What] = &[What::Command];
const PUBLISH: &[What] = &[What::Command, What::Publish];

/// The limits for each [`What`]; none: there is no limit.
type Limits = [Option<Limit>; 3];

/// What one user has taken, for each [`What`].
#[derive(Default)]
struct Person([Shared; 3]);

/// All limits of a node, and what its users have taken.
pub struct Rates {
    user: Limits,
    device: Limits,
    people: Box<[Mutex<HashMap<UserId, Person>>]>,
    hasher: RandomState,
    swept: AtomicUsize,
    charges: AtomicUsize,
    bridge: Option<BridgeHandle>,
    metrics: Arc<Metrics>,
    began: Instant,
}

impl Rates {
    /// Nobody has taken anything. With a bridge, users have one limit on all nodes.
    pub fn new(
        settings: &RateLimit,
        bridge: Option<BridgeHandle>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let of = Limit::new;
        Arc::new(Self {
            user: [
                of(settings.user_command_rate, settings.user_command_burst),
                of(settings.user_publish_rate, settings.user_publish_burst),
                of(settings.user_connect_rate, settings.user_connect_burst),
            ],
            device: [
                of(settings.device_command_rate, settings.device_command_burst),
                of(settings.device_publish_rate, settings.device_publish_burst),
                None,
            ],
            people: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            swept: AtomicUsize::new(0),
            charges: AtomicUsize::new(0),
            bridge,
            metrics,
            began: Instant::now(),
        })
    }

    /// A user connects.
    pub fn connect(self: &Arc<Self>, user: &UserId) -> Result<(), Over> {
        self.take(user, &[What::Connect], self.now()).inspect_err(|over| self.count(over))
    }

    /// A connection of a user has a command. What is refused costs nothing.
    pub fn command(
        self: &Arc<Self>,
        user: &UserId,
        device: &mut Device,
        is_publish: bool,
    ) -> Result<(), Over> {
        self.command_at(user, device, is_publish, self.now())
    }

    fn command_at(
        self: &Arc<Self>,
        user: &UserId,
        device: &mut Device,
        is_publish: bool,
        now: Micros,
    ) -> Result<(), Over> {
        let all = if is_publish { PUBLISH } else { COMMAND };
        let taken = self.look(device, all, now).and_then(|()| self.take(user, all, now));
        match taken {
            Ok(()) => {
                device.spend(all);
                Ok(())
            }
            Err(mut over) => {
                let by = if over.of_user { &self.user } else { &self.device };
                over.hammering =
                    by[over.what as usize].is_some_and(|limit| device.knocks_on(limit, now));
                self.count(&over);
                Err(over)
            }
        }
    }

    /// Forgets the users of one lock who have done nothing for as long as it takes to fill their buckets. Call some times
    /// a second.
    pub fn sweep(&self) {
        let shard = self.swept.fetch_add(1, Ordering::Relaxed) % SHARDS;
        self.sweep_at(shard, self.now());
    }

    fn sweep_at(&self, shard: usize, now: Micros) {
        let mut people = self.lock(shard);
        people.retain(|_, Person(shared)| {
            !shared
                .iter()
                .zip(self.user)
                .all(|(it, limit)| limit.is_none_or(|it_is| it.is_idle(it_is, now)))
        });
        let twice = 2 * people.len();
        people.shrink_to(twice);
    }

    /// Whether the buckets of a device have what is wanted.
    fn look(&self, device: &mut Device, all: &[What], now: Micros) -> Result<(), Over> {
        for what in all {
            let Some(limit) = self.device[*what as usize] else { continue };
            if let Some(wait) = device.bucket(*what).and_then(|bucket| bucket.wait(limit, now)) {
                return Err(Over { what: *what, of_user: false, wait, hammering: false });
            }
        }
        Ok(())
    }

    /// Takes one of each from a user's buckets, or none.
    fn take(self: &Arc<Self>, user: &UserId, all: &[What], now: Micros) -> Result<(), Over> {
        if user.is_anonymous() || all.iter().all(|what| self.user[*what as usize].is_none()) {
            return Ok(());
        }
        let mut people = self.lock(self.shard_of(user));
        if !people.contains_key(user) && people.len() >= MOST_USERS {
            return Ok(());
        }
        if !people.contains_key(user) {
            people.insert(user.clone(), Person::default());
        }
        let Some(Person(shared)) = people.get_mut(user) else { return Ok(()) };
        for what in all {
            let limit = self.user[*what as usize];
            if let Some(wait) = limit.and_then(|limit| shared[*what as usize].wait(limit, now)) {
                return Err(Over { what: *what, of_user: true, wait, hammering: false });
            }
        }
        let mut told = [None; 3];
        let may_tell = self.bridge.is_some() && self.charges.load(Ordering::Relaxed) < MOST_CHARGES;
        for what in all {
            let Some(limit) = self.user[*what as usize] else { continue };
            shared[*what as usize].spend();
            if may_tell {
                told[*what as usize] = shared[*what as usize].to_tell(limit, now);
            }
        }
        drop(people);
        for what in all {
            if let Some(told) = told[*what as usize] {
                self.tell(user, *what, told);
            }
        }
        Ok(())
    }

    /// Has what was taken here charged to the bucket that all nodes share. Nobody waits for it.
    fn tell(self: &Arc<Self>, user: &UserId, what: What, told: Told) {
        let limit = self.user[what as usize];
        let (Some(bridge), Some(limit)) = (self.bridge.clone(), limit) else { return };
        let (rates, user) = (self.clone(), user.clone());
        self.charges.fetch_add(1, Ordering::Relaxed);
        actix_rt::spawn(async move {
            let mut next = Some(told);
            while let Some(told) = next {
                let heard = bridge.charge(charge(&user, what, limit, told)).await;
                next = rates.answered(&user, what, limit, heard);
            }
            rates.charges.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// What came of it, and what was taken meanwhile, if that is to be told as well.
    fn answered(
        &self,
        user: &UserId,
        what: What,
        limit: Limit,
        heard: Option<Charged>,
    ) -> Option<Told> {
        let outcome = if heard.is_some() { "answered" } else { "unanswered" };
        self.metrics.rate_limit_charges_total.of(outcome).inc();
        let mut people = self.lock(self.shard_of(user));
        let Person(shared) = people.get_mut(user)?;
        let shared = &mut shared[what as usize];
        shared.answered(heard.map(|Charged { owed, left }| Heard { owed, left }));
        // Who is not answered tells with the next portion: then it may be different.
        heard.and_then(|_| shared.to_tell(limit, self.now()))
    }

    fn count(&self, over: &Over) {
        self.metrics.rate_limited_total.of(over.limit()).inc();
    }

    fn now(&self) -> Micros {
        self.began.elapsed().as_micros() as Micros
    }

    fn shard_of(&self, user: &UserId) -> usize {
        self.hasher.hash_one(user) as usize % SHARDS
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, HashMap<UserId, Person>> {
        self.people[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn charge(user: &UserId, what: What, limit: Limit, told: Told) -> Charge {
    let Told { taken, owed, left } = told;
    let most = limit.most().saturating_mul(MOST_BURSTS);
    Charge { what: what.word(), user: user.clone(), rate: limit.rate(), most, taken, owed, left }
}
