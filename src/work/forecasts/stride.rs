//! How many people's forecasts are computed in one step: so many that a step is short, whatever they own.
//!
//! A step holds a reader of the database and then its writer, on SQLite the one that publications wait for, too. People own
//! little or much, disks are quick or slow: the stride follows from how long the last steps took.

use std::time::Duration;

/// How long a step may take.
const STEP: Duration = Duration::from_millis(10);

/// People of the first step.
const FIRST: usize = 8;

/// People of a step, at most: more would not make its commit cheaper for each.
const MOST: usize = 50;

/// People of the next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stride(usize);

impl Default for Stride {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Stride {
    pub fn people(self) -> usize {
        self.0
    }

    /// A step with so many people took so long.
    pub fn took(&mut self, people: usize, time: Duration) {
        if time > STEP {
            self.0 = (self.0 / 2).max(1);
        } else if people >= self.0 && time < STEP / 2 {
            self.0 = (self.0 * 2).min(MOST);
        }
    }

    /// A step with so many people did not come to its end: it may have been too long, or one of them is the reason.
    pub fn failed(&mut self, people: usize) {
        self.0 = (people / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(2);

    #[test]
    fn steps_grow_while_they_are_quick_and_shrink_when_they_are_not() {
        let mut stride = Stride::default();
        for _ in 0..9 {
            stride.took(stride.people(), QUICK);
        }
        assert_eq!(stride.people(), MOST);
        stride.took(MOST, STEP * 2);
        assert_eq!(stride.people(), MOST / 2);
        stride.took(MOST / 2, STEP);
        assert_eq!(stride.people(), MOST / 2, "neither");
        for _ in 0..9 {
            stride.took(stride.people(), STEP * 2);
        }
        assert_eq!(stride.people(), 1, "somebody who owns much is alone in it");
    }

    #[test]
    fn a_step_that_failed_is_tried_with_half_of_its_people() {
        let mut stride = Stride::default();
        for (failed, next) in [(5, 2), (2, 1), (1, 1)] {
            stride.failed(failed);
            assert_eq!(stride.people(), next);
        }
    }

    #[test]
    fn a_step_with_few_people_says_nothing_about_many() {
        let mut stride = Stride::default();
        stride.took(1, QUICK);
        assert_eq!(stride.people(), FIRST);
    }
}
