//! Tokens and their prices.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::id::TokenId;
use crate::domain::{decimal::Decimal, moment::Moment};

/// How old a price may be and still be called fresh: as long as nobody has missed the next one. Prices come each 30 s, and then
/// take up to 3 s to be answered, stored and known to all nodes; without these each of them would be stale before each next one.
pub const FRESH: Duration = Duration::from_secs(30 + 3);

/// A thing that can be held. Two may share a symbol; `provider_id` tells them apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub symbol: String,
    pub name: String,
    /// The number that CoinMarketCap gives it.
    pub provider_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
}

/// What one of a token costs, in USD.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Price {
    pub price: Decimal,
    pub observed_at: Moment,
}

/// Prices of tokens, of those that have one.
pub type Prices = HashMap<TokenId, Price>;

/// Prices, and up to which version of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PriceBoard {
    pub prices: Prices,
    /// Rises with each change, to microseconds since 1970 or further.
    pub version: i64,
}

impl PriceBoard {
    /// When the first of these tokens' prices that are fresh now will not be any more.
    pub fn next_stale(
        &self,
        tokens: impl IntoIterator<Item = TokenId>,
        now: Moment,
    ) -> Option<Moment> {
        let fresh = |token| self.prices.get(&token).filter(|price| !price.is_stale(now));
        tokens.into_iter().filter_map(fresh).map(Price::stale_at).min()
    }
}

impl Price {
    /// When it stops being fresh.
    fn stale_at(&self) -> Moment {
        let fresh = i64::try_from(FRESH.as_micros()).unwrap_or(i64::MAX);
        Moment::from_micros(self.observed_at.micros().saturating_add(fresh))
    }

    /// How long ago it was observed; 0 if a clock says that it will be.
    pub fn age(&self, now: Moment) -> Duration {
        let micros = now.micros().saturating_sub(self.observed_at.micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Whether it is served with that remark.
    pub fn is_stale(&self, now: Moment) -> bool {
        self.age(now) >= FRESH
    }
}
