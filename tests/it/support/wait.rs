//! Waiting for what should happen, with a deadline that says what did not.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take that has no time of its own.
pub const DEADLINE: Duration = Duration::from_secs(10);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Looks again and again until `check` gives something. For state that nobody announces.
#[track_caller]
pub fn until<T>(what: &str, within: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "within {within:?} it was not so that {what}");
        sleep(LOOK_AGAIN);
    }
}
