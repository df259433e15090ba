//! Parts of a person's data, all of one generation.

use std::time::Duration;

use super::{Kept, Which};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{Refusal, forecast::Forecast, holding::Holding, portfolios::Portfolio},
        store::Listed,
    },
    platform::cache::{Entry, Millis},
};

/// What a person has, as far as it was asked for.
#[derive(Clone, Debug)]
pub struct View {
    /// Of all parts.
    pub generation: i64,
    /// Of the summaries of forecasts; 0 if these were not asked for.
    pub computed: i64,
    pub(super) entries: Vec<Entry<Kept>>,
    damaged: Vec<(Which, Refusal)>,
}

impl View {
    /// Of entries that have one generation.
    pub(super) fn of(entries: Vec<Entry<Kept>>) -> Self {
        let generation = entries.iter().map(|entry| entry.version.generation).max();
        let computed = entries.iter().map(|entry| entry.version.computed).max();
        let (generation, computed) = (generation.unwrap_or(0), computed.unwrap_or(0));
        Self { generation, computed, entries, damaged: Vec::new() }
    }

    /// The same without parts that can't be read.
    pub(super) fn without(self, damaged: Vec<(Which, Refusal)>) -> Self {
        Self { damaged, ..self }
    }

    /// Why one of these parts, which was asked for, can't be read.
    pub fn lacks(&self, parts: &[Which]) -> Option<&Refusal> {
        self.damaged.iter().find(|(part, _)| parts.contains(part)).map(|(_, why)| why)
    }

    fn entry(&self, which: Which) -> Option<&Entry<Kept>> {
        self.entries.iter().find(|entry| entry.part == which.name())
    }

    fn kept(&self, which: Which) -> Option<&Kept> {
        self.entry(which).map(|entry| &*entry.value)
    }

    /// The oldest first; none if they were not asked for. So are the others.
    pub fn portfolios(&self) -> &[Portfolio] {
        match self.kept(Which::Portfolios) {
            Some(Kept::Portfolios(all)) => all,
            _ => &[],
        }
    }

    /// Of all portfolios.
    pub fn holdings(&self) -> &[Holding] {
        match self.kept(Which::Holdings) {
            Some(Kept::Holdings(all)) => all,
            _ => &[],
        }
    }

    /// The oldest [`MOST_LISTED`](crate::domain::store::MOST_LISTED).
    pub fn strategies(&self) -> &[Listed] {
        match self.kept(Which::Strategies) {
            Some(Kept::Strategies(all)) => all,
            _ => &[],
        }
    }

    /// The oldest [`MOST_LISTED`](crate::domain::store::MOST_LISTED).
    pub fn forecasts(&self) -> &[Forecast] {
        match self.kept(Which::Forecasts) {
            Some(Kept::Forecasts(all)) => all,
            _ => &[],
        }
    }

    /// When a part was read from the database. Nothing of it was written since, up to the request.
    pub fn as_of(&self, which: Which) -> Moment {
        self.entry(which).map(|entry| moment(entry.times.read_at)).unwrap_or_default()
    }

    /// How old its oldest part is.
    pub fn age(&self, now: Millis) -> Duration {
        self.entries.iter().map(|entry| entry.times.age(now)).max().unwrap_or_default()
    }

    /// Until when all of it is fresh.
    pub fn fresh_until(&self) -> Millis {
        self.entries.iter().map(|entry| entry.times.fresh_until).min().unwrap_or_default()
    }
}

fn moment(millis: Millis) -> Moment {
    Moment::from_micros(i64::try_from(millis).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000))
}
