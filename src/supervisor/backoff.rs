//! How long a fallen actor rests before it goes on, and when it is given up. Pure.

use std::time::Duration;

/// Falls that are this far apart have nothing to do with each other.
pub const FORGIVEN_AFTER: Duration = Duration::from_secs(30);

/// The first rest; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(10);

/// Falls in a row that are survived. Rests double up to 10 ms * 2^9, so the last is reached after about 10 s.
const MOST_IN_A_ROW: u32 = 11;

/// What to do after a fall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go on at once or after a rest.
    RestartAfter(Duration),
    /// It falls again and again.
    GiveUp,
}

/// Remembers the falls of one actor.
#[derive(Default, Debug)]
pub struct Backoff {
    in_a_row: u32,
    last: Option<Duration>,
}

impl Backoff {
    /// A fall at `now` (time since any fixed moment). The first of a row costs no rest.
    pub fn fell(&mut self, now: Duration) -> Verdict {
        if self.last.is_some_and(|last| now.saturating_sub(last) >= FORGIVEN_AFTER) {
            self.in_a_row = 0;
        }
        self.last = Some(now);
        self.in_a_row += 1;
        match self.in_a_row {
            1 => Verdict::RestartAfter(Duration::ZERO),
            n if n <= MOST_IN_A_ROW => Verdict::RestartAfter(FIRST_REST * 2u32.pow(n - 2)),
            _ => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_end_in_giving_up() {
        let mut backoff = Backoff::default();
        let now = Duration::from_secs(1);
        assert_eq!(backoff.fell(now), Verdict::RestartAfter(Duration::ZERO));
        assert_eq!(backoff.fell(now), Verdict::RestartAfter(FIRST_REST));
        assert_eq!(backoff.fell(now), Verdict::RestartAfter(FIRST_REST * 2));
        for _ in 3..MOST_IN_A_ROW {
            assert!(matches!(backoff.fell(now), Verdict::RestartAfter(_)));
        }
        assert_eq!(backoff.fell(now), Verdict::GiveUp);
    }

    #[test]
    fn falls_far_apart_are_forgiven() {
        let mut backoff = Backoff::default();
        for day in 0..100 {
            let now = FORGIVEN_AFTER * day;
            assert_eq!(backoff.fell(now), Verdict::RestartAfter(Duration::ZERO));
        }
    }
}
