//! Prices without a network: a walk that follows from its seed.
//!
//! A token that has a price goes on from it, on whatever node, so that a new refresher does not make prices jump.

use futures_util::future::{LocalBoxFuture, ready};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::quotes::{NoQuotes, Provider, Quotes, Wanted};
use crate::domain::decimal::{Decimal, NoDecimal};

/// Parts of a million that a price moves at most from one answer to the next.
const STEP: i64 = 3_000;
const MILLION: i64 = 1_000_000;

/// What a token costs at first: from a hundredth to this, in cents.
const MOST_CENTS: i64 = 6_000_000;

/// The walk.
pub struct Simulated {
    seed: u64,
    dice: StdRng,
}

impl Simulated {
    pub fn new(seed: u64) -> Self {
        Self { seed, dice: StdRng::seed_from_u64(seed) }
    }

    /// Follows from seed and token alone; cheap tokens are as common as dear ones.
    fn first(&self, number: i64) -> Result<Decimal, NoDecimal> {
        let mut dice = StdRng::seed_from_u64(self.seed ^ (number as u64).rotate_left(32));
        let most = dice.random_range(1..=MOST_CENTS);
        Decimal::whole(dice.random_range(1..=most)).over(Decimal::HUNDRED)
    }

    fn next(&mut self, last: Decimal) -> Result<Decimal, NoDecimal> {
        let factor = Decimal::whole(MILLION + self.dice.random_range(-STEP..=STEP));
        let next = last.times_over(factor, Decimal::whole(MILLION))?;
        // Nothing walks down to nothing.
        Ok(if next.is_positive() { next } else { last })
    }
}

impl Provider for Simulated {
    fn quotes<'a>(
        &'a mut self,
        wanted: &'a Wanted,
    ) -> LocalBoxFuture<'a, Result<Quotes, NoQuotes>> {
        let quote = |(number, last): (&i64, &Option<Decimal>)| {
            let price = match last {
                Some(last) => self.next(*last),
                None => self.first(*number),
            };
            (*number, price.ok())
        };
        Box::pin(ready(Ok(wanted.iter().map(quote).collect())))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{
        super::quotes::{Judged, judge},
        *,
    };

    fn walk(seed: u64, turns: usize) -> Vec<Judged> {
        let mut provider = Simulated::new(seed);
        let mut wanted: Wanted = (1..=50).map(|number| (number, None)).collect();
        let mut turn = || {
            let quotes = provider.quotes(&wanted).now_or_never().unwrap().unwrap();
            let judged = judge(&wanted, &quotes);
            wanted.extend(judged.prices.iter().map(|(number, price)| (*number, Some(*price))));
            judged
        };
        (0..turns).map(|_| turn()).collect()
    }

    #[test]
    fn the_walk_follows_from_its_seed_and_is_believed() {
        let walked = walk(7, 200);
        assert_eq!(walked, walk(7, 200));
        assert_ne!(walked, walk(8, 200));
        assert!(walked.iter().all(|judged| judged.prices.len() == 50 && judged.lies.is_empty()));
        let moved = walked[0].prices.iter().filter(|(n, price)| walked[1].prices[n] != **price);
        assert!(moved.count() > 40);
    }
}
