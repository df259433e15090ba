//! What answers people about their portfolios, and tells their open dashboards: the store, the levels of cache over it, and
//! the prices.

use std::sync::Arc;

use actix::Arbiter;

use super::{Failed, Parts, forecasts, prices};
use crate::{
    domain::{
        reading::{self, Lives, Reading},
        store::Store,
    },
    edge::{
        address::Proxies,
        channels::{Screens, Sources},
        portfolio::{Desk, Door},
    },
    platform::{
        cache::{Options, Pages, Shared, SharedOptions, system_clock},
        metrics::Metrics,
        settings::Settings,
    },
};

/// Bytes of what a person may send about portfolios: 1,000 transactions with their notes, or a CSV of as many.
const PORTFOLIO_BODY: usize = 4 * 1024 * 1024;

/// All that the calls under `/v1` need.
pub(super) fn desk(parts: &Parts) -> Result<Arc<Desk>, Failed> {
    let (node, store) = (&parts.node, parts.portfolios.clone());
    let prices = prices::start(parts);
    let seen = forecasts::start(parts, &prices);
    let reading = Arc::new(start(&node.settings, store.clone(), node.metrics.clone())?);
    let (known, watching) = (prices.clone(), seen.clone());
    let sources = Sources {
        reading: reading.clone(),
        prices: Box::new(move || known.now()),
        watches: Box::new(move |user| watching.note(user, false)),
        house: node.house.clone(),
        namespaces: node.namespaces.clone(),
        metrics: node.metrics.clone(),
    };
    Screens::start(sources, &Arbiter::current());
    Ok(Arc::new(Desk {
        reading,
        pages: Pages::new(node.settings.cache.pages_max_size.bytes()),
        metrics: node.metrics.clone(),
        store,
        prices: Box::new(move || prices.now()),
        proxies: Proxies::new(&node.settings.http_server.trusted_proxies),
        doorkeeper: Arc::new(Door::new(node.clone())),
        answered: Box::new(move |user, changed| seen.note(user, changed)),
        body_limit: PORTFOLIO_BODY,
    }))
}

/// The cache over a store, with the levels that are on.
fn start(settings: &Settings, store: Arc<Store>, metrics: Arc<Metrics>) -> Result<Reading, Failed> {
    let cache = &settings.cache;
    // Of nodes that share Redis and no database each has another history under the same numbers.
    let shared = cache.in_redis && !settings.postgres.url.is_empty();
    let redis = settings.redis.options().filter(|_| shared).transpose();
    let redis = redis.map_err(|bad| Failed::because(format!("redis.url: expected {bad}")))?;
    let shared = redis.map(|redis| {
        let options = SharedOptions {
            redis,
            prefix: settings.redis.prefix.clone(),
            deadline: cache.redis_deadline,
            largest: cache.redis_max_value_size.bytes(),
        };
        Shared::new(options, reading::FORMAT, metrics.clone())
    });
    let levels = Options { memory: cache.memory_max_size.bytes(), shared, clock: system_clock() };
    let lives = Lives {
        portfolios: cache.portfolios_life,
        holdings: cache.holdings_life,
        strategies: cache.strategies_life,
        forecasts: cache.forecasts_life,
    };
    Reading::start(store, lives, levels, metrics).map_err(Failed::to("start the cache's thread"))
}
