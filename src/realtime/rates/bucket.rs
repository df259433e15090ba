//! A token bucket: so many at once, and so many a second after that. Pure.
//!
//! Time is in microseconds, and what was taken and has not come back in millionths of a token: a rate of tokens a second
//! is then one of millionths a microsecond, and nothing is ever rounded. A bucket that nobody took from is full.

use std::time::Duration;

/// Microseconds since any fixed moment.
pub type Micros = u64;

/// One token, in the unit of what is owed.
pub const TOKEN: u64 = 1_000_000;

/// How much may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    rate: u64,
    burst: u64,
}

impl Limit {
    /// `rate` tokens a second and `burst` at once, at least one. None if the rate is 0: then there is no limit.
    pub fn new(rate: usize, burst: usize) -> Option<Self> {
        (rate > 0).then_some(Self { rate: rate as u64, burst: burst.max(1) as u64 })
    }

    /// Tokens a second.
    pub fn rate(self) -> u64 {
        self.rate
    }

    /// What may be owed, in millionths of a token.
    pub fn most(self) -> u64 {
        self.burst.saturating_mul(TOKEN)
    }

    /// The same rate with so many times the burst.
    pub fn times(self, n: u64) -> Self {
        Self { burst: self.burst.saturating_mul(n), ..self }
    }
}

/// What was taken lately.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Bucket {
    owed: u64,
    at: Micros,
}

impl Bucket {
    /// How long until a token is there; none: now. A clock that went back adds nothing and takes nothing away.
    pub fn wait(&mut self, limit: Limit, now: Micros) -> Option<Duration> {
        let lacking = (self.owed(limit, now) + TOKEN).saturating_sub(limit.most());
        let turn = lacking.div_ceil(limit.rate);
        (lacking > 0).then(|| Duration::from_micros(self.at.saturating_sub(now) + turn))
    }

    /// Takes a token, or says how long until one is there.
    pub fn take(&mut self, limit: Limit, now: Micros) -> Result<(), Duration> {
        match self.wait(limit, now) {
            Some(wait) => Err(wait),
            None => {
                self.add(TOKEN);
                Ok(())
            }
        }
    }

    /// What was taken and has not come back, in millionths of a token.
    pub fn owed(&mut self, limit: Limit, now: Micros) -> u64 {
        let back = now.saturating_sub(self.at).saturating_mul(limit.rate);
        self.owed = self.owed.saturating_sub(back);
        self.at = self.at.max(now);
        self.owed
    }

    /// Whether nobody has looked at it for as long as it takes to fill: then it need not be remembered.
    pub fn is_idle(&self, limit: Limit, now: Micros) -> bool {
        now.saturating_sub(self.at).saturating_mul(limit.rate) >= limit.most()
    }

    /// So much more is owed, whether it was there or not.
    pub fn add(&mut self, millionths: u64) {
        self.owed = self.owed.saturating_add(millionths);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(rate: usize, burst: usize) -> Limit {
        Limit::new(rate, burst).expect("a rate")
    }

    #[test]
    fn a_burst_is_there_at_once_and_then_what_the_rate_gives() {
        let three = limit(3, 2);
        let mut bucket = Bucket::default();
        let third = Duration::from_micros(333_334);
        assert_eq!(bucket.take(three, 5), Ok(()));
        assert_eq!(bucket.take(three, 5), Ok(()));
        assert_eq!(bucket.take(three, 5), Err(third));
        assert_eq!(bucket.take(three, 333_338), Err(Duration::from_micros(1)));
        assert_eq!(bucket.take(three, 333_339), Ok(()));
        // What a third of a second gives too much is not lost.
        assert_eq!(bucket.take(three, 666_671), Err(Duration::from_micros(1)));
        assert_eq!(bucket.take(three, 666_672), Ok(()));
        assert_eq!(bucket.take(three, 1_000_004), Err(Duration::from_micros(1)));
        assert_eq!(bucket.take(three, 1_000_005), Ok(()));
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_what_can_be_set() {
        let vast = limit(1_000_000_000, 1_000_000_000);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(vast.times(10), 0), Ok(()));
        assert_eq!(bucket.take(vast, u64::MAX), Ok(()));
        bucket.add(u64::MAX - 2 * TOKEN);
        assert!(bucket.take(vast, u64::MAX).is_err());
        assert_eq!(Limit::new(0, 5), None);
    }

    /// One microsecond after the other, in whole tokens and parts of them: slow and obvious.
    struct Model {
        level: u128,
        clock: Micros,
    }

    impl Model {
        fn take(&mut self, limit: Limit, now: Micros) -> bool {
            let full = u128::from(limit.most());
            while self.clock < now {
                self.clock += 1;
                self.level = (self.level + u128::from(limit.rate)).min(full);
            }
            let there = self.level >= u128::from(TOKEN);
            self.level -= if there { u128::from(TOKEN) } else { 0 };
            there
        }
    }

    proptest! {
        #[test]
        fn it_gives_what_the_slow_one_gives(
            rate in 1..2_000_000usize,
            burst in 1..5usize,
            steps in prop::collection::vec(-300..3_000i64, 1..60),
        ) {
            let limit = limit(rate, burst);
            let mut bucket = Bucket::default();
            let mut model = Model { level: limit.most().into(), clock: 0 };
            let mut now: Micros = 10_000;
            for step in steps {
                now = now.saturating_add_signed(step);
                let taken = bucket.take(limit, now);
                prop_assert_eq!(taken.is_ok(), model.take(limit, now));
                // The time it gives is the very first moment.
                if let Err(wait) = taken {
                    let then = now + wait.as_micros() as u64;
                    let mut copy = bucket;
                    prop_assert!(copy.take(limit, then - 1).is_err());
                    let mut copy = bucket;
                    prop_assert!(copy.take(limit, then).is_ok());
                }
            }
        }
    }
}
