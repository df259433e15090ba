//! Which rows of a file can be entered beside what is there (docs/PORTFOLIO.md, "CSV").

use super::{
    fold::{Fold, Stop},
    transaction::Entry,
};
use crate::domain::decimal::{Decimal, Exact};

/// Passes over all rows, at most. One does, unless figures come near to the largest that a decimal can say.
const PASSES: usize = 8;

/// Which of the new transactions of one token can't be entered, and why, in their order.
///
/// All that comes in is. What goes out is looked at in its order, and let in if everything that is there can still follow
/// it: of those that would take too much together, the last is to blame, and one that does not fit takes no room from those behind it.
///
/// `all` is in its order and holds new ones, marked, between those that are there. These can follow by themselves.
pub fn sift(from: Fold, all: &[(&Entry, bool)]) -> Vec<(usize, Stop)> {
    Sieve { from, all, large: vec![false; all.len()], steps: 0 }.sift()
}

struct Sieve<'a> {
    from: Fold,
    all: &'a [(&'a Entry, bool)],
    /// New ones with which a figure would be too large.
    large: Vec<bool>,
    /// Steps of folds that were made.
    steps: usize,
}

impl Sieve<'_> {
    fn sift(&mut self) -> Vec<(usize, Stop)> {
        for _ in 0..PASSES {
            let short = self.short();
            if self.can_follow(&short) {
                let large = self.large.iter().enumerate().filter(|(_, large)| **large);
                let mut refused: Vec<(usize, Stop)> =
                    large.map(|(n, _)| (n, Stop::TooLarge)).chain(short).collect();
                refused.sort_by_key(|(n, _)| *n);
                return refused;
            }
        }
        let new = self.all.iter().enumerate().filter(|(_, (_, new))| *new);
        new.map(|(n, _)| (n, Stop::TooLarge)).collect()
    }

    /// New ones that would take more than is held, there or later.
    fn short(&self) -> Vec<(usize, Stop)> {
        let mut short = Vec::new();
        // What is held at least from there on, if nothing new went.
        let least = self.least();
        let mut taken = Exact::default();
        for (n, (entry, new)) in self.all.iter().enumerate() {
            if !new || !entry.kind.is_outflow() || self.large[n] {
                continue;
            }
            let (room, asked) = (least[n].clone() - taken.clone(), Exact::from(entry.quantity));
            if asked > room {
                // Less than a decimal was asked for.
                let held = room.rounded().unwrap_or(Decimal::ZERO);
                short.push((n, Stop::NotEnough { held }));
            } else {
                taken = taken + asked;
            }
        }
        short
    }

    fn least(&self) -> Vec<Exact> {
        let mut held = Exact::from(self.from.quantity);
        let mut least = Vec::with_capacity(self.all.len());
        for (n, (entry, new)) in self.all.iter().enumerate() {
            if !entry.kind.is_outflow() && !self.large[n] {
                held = held + entry.quantity.into();
            } else if !new {
                held = held - entry.quantity.into();
            }
            least.push(held.clone());
        }
        for n in (1..least.len()).rev() {
            if least[n] < least[n - 1] {
                least[n - 1] = least[n].clone();
            }
        }
        least
    }

    /// Whether all but the `short` ones can follow each other. If not, it knows more of those that are too large.
    fn can_follow(&mut self, short: &[(usize, Stop)]) -> bool {
        let mut out = self.large.clone();
        for (n, _) in short {
            out[*n] = true;
        }
        let (mut fold, mut last, mut fits) = (self.from, None, true);
        for (n, (entry, new)) in self.all.iter().enumerate().filter(|(n, _)| !out[*n]) {
            self.steps += 1;
            match fold.then(entry) {
                Ok(after) => {
                    fold = after;
                    last = if *new { Some(n) } else { last };
                }
                // It counted on what turned out to be too large.
                Err(Stop::NotEnough { .. }) => return false,
                Err(Stop::TooLarge) if *new => {
                    self.large[n] = true;
                    fits = false;
                }
                Err(Stop::TooLarge) => {
                    if let Some(last) = last {
                        self.large[last] = true;
                    }
                    return false;
                }
            }
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        moment::Moment,
        portfolio::{id::TokenId, transaction::Kind},
    };

    fn entry(token_id: TokenId, kind: Kind, quantity: i64) -> Entry {
        let (quantity, amount) = (Decimal::whole(quantity), Decimal::ONE);
        Entry { token_id, kind, quantity, amount, occurred_at: Moment::default(), notes: None }
    }

    #[test]
    fn each_transaction_is_folded_once_however_many_rows_do_not_fit() {
        let of = TokenId::new();
        let (buy, sell) = (entry(of, Kind::Buy, 1), entry(of, Kind::Sell, 1));
        let end = entry(of, Kind::Sell, 14_399);
        // All that is there is sold at its end: no new sale fits.
        let mut all: Vec<(&Entry, bool)> = vec![(&sell, true); 1_000];
        all.extend(vec![(&buy, false); 14_399]);
        all.push((&end, false));
        let mut sieve =
            Sieve { from: Fold::default(), all: &all, large: vec![false; all.len()], steps: 0 };
        assert_eq!((sieve.sift().len(), sieve.steps), (1_000, 14_400));
    }

    #[test]
    fn figures_that_are_too_large_cost_a_few_passes() {
        let of = TokenId::new();
        let most = Decimal::whole(i64::MAX).times(Decimal::whole(10)).unwrap();
        let much = Entry { quantity: most, ..entry(of, Kind::Buy, 1) };
        let (buy, sell) = (entry(of, Kind::Buy, 1), entry(of, Kind::Sell, 1));
        let mut all: Vec<(&Entry, bool)> = Vec::new();
        for _ in 0..1_000 {
            all.extend([(&much, true), (&sell, true), (&buy, false), (&sell, false)]);
        }
        let mut sieve =
            Sieve { from: Fold::default(), all: &all, large: vec![false; all.len()], steps: 0 };
        sieve.sift();
        assert!(sieve.steps <= PASSES * all.len(), "{}", sieve.steps);
    }
}
