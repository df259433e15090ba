//! Every route of the public port, in one table.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use actix_web_prom::{PrometheusMetrics, PrometheusMetricsBuilder};

use super::handshake;
use crate::platform::metrics::Metrics;

/// Adds the routes to an `App`.
pub fn public(app: &mut web::ServiceConfig) {
    app.route(handshake::PATH, web::to(no_upgrade)).default_service(web::to(not_found));
}

/// Counts requests by route in the node's own registry.
///
/// What matches no route is kept out: each path that a stranger invents would be a series for ever.
pub fn counted(metrics: &Arc<Metrics>) -> Result<PrometheusMetrics, String> {
    PrometheusMetricsBuilder::new("fanfare")
        .registry(metrics.registry.clone())
        .mask_unmatched_patterns("unmatched")
        .exclude_status(actix_web::http::StatusCode::NOT_FOUND)
        .exclude_status(actix_web::http::StatusCode::METHOD_NOT_ALLOWED)
        .build()
        .map_err(|e| format!("HTTP metrics can't be registered: {e}"))
}

/// A request that is no upgrade, where sockets are opened.
async fn no_upgrade() -> HttpResponse {
    HttpResponse::UpgradeRequired()
        .insert_header(("upgrade", "websocket"))
        .body("expected a WebSocket: Upgrade: websocket, Connection: Upgrade, and no body\n")
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().body("no such path\n")
}
