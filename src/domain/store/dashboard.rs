//! All that a dashboard shows, read in one snapshot.

use super::{Answer, Listed, Page, Store, forecasts, holdings, portfolios, strategies};
use crate::{
    domain::portfolio::{forecast::Forecast, holding::Holding, portfolios::Portfolio},
    ids::UserId,
};

/// Strategies and forecasts of a dashboard, at most: the rest is turned to.
pub const MOST: usize = 200;

/// A person's data as a dashboard shows it, without prices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dashboard {
    pub portfolios: Vec<Portfolio>,
    /// Of all portfolios.
    pub holdings: Vec<Holding>,
    pub strategies: Vec<Listed>,
    pub forecasts: Vec<Forecast>,
}

impl Store {
    /// All of a person's dashboard, of one snapshot. Five queries.
    pub async fn dashboard(&self, user: &UserId) -> Answer<Dashboard> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                let all = Page::first(portfolios::MOST);
                Ok(Dashboard {
                    portfolios: portfolios::list(session, &owner, all).await?,
                    holdings: holdings::of_owner(session, &owner).await?,
                    strategies: strategies::list(session, &owner, Page::first(MOST)).await?,
                    forecasts: forecasts::list(session, &owner, Page::first(MOST)).await?,
                })
            })
        })
        .await
    }
}
