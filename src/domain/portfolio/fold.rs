//! The fold: what a row of transactions leaves behind, by average cost (docs/PORTFOLIO.md, formula 1).

use serde::{Deserialize, Serialize};

use super::transaction::{Entry, Kind, Place};
use crate::domain::decimal::{Decimal, NoDecimal};

/// Transactions between two [`Checkpoint`]s that are kept: refolding from one takes about a millisecond.
pub const STRIDE: u64 = 256;

/// What is left after some transactions of one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fold {
    pub quantity: Decimal,
    /// What the quantity cost, USD.
    pub invested: Decimal,
    /// What sales brought beyond what the sold part had cost, USD.
    pub realized: Decimal,
}

/// A transaction can't follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// More would go than is held.
    NotEnough { held: Decimal },
    /// A figure would be too large.
    TooLarge,
}

impl From<NoDecimal> for Stop {
    fn from(_: NoDecimal) -> Self {
        Self::TooLarge
    }
}

impl Fold {
    /// What is left after one more.
    pub fn then(self, entry: &Entry) -> Result<Self, Stop> {
        if !entry.kind.is_outflow() {
            let quantity = self.quantity.plus(entry.quantity)?;
            return Self { quantity, invested: self.invested.plus(entry.amount)?, ..self }.priced();
        }
        if entry.quantity > self.quantity {
            return Err(Stop::NotEnough { held: self.quantity });
        }
        // All that is held cost all that is invested, without a rest.
        let cost = self.invested.times_over(entry.quantity, self.quantity)?;
        let earned = match entry.kind {
            Kind::Sell => entry.amount.minus(cost)?,
            _ => Decimal::ZERO,
        };
        let left = Self {
            quantity: self.quantity.minus(entry.quantity)?,
            invested: self.invested.minus(cost)?,
            realized: self.realized.plus(earned)?,
        };
        left.priced()
    }

    /// Itself, if its average price is a figure: what is held is shown with it.
    fn priced(self) -> Result<Self, Stop> {
        match self.quantity.is_zero() || self.invested.fits_over(self.quantity) {
            true => Ok(self),
            false => Err(Stop::TooLarge),
        }
    }

    /// What one of them cost, rounded once; none if there are none.
    pub fn average_price(&self) -> Result<Option<Decimal>, NoDecimal> {
        match self.quantity.is_zero() {
            true => Ok(None),
            false => self.invested.over(self.quantity).map(Some),
        }
    }
}

/// A point that a fold can be resumed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checkpoint {
    /// The last transaction before it; none at the beginning.
    pub after: Option<Place>,
    /// Transactions before it.
    pub count: u64,
    pub fold: Fold,
}

/// What a fold came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folded {
    /// After the last transaction.
    pub end: Checkpoint,
    /// Every [`STRIDE`] transactions one to resume at.
    pub on_the_way: Vec<Checkpoint>,
}

/// Goes on from a checkpoint with the transactions that follow it, in their order.
///
/// Stops at the first that can't follow, and says which in the order given, from 0.
pub fn resume<'a>(
    from: Checkpoint,
    following: impl IntoIterator<Item = (Place, &'a Entry)>,
) -> Result<Folded, (usize, Stop)> {
    let mut folded = Folded { end: from, on_the_way: Vec::new() };
    for (n, (place, entry)) in following.into_iter().enumerate() {
        let Checkpoint { count, fold, .. } = folded.end;
        let fold = fold.then(entry).map_err(|stop| (n, stop))?;
        folded.end = Checkpoint { after: Some(place), count: count + 1, fold };
        if folded.end.count.is_multiple_of(STRIDE) {
            folded.on_the_way.push(folded.end);
        }
    }
    Ok(folded)
}
