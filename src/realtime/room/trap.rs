//! Lets a room fall at a chosen moment, in tests.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::Publication;

/// Panics once, when the publication with that offset is handed to the hubs.
#[derive(Debug, Default)]
pub struct Trap(AtomicU64);

impl Trap {
    /// Offset 0 is in no history: it springs for none.
    pub fn set(&self, offset: u64) {
        self.0.store(offset, Ordering::SeqCst);
    }

    pub fn step_on(&self, publication: &Publication) {
        let set = publication.offset > 0
            && self
                .0
                .compare_exchange(publication.offset, 0, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
        assert!(!set, "a test lets the room fall in mid-delivery");
    }
}
