//! What a journal in memory keeps of one channel.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    protocol::{Epoch, Publication},
    realtime::journal::{
        Retention,
        numbering::{self, Head},
    },
};

/// A stream, bounded by its retention.
pub(super) struct Stream {
    pub life: u64,
    pub epoch: Epoch,
    pub head: Head,
    /// (when, what), contiguous up to the top.
    pub kept: VecDeque<(u64, Arc<Publication>)>,
    pub published_at: u64,
}

impl Stream {
    /// A channel begins.
    pub fn new(epoch: Epoch, life: u64) -> Self {
        Self { life, epoch, head: Head::default(), kept: VecDeque::new(), published_at: 0 }
    }

    /// Takes a publication at its top.
    pub fn push(&mut self, offset: u64, publication: &Publication, now: u64) {
        // Times never fall within a channel, or retention by age would tear holes into it.
        self.published_at = self.published_at.max(now);
        let publication = Publication { offset, ..publication.clone() };
        self.kept.push_back((self.published_at, Arc::new(publication)));
    }

    /// Greatest offset that is no longer shown.
    pub fn floor(&self, retention: &Retention, now: u64) -> u64 {
        let cutoff = numbering::cutoff_by_age(now, retention);
        let gone = self.head.top - self.kept.len() as u64;
        let old = self.kept.partition_point(|(at, _)| *at <= cutoff) as u64;
        numbering::floor_by_size(self.head.top, retention).max(gone + old)
    }

    /// Where the publication of an offset that is kept stands in `kept`.
    pub fn index(&self, offset: u64) -> usize {
        (offset + self.kept.len() as u64 - self.head.top - 1) as usize
    }

    /// Drops what is past retention; says how much.
    pub fn expire(&mut self, retention: &Retention, now: u64) -> u64 {
        let gone = self.head.top - self.kept.len() as u64;
        let past = self.floor(retention, now) - gone;
        self.kept.drain(..past as usize);
        if self.kept.is_empty() || self.kept.capacity() > 4 * self.kept.len() {
            self.kept.shrink_to_fit();
        }
        past
    }
}
