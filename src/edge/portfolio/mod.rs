//! What a person asks about their portfolios: HTTP under `/v1`, with the token that opens their sockets.
//!
//! One file a resource reads a request, asks the store and writes its answer down. What is refused is
//! `application/problem+json` with a stable code (docs/PORTFOLIO.md).

use std::sync::Arc;

use actix_web::web;

use crate::{
    domain::{portfolio::token::PriceBoard, reading::Reading, store::Store},
    edge::address::Proxies,
    ids::UserId,
    platform::{cache::Pages, metrics::Metrics},
};

mod again;
mod alerts;
mod answer;
mod body;
mod calls;
pub(in crate::edge) mod dashboard;
mod encoding;
mod forecasts;
mod holdings;
mod openapi;
mod person;
mod portfolios;
mod present;
mod problem;
pub(in crate::edge) mod strategies;
#[cfg(test)]
mod tests;
mod tokens;
mod transactions;
mod turning;

pub use answer::Shows;
pub use person::{Door, Doorkeeper, Stranger};
pub(in crate::edge) use problem::Problem;

/// Hears of a person, and whether they may have changed something.
pub type Answered = Box<dyn Fn(&UserId, bool) + Send + Sync>;

/// All that these calls need; one for all workers.
pub struct Desk {
    pub store: Arc<Store>,
    /// The same, through the cache.
    pub reading: Arc<Reading>,
    /// Answers as they were sent.
    pub pages: Pages<Shows>,
    pub metrics: Arc<Metrics>,
    /// The last known prices.
    pub prices: Box<dyn Fn() -> Arc<PriceBoard> + Send + Sync>,
    /// The proxies whose word is taken about what they asked before.
    pub proxies: Proxies,
    /// Whose token it is.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// Hears who was answered.
    pub answered: Answered,
    /// Bytes of a request's body, at most; more is answered 413.
    pub body_limit: usize,
}

/// Adds the routes to an `App`.
pub fn routes(app: &mut web::ServiceConfig, desk: Arc<Desk>) {
    let query = web::QueryConfig::default()
        .error_handler(|wrong, _| problem::Problem::query(&wrong).into());
    app.app_data(web::Data::from(desk)).app_data(query);
    for resource in [
        // First what is asked most: they are looked through in this order.
        present::routes,
        dashboard::routes,
        openapi::routes,
        portfolios::routes,
        holdings::routes,
        transactions::routes,
        strategies::routes,
        alerts::routes,
        forecasts::routes,
        tokens::routes,
        calls::nothing,
    ] {
        app.configure(resource);
    }
}
