//! What tokens cost: who asks for it, and what this node knows of it.

use std::sync::Arc;

use actix::Arbiter;

use super::Parts;
use crate::{
    platform::settings::PriceProvider,
    work::{
        alerts::AlertPost,
        prices::{
            KnownPrices, MakeProvider, Refresher, coin_market_cap::CoinMarketCap,
            simulated::Simulated,
        },
    },
};

/// Follows the prices in the store, and asks for new ones if somebody has them to say.
pub(super) fn start(parts: &Parts) -> Arc<KnownPrices> {
    let (node, store) = (&parts.node, &parts.portfolios);
    let source = &node.settings.prices;
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
        let (namespaces, house) = (node.namespaces.clone(), node.house.clone());
        let outbox = Arc::new(AlertPost { namespaces, house, file: parts.alongside.clone() });
        let (me, arbiter) = ((parts.id.to_string(), source.interval), Arbiter::current());
        Refresher::start((store.clone(), outbox), make, me, node.metrics.clone(), &arbiter);
    }
    KnownPrices::follow(store.clone())
}
