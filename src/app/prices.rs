//! What tokens cost: who asks for it, and what this node knows of it.

use std::sync::Arc;

use actix::Arbiter;

use crate::{
    domain::store::Store,
    ids::NodeId,
    platform::{
        metrics::Metrics,
        settings::{PriceProvider, PriceSource},
    },
    work::prices::{
        KnownPrices, MakeProvider, Refresher, coin_market_cap::CoinMarketCap, simulated::Simulated,
    },
};

/// Follows the prices in the store, and asks for new ones if somebody has them to say.
pub(super) fn start(
    source: &PriceSource,
    store: &Arc<Store>,
    id: NodeId,
    metrics: &Arc<Metrics>,
) -> Arc<KnownPrices> {
    let make: Option<MakeProvider> = match source.provider {
        PriceProvider::None => None,
        PriceProvider::Simulated => {
            let seed = source.seed as u64;
            Some(Box::new(move || Box::new(Simulated::new(seed))))
        }
        PriceProvider::CoinMarketCap => {
            let (base, key) = (source.base_url.clone(), source.api_key.clone());
            Some(Box::new(move || Box::new(CoinMarketCap::new(&base, key.expose()))))
        }
    };
    if let Some(make) = make {
        let (me, arbiter) = ((id.to_string(), source.interval), Arbiter::current());
        Refresher::start(store.clone(), make, me, metrics.clone(), &arbiter);
    }
    KnownPrices::follow(store.clone())
}
