//! When the provider is asked again: each half minute, later and later while it does not answer. Pure.

use std::time::Duration;

use super::quotes::NoQuotes;

/// However long it has been away: then it is asked again.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// So many failures in a row, and one call is enough to find out whether it is back.
const OPENS: u32 = 3;

/// How it went lately.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Pace {
    failures: u32,
}

impl Pace {
    /// Whether to ask for all, or for a first part of it, until that has been answered.
    pub fn is_open(self) -> bool {
        self.failures >= OPENS
    }

    /// It answered.
    pub fn answered(&mut self) {
        self.failures = 0;
    }

    /// It did not: how long to wait, of an `interval` that would have been. `dice` is from 0 to 1, so that nodes that
    /// failed together do not come back together.
    pub fn failed(&mut self, why: &NoQuotes, interval: Duration, dice: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = interval.saturating_mul(1 << (self.failures - 1).min(16));
        let named = match why {
            NoQuotes::Busy(Some(named)) => *named,
            // A wrong key does not become right by itself.
            NoQuotes::Refused(_) => LONGEST,
            NoQuotes::Busy(None) | NoQuotes::Rejected(_) | NoQuotes::Unavailable(_) => {
                Duration::ZERO
            }
        };
        let wait = doubled.max(named).min(LONGEST);
        wait + wait.mul_f64(dice.clamp(0.0, 1.0) / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn who_does_not_answer_is_asked_later_and_later_and_at_once_when_it_does() {
        let mut pace = Pace::default();
        let away = NoQuotes::Unavailable("away".into());
        let waits: Vec<u64> = (0..7).map(|_| pace.failed(&away, INTERVAL, 0.0).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600]);
        assert!(pace.is_open());
        pace.answered();
        assert!(!pace.is_open());
        assert_eq!(pace.failed(&away, INTERVAL, 0.5).as_millis(), 31_500);
    }

    #[test]
    fn the_time_that_it_names_is_waited_within_reason() {
        let busy = |secs| NoQuotes::Busy(Some(Duration::from_secs(secs)));
        assert_eq!(Pace::default().failed(&busy(45), INTERVAL, 0.0).as_secs(), 45);
        assert_eq!(Pace::default().failed(&busy(1), INTERVAL, 0.0).as_secs(), 30);
        assert_eq!(Pace::default().failed(&busy(86_400), INTERVAL, 0.0).as_secs(), 600);
        let refused = NoQuotes::Refused("wrong key".into());
        assert_eq!(Pace::default().failed(&refused, INTERVAL, 0.0).as_secs(), 600);
    }
}
