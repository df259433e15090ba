//! What people do while parts die: each kind of work is a file. W1 to W8 of `docs/CHECKER.md`.
//!
//! Each is moved on by the one thread that moves the clients, and keeps to its pace: what could not be said is not said
//! later.

mod away;
mod busy;
mod flappers;
mod frozen;
mod hoppers;
mod last_words;
mod personal;
mod retriers;

use super::{
    crowd::{Crowd, Door, Newcomer},
    dice::Dice,
    record::{Nanos, Outcome, SECOND},
};
use crate::load::Failure;
use last_words::LastWords;

/// How much of everything there is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    /// Publishes a second into busy channels.
    pub rate: f64,
    /// Channels for last words.
    pub last_words: u32,
    /// Shortest and longest absence.
    pub away: (Nanos, Nanos),
}

impl Scale {
    /// For a run of so many seconds.
    pub fn of(seconds: u64, rate: Option<f64>) -> Self {
        match seconds {
            ..180 => Self {
                rate: rate.unwrap_or(150.0),
                last_words: 600,
                away: (5 * SECOND, 12 * SECOND),
            },
            _ => Self {
                rate: rate.unwrap_or(320.0),
                last_words: 3_000,
                away: (10 * SECOND, 60 * SECOND),
            },
        }
    }
}

/// Some of the work.
trait Work {
    /// Does what is due.
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure>;

    /// A publish of some client was answered.
    fn answered(&mut self, _message: u32, _outcome: Outcome, _now: Nanos) {}
}

/// All of the work.
pub struct All {
    last_words: LastWords,
    others: Vec<Box<dyn Work>>,
}

impl All {
    /// Brings everybody in.
    pub fn begin(crowd: &mut Crowd, scale: Scale, dice: &mut Dice) -> Self {
        let mut hiring = Hiring { users: 0 };
        let busy = busy::Busy::begin(crowd, &mut hiring, scale.rate);
        let hoppers = hoppers::Hoppers::begin(crowd, &mut hiring, &busy.channels, dice);
        let last_words = LastWords::begin(crowd, &mut hiring, scale.last_words, dice);
        let others: Vec<Box<dyn Work>> = vec![
            Box::new(busy),
            Box::new(hoppers),
            Box::new(personal::Personal::begin(crowd, &mut hiring)),
            Box::new(flappers::Flappers::begin(crowd, &mut hiring)),
            Box::new(away::Away::begin(crowd, &mut hiring, scale.away, dice)),
            Box::new(retriers::Retriers::begin(crowd, &mut hiring)),
            Box::new(frozen::Frozen::begin(crowd, &mut hiring)),
        ];
        Self { last_words, others }
    }

    /// Does what is due.
    pub fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for (_, message, outcome) in crowd.take_outcomes() {
            for work in &mut self.others {
                work.answered(message, outcome, now);
            }
        }
        self.last_words.step(now, crowd)?;
        self.others.iter_mut().try_for_each(|work| work.step(now, crowd))
    }

    /// Says last words, as many as clients have breath for.
    pub fn last_words(&mut self, now: Nanos, crowd: &mut Crowd) {
        self.last_words.burst(now, crowd);
    }
}

/// Draws users.
struct Hiring {
    users: u32,
}

impl Hiring {
    fn user(&mut self) -> u32 {
        self.users += 1;
        self.users
    }

    /// A client of a new user.
    fn client(&mut self, crowd: &mut Crowd, role: &'static str, home: Door) -> usize {
        let user = self.user();
        crowd.add(Newcomer { role, user, home, personal: None, slow: false })
    }

    /// A client for each of so many, at the nodes in turn.
    fn spread(&mut self, crowd: &mut Crowd, role: &'static str, count: usize) -> Vec<usize> {
        let nodes = usize::from(crowd.nodes());
        let door = |n: usize| Door::Node((n % nodes) as u8);
        (0..count).map(|n| self.client(crowd, role, door(n))).collect()
    }
}

/// When something is to be done again.
#[derive(Clone, Copy, Debug)]
struct Pace {
    next: Nanos,
    every: Nanos,
}

impl Pace {
    fn per_second(rate: f64) -> Self {
        Self { next: 0, every: (SECOND as f64 / rate.max(0.001)) as Nanos }
    }

    /// How often it is due by now. What was not done in the last tenth of a second is left out.
    fn due(&mut self, now: Nanos) -> usize {
        self.next = self.next.max(now.saturating_sub(SECOND / 10));
        let mut times = 0;
        while self.next <= now {
            self.next += self.every.max(1);
            times += 1;
        }
        times
    }
}

/// Bytes of an ordinary message.
const SMALL: u32 = 200;
/// Bytes of a large one.
const LARGE: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_and_what_was_missed_is_not_made_up_for() {
        let mut pace = Pace::per_second(100.0);
        assert_eq!(pace.due(0), 1);
        assert_eq!(pace.due(SECOND / 100), 1);
        assert_eq!(pace.due(SECOND / 20), 4);
        assert_eq!(pace.due(10 * SECOND), 11);
    }
}
