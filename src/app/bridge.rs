//! The way to other nodes, if there is one.

use std::sync::Arc;

use actix::Arbiter;

use super::Failed;
use crate::{
    ids::NodeId,
    platform::{metrics::Metrics, settings::Settings},
    realtime::bridge::{BridgeHandle, Options},
};

/// A bridge through Redis, on a thread of its own. None without Redis, or if this is to be the only node.
pub(super) fn start(
    settings: &Settings,
    me: NodeId,
    metrics: &Arc<Metrics>,
) -> Result<Option<BridgeHandle>, Failed> {
    let redis = &settings.redis;
    let Some(options) = redis.options().filter(|_| !settings.cluster.single_node) else {
        return Ok(None);
    };
    let address = options.map_err(|bad| Failed::because(format!("redis.url: expected {bad}")))?;
    let options = Options {
        redis: address,
        prefix: redis.prefix.clone(),
        me,
        queue_bytes: redis.queue_max_size.bytes(),
    };
    let thread = Arbiter::new();
    Ok(Some(BridgeHandle::start(options, metrics.clone(), &thread.handle())))
}
