//! The parts of a dashboard as they are told. Pure.

use std::hash::{DefaultHasher, Hasher};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    domain::{
        moment::Moment,
        portfolio::token::PriceBoard,
        reading::{View, Which},
    },
    edge::portfolio::{Problem, dashboard, strategies},
};

/// What changes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Holdings, and the sums of portfolios.
    Holdings,
    Forecast,
    Strategy,
}

/// Tells whether a part is another than before.
pub(super) type Print = u64;

/// A part, and of which data and prices.
#[derive(Serialize)]
pub(super) struct Part {
    r#type: &'static str,
    generation: i64,
    price_version: i64,
    as_of: Moment,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Holdings { portfolios: Box<RawValue>, holdings: Box<RawValue> },
    Items { items: Box<RawValue> },
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Holdings, Self::Forecast, Self::Strategy];

    pub fn name(self) -> &'static str {
        match self {
            Self::Holdings => "holdings",
            Self::Forecast => "forecast",
            Self::Strategy => "strategy",
        }
    }

    /// What it is computed of.
    pub fn needs(self) -> &'static [Which] {
        match self {
            Self::Holdings => &[Which::Portfolios, Which::Holdings],
            Self::Forecast => &[Which::Forecasts],
            Self::Strategy => &[Which::Strategies],
        }
    }
}

/// As it stands, and its print: of what is shown, not of when it was read.
pub(super) fn part(
    kind: Kind,
    view: &View,
    board: &PriceBoard,
    now: Moment,
) -> Result<(Part, Print), Problem> {
    let (portfolios, holdings) = (view.portfolios(), view.holdings());
    let mut print = DefaultHasher::new();
    let (shown, which) = match kind {
        Kind::Holdings => {
            let sums = dashboard::every(portfolios, holdings, &board.prices)?;
            let held = dashboard::of_default(portfolios, holdings, &board.prices, now)?;
            let (portfolios, holdings) = (written(&sums, &mut print)?, written(&held, &mut print)?);
            (Shown::Holdings { portfolios, holdings }, Which::Holdings)
        }
        Kind::Forecast => {
            (Shown::Items { items: written(view.forecasts(), &mut print)? }, Which::Forecasts)
        }
        Kind::Strategy => {
            let entries: Vec<_> = view.strategies().iter().map(strategies::Entry::from).collect();
            (Shown::Items { items: written(&entries, &mut print)? }, Which::Strategies)
        }
    };
    let part = Part {
        r#type: kind.name(),
        generation: view.generation,
        price_version: board.version,
        as_of: view.as_of(which),
        shown,
    };
    Ok((part, print.finish()))
}

fn written<T: Serialize>(items: &[T], print: &mut DefaultHasher) -> Result<Box<RawValue>, Problem> {
    let json = serde_json::value::to_raw_value(items).map_err(|_| Problem::internal())?;
    print.write(json.get().as_bytes());
    Ok(json)
}
