//! What people's screens read, through the cache: right by the next request after any write, on any node.
//!
//! Every request learns the person's present state first: from the database, one question for all who ask meanwhile, or
//! from what a node alone on its file remembers of its own writes. Then it takes each part from wherever it lies in that
//! state (docs/PORTFOLIO.md, "Caches"). Prices are not kept here: they are applied when answering.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

mod kept;
#[cfg(test)]
mod tests;
mod view;

pub use kept::{FORMAT, Kept};
pub use view::View;

use crate::{
    domain::{
        portfolio::Refusal,
        store::{Parts, Present, Store, Wanted},
    },
    ids::UserId,
    platform::{
        cache::{Asked, Cache, Entry, Gather, Load, Loaded, Lost, Options, Part, Version},
        metrics::Metrics,
    },
};

/// How long a request waits to hear which state is the present one.
const PATIENCE: Duration = Duration::from_secs(4);

/// How often parts are asked for while the person writes between one and the next.
const TRIES: usize = 3;

/// A part of what a person has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    Portfolios,
    Holdings,
    Strategies,
    Forecasts,
}

/// How long each part is fresh.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    pub portfolios: Duration,
    pub holdings: Duration,
    pub strategies: Duration,
    pub forecasts: Duration,
}

/// All persons' data, as it is read.
pub struct Reading {
    store: Arc<Store>,
    lives: Lives,
    /// Before the cache: what it asks is carried by the cache's thread.
    present: Arc<Gather<UserId, Present, Refusal>>,
    cache: Cache<Kept, Refusal>,
}

impl From<Lost> for Refusal {
    fn from(Lost(why): Lost) -> Self {
        Self::Unavailable(why.into())
    }
}

impl Which {
    const ALL: [Self; 4] = [Self::Portfolios, Self::Holdings, Self::Strategies, Self::Forecasts];

    fn name(self) -> &'static str {
        match self {
            Self::Portfolios => "portfolios",
            Self::Holdings => "holdings",
            Self::Strategies => "strategies",
            Self::Forecasts => "forecasts",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == name)
    }

    /// What it is filed under: of all parts only forecasts hold something computed.
    fn version(self, Present { generation, computed }: Present) -> Version {
        let computed = if self == Self::Forecasts { computed } else { 0 };
        Version { generation, computed }
    }
}

impl Lives {
    fn of(&self, which: Which) -> Duration {
        match which {
            Which::Portfolios => self.portfolios,
            Which::Holdings => self.holdings,
            Which::Strategies => self.strategies,
            Which::Forecasts => self.forecasts,
        }
    }
}

impl Reading {
    /// Over a store, with the levels that are on.
    pub fn start(
        store: Arc<Store>,
        lives: Lives,
        levels: Options,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (asked, counts) = (store.clone(), metrics.clone());
        let present = Gather::new(PATIENCE, move |users: Vec<UserId>| {
            counts.cache_generations_asked.observe(users.len() as f64);
            let store = asked.clone();
            Box::pin(async move { store.generations(users).await }) as BoxFuture<'static, _>
        });
        let cache = Cache::start(levels, metrics)?;
        Ok(Self { store, lives, present, cache })
    }

    /// The state that a person's data is in, as it is after the call began.
    pub async fn present(&self, user: &UserId) -> Result<Present, Refusal> {
        if let Some(present) = self.store.remembered(user) {
            return Ok(present);
        }
        self.present.get(user.clone(), self.cache.engine()).await
    }

    /// These parts, all of one generation: of this state or a later one.
    pub async fn view(
        &self,
        user: &UserId,
        wanted: &[Which],
        present: Present,
    ) -> Result<View, Refusal> {
        let mut state = present;
        for _ in 0..TRIES {
            let asked: Vec<Asked> = wanted.iter().map(|which| self.asked(*which, state)).collect();
            let found = self.cache.get(user, &asked, self.loader(user)).await?;
            let newest = found.iter().map(|entry| entry.version.generation).max();
            let newest = newest.unwrap_or(state.generation);
            if found.iter().all(|entry| entry.version.generation == newest) {
                return Ok(View::of(found));
            }
            let computed = found.iter().map(|entry| entry.version.computed).max();
            state = Present { generation: newest, computed: computed.unwrap_or(0) };
        }
        // They write faster than we look: all at once, then.
        let asked = wanted.iter().map(|which| self.asked(*which, state)).collect();
        let now = (crate::platform::cache::system_clock())();
        let loaded = (self.loader(user))(asked).await?;
        Ok(View::of(loaded.into_iter().map(|loaded| Entry::loaded(loaded, now)).collect()))
    }

