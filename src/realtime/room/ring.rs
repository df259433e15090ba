//! The last publications of a room, so that members who come back need not ask the journal. Pure.

use std::{collections::VecDeque, sync::Arc};

use super::broadcast::Broadcast;

/// A run of publications without gap, bounded in bytes; the oldest go first.
#[derive(Debug)]
pub struct Ring {
    recent: VecDeque<Arc<Broadcast>>,
    bytes: usize,
    most_bytes: usize,
}

impl Ring {
    /// An empty one that will keep at most so many bytes.
    pub fn new(most_bytes: usize) -> Self {
        Self { recent: VecDeque::new(), bytes: 0, most_bytes }
    }

    /// Adds the newest. One that does not follow the last drops what was there.
    pub fn push(&mut self, broadcast: Arc<Broadcast>) {
        let follows = self.newest().is_none_or(|last| last + 1 == broadcast.publication.offset);
        if !follows {
            self.clear();
        }
        self.bytes += broadcast.size();
        self.recent.push_back(broadcast);
        while self.bytes > self.most_bytes
            && let Some(oldest) = self.recent.pop_front()
        {
            self.bytes -= oldest.size();
        }
    }

    /// What follows `offset` up to the newest, if all of it is here.
    pub fn after(&self, offset: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Broadcast>>> {
        let oldest = self.recent.front()?.publication.offset;
        let skip = (offset + 1).checked_sub(oldest)?;
        Some(self.recent.iter().skip(skip as usize))
    }

    /// The newest of all.
    pub fn last(&self) -> Option<&Arc<Broadcast>> {
        self.recent.back()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.recent = VecDeque::new();
        self.bytes = 0;
    }

    fn newest(&self) -> Option<u64> {
        self.recent.back().map(|b| b.publication.offset)
    }
}
