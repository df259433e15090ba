//! Answers as they were sent, in memory: a page that nothing has changed is written once.

use bytes::Bytes;
use moka::sync::Cache;

use super::Millis;
use crate::ids::UserId;

/// What a page takes beside its bytes.
const BESIDE: usize = 256;

/// An answer and what it was made of.
#[derive(Clone, Debug)]
pub struct Page<S> {
    /// What it shows: a page of another state is of no use.
    pub state: S,
    /// Past it something about it changes by time alone.
    pub until: Millis,
    /// Names its bytes, as HTTP has it.
    pub tag: Bytes,
    pub bytes: Bytes,
}

/// Whose page it is, and at which address.
type Key = (UserId, Box<str>);

/// Pages by owner and address, bounded in bytes. Off if it may hold nothing.
pub struct Pages<S: Clone + Send + Sync + 'static>(Option<Cache<Key, Page<S>>>);

impl<S: Clone + PartialEq + Send + Sync + 'static> Pages<S> {
    /// May hold so many bytes.
    pub fn new(bytes: usize) -> Self {
        let weight = |(owner, address): &Key, page: &Page<S>| {
            let bytes = BESIDE + owner.as_str().len() + address.len() + page.bytes.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = || Cache::builder().weigher(weight).max_capacity(bytes as u64).build();
        Self((bytes > 0).then(cache))
    }

    /// The page at this address, if it shows this state and still holds.
    pub fn get(&self, owner: &UserId, address: &str, state: &S, now: Millis) -> Option<Page<S>> {
        let key: Key = (owner.clone(), address.into());
        let page = self.0.as_ref()?.get(&key)?;
        (page.state == *state && now < page.until).then_some(page)
    }

    /// Keeps it in the place of what was there. How many bytes are kept then.
    pub fn put(&self, owner: &UserId, address: &str, page: Page<S>) -> u64 {
        let Some(cache) = &self.0 else { return 0 };
        cache.insert((owner.clone(), address.into()), page);
        cache.weighted_size()
    }

    /// Does now what is otherwise done by and by.
    #[cfg(test)]
    pub(super) fn settle(&self) -> u64 {
        let Some(cache) = &self.0 else { return 0 };
        cache.run_pending_tasks();
        cache.weighted_size()
    }
}
