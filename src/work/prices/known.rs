//! The prices that this node knows: read from the store once a second, what changed only.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::sleep;

use crate::domain::{
    portfolio::token::{PriceBoard, Prices},
    store::Store,
};

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The last known prices, for everybody who asks.
#[derive(Debug, Default)]
pub struct KnownPrices(RwLock<Arc<PriceBoard>>);

impl KnownPrices {
    /// As they are now; what comes later is on another board.
    pub fn now(&self) -> Arc<PriceBoard> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows the store until the actor system of this thread ends. While it does not answer, the last known prices stay.
    pub fn follow(store: Arc<Store>) -> Arc<Self> {
        let known = Arc::new(Self::default());
        let mine = known.clone();
        actix::spawn(async move {
            loop {
                match store.prices_since(mine.now().version).await {
                    Ok((news, version)) => mine.learn(news, version),
                    Err(why) => log::debug!("the prices could not be read: {why}"),
                }
                sleep(INTERVAL).await;
            }
        });
        known
    }

    fn learn(&self, news: Prices, version: i64) {
        if news.is_empty() {
            return;
        }
        let mut prices = self.now().prices.clone();
        prices.extend(news);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(PriceBoard { prices, version });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{id::TokenId, token::Price},
    };

    #[test]
    fn what_is_learnt_is_added_and_who_looks_keeps_what_they_saw() {
        let (known, [one, other]) = (KnownPrices::default(), [TokenId::new(), TokenId::new()]);
        let price = |n| Price { price: Decimal::whole(n), observed_at: Moment::default() };
        known.learn(Prices::from([(one, price(1)), (other, price(1))]), 1);
        let before = known.now();
        known.learn(Prices::from([(one, price(2))]), 2);
        known.learn(Prices::new(), 2);
        assert_eq!((before.prices[&one], before.version), (price(1), 1));
        let after = known.now();
        assert_eq!(
            (after.prices[&one], after.prices[&other], after.version),
            (price(2), price(1), 2)
        );
    }
}
