//! The level in this node's memory: the last state of each part that it has seen, bounded in bytes.

use moka::sync::Cache;

use super::{Asked, Entry, Value};
use crate::ids::UserId;

/// What an entry takes beside its value: its key, its times, its place in the table.
const BESIDE: usize = 256;

type Key = (UserId, &'static str);

/// Off if it may hold nothing.
pub(super) struct Memory<V>(Option<Cache<Key, Entry<V>>>);

impl<V: Value> Memory<V> {
    /// May hold so many bytes.
    pub fn new(bytes: usize) -> Self {
        let weight = |key: &Key, entry: &Entry<V>| {
            let bytes = BESIDE + key.0.as_str().len() + entry.value.weight();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = || Cache::builder().weigher(weight).max_capacity(bytes as u64).build();
        Self((bytes > 0).then(cache))
    }

    /// The last that was kept, however old.
    pub fn last(&self, owner: &UserId, part: &'static str) -> Option<Entry<V>> {
        self.0.as_ref()?.get(&(owner.clone(), part))
    }

    /// In the state that is asked for. A later one is none that counts: where a database was set back, it never was.
    pub fn get(&self, owner: &UserId, asked: &Asked) -> Option<Entry<V>> {
        self.last(owner, asked.part.name).filter(|entry| entry.version == asked.version)
    }

    /// Keeps it, unless a later state is there that was read since. How many bytes are kept then.
    pub fn put(&self, owner: &UserId, entry: Entry<V>) -> u64 {
        let Some(cache) = &self.0 else { return 0 };
        let newer = |old: &Entry<V>| {
            let (is_later, is_same) = (old.version > entry.version, old.version == entry.version);
            let was_since = old.times.read_at >= entry.times.read_at;
            was_since && (is_later || is_same && old.times.read_at > entry.times.read_at)
        };
        if !self.last(owner, entry.part).is_some_and(|old| newer(&old)) {
            cache.insert((owner.clone(), entry.part), entry);
        }
        cache.weighted_size()
    }

    /// Does now what is otherwise done by and by.
    #[cfg(test)]
    pub fn settle(&self) -> u64 {
        let Some(cache) = &self.0 else { return 0 };
        cache.run_pending_tasks();
        cache.weighted_size()
    }
}
