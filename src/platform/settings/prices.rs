//! Settings of where prices come from.

use std::time::Duration;

use super::{
    kinds::Secret,
    section::{Wrong, section},
    value::words,
};

/// More often is more than providers like, and than people see.
const SHORTEST: Duration = Duration::from_secs(1);

words! {
    /// Who says what tokens cost.
    PriceProvider {
        /// A walk that follows from a seed: no network.
        Simulated = "simulated",
        CoinMarketCap = "coinmarketcap",
        /// Nobody: prices are as old as they are.
        None = "none",
    }
}

section! {
    /// What tokens cost, in US dollars: asked for in the background, by one node for all, never inside a request.
    #[check(check_prices)]
    pub struct PriceSource {
        /// `simulated` (made up, for trying it out), `coinmarketcap`, or `none`.
        pub provider: PriceProvider = PriceProvider::Simulated,
        /// The key of the provider.
        pub api_key: Secret = Secret::default(),
        /// Where the provider is; another one only for tests and proxies.
        pub base_url: String = "https://pro-api.coinmarketcap.com".into(),
        /// How often all tokens that anybody holds or plans for are asked for, 100 a call. A price is
        /// called stale after 30s. At least 1s.
        pub interval: Duration = Duration::from_secs(30),
        /// What simulated prices follow from.
        pub seed: usize = 1,
    }
}

fn check_prices(prices: &PriceSource, wrong: &mut Wrong) {
    wrong.unless(prices.interval >= SHORTEST, "interval", "1s or more");
    let is_asked = prices.provider == PriceProvider::CoinMarketCap;
    wrong.unless(!is_asked || !prices.api_key.is_empty(), "api_key", "the key of the provider");
    let is_url = ["https://", "http://"].iter().any(|start| prices.base_url.starts_with(start));
    wrong.unless(is_url, "base_url", "an address that begins with https:// or http://");
}
