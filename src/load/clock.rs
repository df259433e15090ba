//! One monotonic clock for the whole run, so that the time in a payload can be compared with the time of its receipt.

use std::time::{Duration, Instant};

/// Counts nanoseconds from the start of the run. Copies show the same time, on any thread.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows 0 now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the start; enough for 584 years.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// A duration as the clock counts it.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
