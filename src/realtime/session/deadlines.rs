//! When something has to have happened on a connection. Pure: times are the worker's.

use std::time::Duration;

use crate::realtime::room::wheel::WorkerTime;

/// What fell due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fell {
    /// No `connect` came.
    Stale,
    /// Time to ping.
    Ping,
    /// The pong did not come.
    NoPong,
    /// The token was not refreshed.
    Expired,
    /// The token of a subscription was not refreshed.
    SubscriptionExpired,
    /// The command under way was not answered.
    Command,
    /// Time to look again whether a recovery may begin.
    LookAgain,
}

const KINDS: usize = 7;

/// The deadlines of one connection.
#[derive(Default, Debug)]
pub struct Deadlines {
    at: [Option<WorkerTime>; KINDS],
    /// The earliest time that was filed with the wheel and has not come up.
    filed: Option<WorkerTime>,
}

impl Deadlines {
    /// Sets one, or moves it.
    pub fn set(&mut self, kind: Fell, at: WorkerTime) {
        self.at[kind as usize] = Some(at);
    }

    /// It has happened.
    pub fn clear(&mut self, kind: Fell) {
        self.at[kind as usize] = None;
    }

    /// Takes one that is due at `now`. Call until none is left.
    pub fn fell(&mut self, now: WorkerTime) -> Option<Fell> {
        if self.filed.is_some_and(|filed| filed <= now) {
            self.filed = None;
        }
        use Fell::*;
        [Stale, NoPong, Expired, SubscriptionExpired, Command, LookAgain, Ping]
            .into_iter()
            .find(|kind| self.at[*kind as usize].is_some_and(|at| at <= now))
            .inspect(|kind| self.at[*kind as usize] = None)
    }

    /// When to be woken next, if that is earlier than what was filed before.
    pub fn next_to_file(&mut self) -> Option<WorkerTime> {
        let earliest = self.at.iter().flatten().min().copied()?;
        if self.filed.is_some_and(|filed| filed <= earliest) {
            return None;
        }
        self.filed = Some(earliest);
        Some(earliest)
    }
}

/// The first ping comes at a random moment in the second half of the interval, so that connections that
/// came together are not pinged together. `chance` in 0..1.
pub fn first_ping(interval: Duration, chance: f64) -> Duration {
    interval.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn each_falls_due_once_and_the_wheel_is_asked_only_for_what_is_earlier() {
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.next_to_file(), None);
        deadlines.set(Fell::Ping, s(20));
        assert_eq!(deadlines.next_to_file(), Some(s(20)));
        deadlines.set(Fell::Expired, s(60));
        assert_eq!(deadlines.next_to_file(), None);
        deadlines.set(Fell::Command, s(4));
        assert_eq!(deadlines.next_to_file(), Some(s(4)));
        deadlines.clear(Fell::Command);
        assert_eq!(deadlines.fell(s(4)), None);
        assert_eq!(deadlines.next_to_file(), Some(s(20)));
        assert_eq!(deadlines.fell(s(21)), Some(Fell::Ping));
        assert_eq!(deadlines.fell(s(21)), None);
        assert_eq!(deadlines.next_to_file(), Some(s(60)));
    }

    #[test]
    fn a_close_comes_before_a_ping_that_is_due_with_it() {
        let mut deadlines = Deadlines::default();
        deadlines.set(Fell::Ping, s(1));
        deadlines.set(Fell::NoPong, s(1));
        assert_eq!(deadlines.fell(s(1)), Some(Fell::NoPong));
        assert_eq!(deadlines.fell(s(1)), Some(Fell::Ping));
    }
}
