//! The last publications of a room, so that members who come back need not ask the journal. Pure.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::broadcast::Broadcast;
use crate::{ids::Channel, protocol::Position, realtime::journal::Page};

#[cfg(test)]
mod tests;

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

    /// Takes over a page that reaches to where the room stands, if it goes further back than the ring.
    pub fn warm(&mut self, at: &Position, page: &Page, channel: &Channel) {
        let reaches = page.epoch == at.epoch
            && page.publications.last().is_some_and(|p| p.offset == at.offset);
        let oldest = self.recent.front().map_or(u64::MAX, |b| b.publication.offset);
        if !reaches || page.publications.first().is_none_or(|p| p.offset >= oldest) {
            return;
        }
        self.clear();
        let now = Instant::now();
        let mut previous = None;
        for publication in &page.publications {
            let (channel, said) = (channel.clone(), publication.clone());
            self.push(Arc::new(Broadcast::new(channel, said, &at.epoch, previous, now)));
            previous = Some(publication);
        }
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
