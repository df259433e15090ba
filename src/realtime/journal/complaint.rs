//! One line a second for failures that come by the hundred: on a full disk every batch fails.

use std::time::{Duration, Instant};

/// Failures are logged as often, at most.
const PAUSE: Duration = Duration::from_secs(1);

/// What a store has complained of.
#[derive(Default)]
pub(super) struct Complaint {
    said_at: Option<Instant>,
    /// Since the start.
    failures: u64,
}

impl Complaint {
    /// Counts a failure, and logs it unless one was logged just now.
    pub fn say(&mut self, why: &str) {
        self.failures += 1;
        if self.said_at.is_none_or(|at| at.elapsed() >= PAUSE) {
            log::warn!("{why} (batches that failed so far: {})", self.failures);
            self.said_at = Some(Instant::now());
        }
    }
}
