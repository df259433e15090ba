//! Levels between a question and the database: this node's memory, then Redis, then whoever loads.
//!
//! What is kept belongs to an owner, is one of a few [`Part`]s, and is filed under the [`Version`] that its loader read
//! together with it, never under the one that was asked for. A level that is off, away, slow or empty costs time and
//! nothing else: what is asked for by its version is right wherever it is found.
//!
//! - **One loader a key at a time.** Who asks for what is being loaded waits for that ([`Cache::get`]); between nodes a
//!   short lease in Redis does the same, as well as it can.
//! - **An expired entry is served while one loader refreshes it**, never older than twice its life. Its times are those of
//!   the node that loaded it: levels don't add.
//! - **Everything has a bound**: levels in bytes, questions to Redis in milliseconds, loads in seconds.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

mod flights;
mod gather;
mod levels;
mod memory;
mod pages;
mod redis_level;
#[cfg(test)]
mod tests;
mod times;

pub use gather::Gather;
pub use levels::{Cache, Options};
pub use pages::{Page, Pages};
pub use redis_level::{Shared, SharedOptions};
pub use times::{Clock, Millis, Times, system_clock};

/// What an owner has: a name and how long it is fresh, before jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    pub name: &'static str,
    pub life: Duration,
}

/// Which state of the owner's data it is. Rises, unless the database was set back; two that are equal name the same data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Version {
    /// Of all that is the owner's.
    pub generation: i64,
    /// Of what is computed from it and may change without it; 0 for parts that nothing is computed for.
    pub computed: i64,
}

/// A part that is asked for, in this state, or in a later one if it is loaded now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    pub part: Part,
    pub version: Version,
}

impl Asked {
    /// Whether this is what was asked for, in that very state.
    fn is<V>(&self, entry: &Entry<V>) -> bool {
        (self.part.name, self.version) == (entry.part, entry.version)
    }
}

/// A part as its loader read it.
#[derive(Clone, Debug)]
pub struct Loaded<V> {
    pub part: Part,
    /// Read in the same snapshot as `value`.
    pub version: Version,
    pub value: V,
}

/// A part as the cache has it.
#[derive(Debug)]
pub struct Entry<V> {
    pub part: &'static str,
    pub version: Version,
    pub times: Times,
    pub value: Arc<V>,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<V> Entry<V> {
    /// As it was loaded just now, to be used once and not kept.
    pub fn loaded(Loaded { part, version, value }: Loaded<V>, now: Millis) -> Self {
        let times = Times { read_at: now, fresh_until: now, stale_until: now };
        Self { part: part.name, version, times, value: Arc::new(value) }
    }
}

/// What can be kept.
pub trait Value: Sized + Send + Sync + 'static {
    /// Raised with each change of what [`encode`](Self::encode) writes: versions of the program that run side by side keep
    /// their values in Redis beside each other.
    const FORMAT: u32;

    /// For Redis. None: it is not kept there.
    fn encode(&self) -> Option<Vec<u8>>;

    /// None: it is none of this format, and is loaded anew.
    fn decode(part: &str, bytes: &[u8]) -> Option<Self>;

    /// About how many bytes of memory it takes.
    fn weight(&self) -> usize;
}

/// Reads what is asked for of one owner's data from one snapshot: each part in the state that is asked for or in a later
/// one. Called on the cache's own thread; must not block.
pub type Load<V, E> =
    Arc<dyn Fn(Vec<Asked>) -> BoxFuture<'static, Result<Vec<Loaded<V>>, E>> + Send + Sync>;

/// Nobody came back with an answer: a loader fell or took too long, or too many wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost(pub &'static str);
