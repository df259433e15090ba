//! A part as it is kept: quantities and costs, never prices.

use serde::Serialize;

use super::Which;
use crate::{
    domain::{
        portfolio::{forecast::Forecast, holding::Holding, portfolios::Portfolio},
        store::Listed,
    },
    platform::cache::Value,
};

/// Of what is written to Redis; a test holds it against the shape.
pub const FORMAT: u32 = 1;

/// About how many bytes an entry takes beside its texts: itself and what the allocator adds.
const BESIDE: usize = 64;

/// One part of a person's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    Portfolios(Vec<Portfolio>),
    Holdings(Vec<Holding>),
    Strategies(Vec<Listed>),
    Forecasts(Vec<Forecast>),
}

impl Value for Kept {
    const FORMAT: u32 = FORMAT;

    fn encode(&self) -> Option<Vec<u8>> {
        fn json<T: Serialize>(value: &T) -> Option<Vec<u8>> {
            serde_json::to_vec(value).ok()
        }
        match self {
            Self::Portfolios(all) => json(all),
            Self::Holdings(all) => json(all),
            Self::Strategies(all) => json(all),
            Self::Forecasts(all) => json(all),
        }
    }

    fn decode(part: &str, bytes: &[u8]) -> Option<Self> {
        match Which::named(part)? {
            Which::Portfolios => serde_json::from_slice(bytes).ok().map(Self::Portfolios),
            Which::Holdings => serde_json::from_slice(bytes).ok().map(Self::Holdings),
            Which::Strategies => serde_json::from_slice(bytes).ok().map(Self::Strategies),
            Which::Forecasts => serde_json::from_slice(bytes).ok().map(Self::Forecasts),
        }
    }

    fn weight(&self) -> usize {
        fn all<T>(all: &[T], texts: impl Fn(&T) -> usize) -> usize {
            let each = size_of::<T>() + BESIDE;
            all.iter().map(|one| each + texts(one)).sum()
        }
        let maybe = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Portfolios(it) => all(it, |one| one.name.len() + maybe(&one.description)),
            Self::Holdings(it) => all(it, |one| {
                one.token.symbol.len() + one.token.name.len() + maybe(&one.token.logo_url)
            }),
            Self::Strategies(it) => {
                all(it, |one| one.strategy.name.len() + maybe(&one.strategy.notes))
            }
            Self::Forecasts(it) => {
                // Two ids for each strategy that is applied.
                all(it, |one| one.name.len() + maybe(&one.notes) + 48 * one.applied.len())
            }
        }
    }
}
