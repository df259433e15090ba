//! What a provider says of prices, and which of it is believed. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;

use crate::domain::decimal::{Decimal, Exact};

/// Tokens of one call: what CoinMarketCap takes for one credit.
pub const A_CALL: usize = 100;

/// A price that rises or falls by as much from one answer to the next is a mistake of whoever says so.
const JUMP: i64 = 1_000;

/// Tokens by the provider's numbers, with the last price that was believed.
pub type Wanted = BTreeMap<i64, Option<Decimal>>;

/// Where prices come from.
pub trait Provider {
    /// What these cost now, at most [`A_CALL`] of them. Deadlines are the provider's own.
    fn quotes<'a>(&'a mut self, wanted: &'a Wanted)
    -> LocalBoxFuture<'a, Result<Quotes, NoQuotes>>;
}

/// An answer: prices by the provider's numbers; none for one that is not a price.
pub type Quotes = HashMap<i64, Option<Decimal>>;

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoQuotes {
    /// Too often: come back after that time, if it says when.
    Busy(Option<Duration>),
    /// It does not take this call, for what it asks for.
    Rejected(String),
    /// It can't be reached, is broken, or says what nobody understands.
    Unavailable(String),
    /// It does not want us: the key is wrong, or the plan is used up.
    Refused(String),
}

impl fmt::Display for NoQuotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(_) => f.write_str("the provider of prices says that it is asked too often"),
            Self::Rejected(why) => {
                write!(f, "the provider of prices does not take what it is asked: {why}")
            }
            Self::Unavailable(why) => write!(f, "the provider of prices can't be asked: {why}"),
            Self::Refused(why) => write!(f, "the provider of prices does not let us in: {why}"),
        }
    }
}

/// Why a price is kept out. The last one that was believed stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lie {
    /// Not a number, or more digits than a decimal has.
    NoNumber,
    /// Nothing costs nothing, or less.
    NotPositive,
    /// Nobody asked for that token.
    Unasked,
    /// A thousand times the last price, or a thousandth.
    Jump,
}

impl Lie {
    /// As the metric names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoNumber => "no_number",
            Self::NotPositive => "not_positive",
            Self::Unasked => "unasked",
            Self::Jump => "jump",
        }
    }
}

/// What is believed of an answer, and what is not.
#[derive(PartialEq, Debug, Default)]
pub struct Judged {
    pub prices: BTreeMap<i64, Decimal>,
    pub lies: BTreeMap<i64, Lie>,
}

/// Judges an answer by what was asked.
pub fn judge(wanted: &Wanted, quotes: &Quotes) -> Judged {
    let mut judged = Judged::default();
    for (number, quote) in quotes {
        match judge_one(wanted.get(number).copied(), *quote) {
            Ok(price) => drop(judged.prices.insert(*number, price)),
            Err(lie) => drop(judged.lies.insert(*number, lie)),
        }
    }
    judged
}

fn judge_one(wanted: Option<Option<Decimal>>, quote: Option<Decimal>) -> Result<Decimal, Lie> {
    let last = wanted.ok_or(Lie::Unasked)?;
    let price = quote.ok_or(Lie::NoNumber)?;
    if !price.is_positive() {
        return Err(Lie::NotPositive);
    }
    let far = |small: Decimal, large: Decimal| {
        Exact::from(small) * Decimal::whole(JUMP) <= Exact::from(large)
    };
    match last {
        Some(last) if far(last, price) || far(price, last) => Err(Lie::Jump),
        _ => Ok(price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_provider_that_lies_is_believed_where_it_does_not() {
        let wanted: Wanted = (1..=7).map(|n| (n, Some(decimal("20")))).collect();
        let quotes: Quotes = [
            (1, Some(decimal("21.5"))),
            (2, Some(decimal("-1"))),
            (3, Some(Decimal::ZERO)),
            (4, None),
            (5, Some(decimal("20000"))),
            (6, Some(decimal("0.02"))),
            (7, Some(decimal("19999.999999999999999999"))),
            (99, Some(decimal("1"))),
        ]
        .into();
        let judged = judge(&wanted, &quotes);
        let believed = [(1, decimal("21.5")), (7, decimal("19999.999999999999999999"))];
        assert_eq!(judged.prices, believed.into());
        let lies = [
            (2, Lie::NotPositive),
            (3, Lie::NotPositive),
            (4, Lie::NoNumber),
            (5, Lie::Jump),
            (6, Lie::Jump),
            (99, Lie::Unasked),
        ];
        assert_eq!(judged.lies, lies.into());
    }

    #[test]
    fn the_first_price_of_a_token_is_compared_with_nothing() {
        let wanted: Wanted = [(1, None)].into();
        let judged = judge(&wanted, &[(1, Some(decimal("0.000000000000000001")))].into());
        assert_eq!(judged.prices.len(), 1);
    }
}
