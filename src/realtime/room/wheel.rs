//! Deadlines of one worker thread, in turns of 100 ms, on a clock that waits while the worker is behind. Pure.
//!
//! The clock advances by at most two turns a tick. After the process was stopped, or while its loop is
//! slow, deadlines do not fall due all at once: they count from when the worker reads its sockets again.

use std::{collections::BTreeMap, time::Duration};

use crate::platform::mutant::mutant;

/// How fine the wheel is. No deadline of ours means less than this.
pub const TURN: Duration = Duration::from_millis(100);

/// Time on a worker's own clock, since its start.
pub type WorkerTime = Duration;

/// Who wants to be woken when.
#[derive(Debug)]
pub struct Wheel<K> {
    now: WorkerTime,
    last_tick: Duration,
    due: BTreeMap<u64, Vec<K>>,
}

impl<K> Wheel<K> {
    /// Starts at `real`, the time since any fixed moment.
    pub fn new(real: Duration) -> Self {
        Self { now: Duration::ZERO, last_tick: real, due: BTreeMap::new() }
    }

    /// The worker's time.
    pub fn now(&self) -> WorkerTime {
        self.now
    }

    /// Files `key` to come up at `at` or up to a turn later. May be filed many times.
    pub fn wake(&mut self, key: K, at: WorkerTime) {
        let turn = (at.as_nanos().div_ceil(TURN.as_nanos()) as u64).max(self.turn() + 1);
        self.due.entry(turn).or_default().push(key);
    }

    /// A tick at `real`: advances the clock and hands out what is due. Says how late the tick was, too.
    pub fn tick(&mut self, real: Duration) -> (Vec<K>, Duration) {
        let passed = real.saturating_sub(self.last_tick);
        self.last_tick = real;
        let most = if mutant!(DeadlinesByTheWall) { passed } else { TURN * 2 };
        self.now += passed.min(most);
        let mut come_up = Vec::new();
        let turn = self.turn();
        while let Some(first) = self.due.first_entry()
            && *first.key() <= turn
        {
            come_up.extend(first.remove());
        }
        (come_up, passed.saturating_sub(TURN))
    }

    fn turn(&self) -> u64 {
        (self.now.as_nanos() / TURN.as_nanos()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_deadline_comes_up_once_and_not_early() {
        let mut wheel = Wheel::new(ms(5000));
        wheel.wake("a", ms(250));
        for tick in 1..=2 {
            assert_eq!(wheel.tick(ms(5000 + tick * 100)).0, Vec::<&str>::new());
        }
        assert_eq!(wheel.tick(ms(5300)).0, ["a"]);
        assert_eq!(wheel.tick(ms(9000)).0, Vec::<&str>::new());
    }

    #[test]
    fn a_worker_that_was_stopped_closes_nobody_for_it() {
        let mut wheel = Wheel::new(ms(0));
        wheel.wake("pong", ms(8000));
        let (due, late) = wheel.tick(ms(12_000));
        assert_eq!(due, Vec::<&str>::new());
        assert_eq!(late, ms(11_900));
        let mut real = 12_000;
        while wheel.tick(ms(real)).0.is_empty() {
            real += 100;
        }
        assert!(real >= 19_000, "it had its whole time after the worker was back: {real}");
    }

    crate::platform::mutant::caught! {
        deadlines_by_the_wall_are_caught: DeadlinesByTheWall by a_worker_that_was_stopped_closes_nobody_for_it;
    }
}
