//! How long an entry counts. Pure, but for the clock of this machine.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Milliseconds since 1970.
pub type Millis = u64;

/// Tells the time. Entries travel between nodes with their times, so it is the wall clock's.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    let since = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Arc::new(move || millis(since()))
}

/// When something was read, and until when it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// No later than the snapshot that it was read in.
    pub read_at: Millis,
    /// Served until then and nothing done about it.
    pub fresh_until: Millis,
    /// Served until then while somebody refreshes it.
    pub stale_until: Millis,
}

impl Times {
    /// Of what was read just now. `dice`, from 0 to 1, spreads lives by 10 % to either side, so that what was loaded together
    /// does not expire together, nor go together when nobody has asked for it.
    pub fn of(life: Duration, now: Millis, dice: f64) -> Self {
        let fresh = life.as_millis() as f64 * (0.9 + 0.2 * dice.clamp(0.0, 1.0));
        let fresh_until = now + fresh as u64;
        Self { read_at: now, fresh_until, stale_until: end(life, now, fresh_until) }
    }

    /// Of what another node says that it read then. Its clock may be ahead: nothing counts longer than if it was read now.
    pub fn told(life: Duration, read_at: Millis, fresh_until: Millis, now: Millis) -> Self {
        let longest = Self::of(life, now, 1.0);
        let read_at = read_at.min(now);
        let fresh_until = fresh_until.min(longest.fresh_until);
        Self { read_at, fresh_until, stale_until: end(life, read_at, fresh_until) }
    }

    pub fn is_fresh(&self, now: Millis) -> bool {
        now < self.fresh_until
    }

    /// Whether it may still be served.
    pub fn counts(&self, now: Millis) -> bool {
        now < self.stale_until
    }

    /// How long ago it was read.
    pub fn age(&self, now: Millis) -> Duration {
        Duration::from_millis(now.saturating_sub(self.read_at))
    }
}

/// Nine tenths of a life after it stopped being fresh, and never older than twice of it.
fn end(life: Duration, read_at: Millis, fresh_until: Millis) -> Millis {
    let life = millis(life);
    fresh_until.saturating_add(life / 10 * 9).min(read_at.saturating_add(2 * life))
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_life_is_spread_by_a_tenth_and_nothing_is_served_past_twice_of_it(
            life in 1_000u64..1_000_000, now in 0u64..1 << 45, dice in -1.0f64..2.0,
        ) {
            let times = Times::of(Duration::from_millis(life), now, dice);
            let fresh = times.fresh_until - now;
            prop_assert!(fresh >= life * 9 / 10 - 1 && fresh <= life * 11 / 10 + 1, "{fresh} of {life}");
            let stale = times.stale_until - now;
            prop_assert!(stale >= life * 18 / 10 - 10 && stale <= 2 * life, "{stale} of {life}");
            prop_assert!(times.stale_until.abs_diff(times.fresh_until + life * 9 / 10) <= 10, "as spread");
            prop_assert!(times.is_fresh(now) && times.counts(now + fresh));
            prop_assert!(!times.is_fresh(now + fresh) && !times.counts(now + 2 * life));
        }

        #[test]
        fn another_nodes_clock_makes_nothing_live_longer(
            life in 1_000u64..1_000_000, now in 1u64 << 40..1 << 45, ahead in 0u64..1 << 45, more in 0u64..1 << 45,
        ) {
            let times = Times::told(Duration::from_millis(life), ahead, ahead + more, now);
            prop_assert!(times.stale_until <= now + 2 * life);
            prop_assert!(times.fresh_until <= now + life * 11 / 10 + 1);
            prop_assert!(times.read_at <= now);
        }
    }
}