    /// The same without those parts that can't be read, if any can: [`View::lacks`] tells which.
    pub async fn view_apart(
        &self,
        user: &UserId,
        wanted: &[Which],
        present: Present,
    ) -> Result<View, Refusal> {
        let whole = self.view(user, wanted, present).await;
        let Err(Refusal::Damaged(_)) = whole else { return whole };
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for which in wanted {
            match self.view(user, &[*which], present).await {
                Ok(view) => entries.extend(view.entries),
                Err(why @ Refusal::Damaged(_)) => damaged.push((*which, why)),
                Err(why) => return Err(why),
            }
        }
        let of = |entry: &Entry<Kept>| entry.version.generation;
        // None, or they wrote meanwhile.
        match entries.first().map(of) {
            Some(one) if entries.iter().all(|entry| of(entry) == one) => {
                Ok(View::of(entries).without(damaged))
            }
            _ => whole,
        }
    }

    /// The last that this node has seen of these parts, for while nobody can say what is right. Names how old it is.
    pub fn last(&self, user: &UserId, wanted: &[Which]) -> Option<View> {
        let names: Vec<&'static str> = wanted.iter().map(|which| which.name()).collect();
        let found = self.cache.last(user, &names)?;
        let generation = found.first()?.version.generation;
        let is_one = found.iter().all(|entry| entry.version.generation == generation);
        is_one.then(|| View::of(found))
    }

    fn asked(&self, which: Which, state: Present) -> Asked {
        let part = Part { name: which.name(), life: self.lives.of(which) };
        Asked { part, version: which.version(state) }
    }

    /// Reads parts from the store, all of one snapshot.
    fn loader(&self, user: &UserId) -> Load<Kept, Refusal> {
        let (store, user) = (self.store.clone(), user.clone());
        Arc::new(move |asked| {
            let (store, user) = (store.clone(), user.clone());
            Box::pin(async move {
                let wanted: Vec<Which> =
                    asked.iter().filter_map(|asked| Which::named(asked.part.name)).collect();
                let wanted = Wanted {
                    portfolios: wanted.contains(&Which::Portfolios),
                    holdings: wanted.contains(&Which::Holdings),
                    strategies: wanted.contains(&Which::Strategies),
                    forecasts: wanted.contains(&Which::Forecasts),
                };
                let stored = store.parts_in(&user, wanted, told(&asked)).await?;
                let present =
                    Present { generation: stored.generation, computed: stored.value.computed };
                let mut read = stored.value;
                let loaded = |Asked { part, .. }| {
                    let which = Which::named(part.name)?;
                    let value = take(&mut read, which)?;
                    Some(Loaded { part, version: which.version(present), value })
                };
                Ok(asked.into_iter().filter_map(loaded).collect())
            })
        })
    }
}

/// The latest state that is asked for.
fn told(asked: &[Asked]) -> Present {
    let versions = || asked.iter().map(|asked| asked.version);
    Present {
        generation: versions().map(|version| version.generation).max().unwrap_or(0),
        computed: versions().map(|version| version.computed).max().unwrap_or(0),
    }
}

fn take(parts: &mut Parts, which: Which) -> Option<Kept> {
    match which {
        Which::Portfolios => parts.portfolios.take().map(Kept::Portfolios),
        Which::Holdings => parts.holdings.take().map(Kept::Holdings),
        Which::Strategies => parts.strategies.take().map(Kept::Strategies),
        Which::Forecasts => parts.forecasts.take().map(Kept::Forecasts),
    }
}
