//! Forecasts that are computed before anybody asks: who was seen, and who computes for them.

use std::sync::Arc;

use actix::Arbiter;

use super::Parts;
use crate::work::{
    forecasts::{Forecaster, Seen},
    prices::KnownPrices,
};

/// Starts computing. Whoever is answered, or watches, has to be noted in what it returns.
pub(super) fn start(parts: &Parts, prices: &Arc<KnownPrices>) -> Arc<Seen> {
    let (node, seen) = (&parts.node, Arc::new(Seen::default()));
    let from = (parts.portfolios.clone(), prices.clone());
    let settings = node.settings.forecast.clone();
    // Of its own: here sockets are let in.
    let thread = Arbiter::new();
    Forecaster::start(from, seen.clone(), settings, node.metrics.clone(), &thread.handle());
    seen
}
