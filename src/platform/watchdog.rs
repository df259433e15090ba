//! Aborts the process when one of its worker threads no longer turns: dead is better than deaf.
//!
//! A worker that hangs keeps its sockets open and its clients waiting; when the process is gone they
//! connect elsewhere, and whoever supervises the process starts it again.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A worker may hang for so long.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often the watchdog looks.
const ROUND: Duration = Duration::from_secs(1);

/// What each worker raises some times a second.
pub type Pulse = Arc<AtomicU64>;

/// Says that the worker turns.
pub fn beat(pulse: &Pulse) {
    pulse.fetch_add(1, Ordering::Relaxed);
}

/// Watches on a thread of its own for as long as the process lives.
pub fn watch(pulses: Vec<Pulse>) -> io::Result<()> {
    let watcher = thread::Builder::new().name("watchdog".into());
    watcher.spawn(move || {
        let mut rounds = Rounds::new(pulses.len());
        loop {
            let before = Instant::now();
            thread::sleep(ROUND);
            let beats: Vec<u64> = pulses.iter().map(|p| p.load(Ordering::Relaxed)).collect();
            if let Some(worker) = rounds.look(&beats, before.elapsed()) {
                log::error!("worker {worker} has not turned for {PATIENCE:?}; the process aborts");
                std::process::abort();
            }
        }
    })?;
    Ok(())
}

/// What the watchdog saw. Pure.
struct Rounds {
    last: Vec<u64>,
    still_for: Vec<Duration>,
}

impl Rounds {
    fn new(workers: usize) -> Self {
        Self { last: vec![0; workers], still_for: vec![Duration::ZERO; workers] }
    }

    /// The worker that has hung for too long, if one has. `passed` since the last look.
    fn look(&mut self, beats: &[u64], passed: Duration) -> Option<usize> {
        // The watchdog itself was stopped: the whole process was.
        let passed = passed.min(ROUND * 2);
        for (worker, beat) in beats.iter().enumerate() {
            if *beat == self.last[worker] {
                self.still_for[worker] += passed;
            } else {
                self.still_for[worker] = Duration::ZERO;
                self.last[worker] = *beat;
            }
        }
        self.still_for.iter().position(|still| *still >= PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_hangs_is_found_and_one_that_turns_is_not() {
        let mut rounds = Rounds::new(2);
        let found = (1..=20).find_map(|n| rounds.look(&[n, 7], ROUND).map(|w| (n, w)));
        assert_eq!(found, Some((16, 1)));
    }

    #[test]
    fn a_process_that_was_stopped_for_long_is_not_aborted_for_it() {
        let mut rounds = Rounds::new(1);
        assert_eq!(rounds.look(&[1], ROUND), None);
        assert_eq!(rounds.look(&[1], Duration::from_secs(3600)), None);
        assert_eq!(rounds.look(&[2], ROUND), None);
    }
}
