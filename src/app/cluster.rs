//! This node among others: what it follows, and what the operator port tells of that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{Failed, Parts, ears::NodeEars};
use crate::{
    edge::ops::{self, Readiness},
    work::feed::Feed,
};

/// How long the first look at the journal's feed may take.
const FIRST_LOOK: Duration = Duration::from_secs(10);

impl Parts {
    /// Begins to follow the nodes that share the journal, and to hear them, if there may be any.
    pub(super) async fn meet(&mut self) -> Result<(), Failed> {
        self.follow().await?;
        // Behind the feed: who is heard on the bridge is known from there.
        if let Some(bridge) = &self.bridge {
            let house = self.node.house.clone();
            let beacons = self.feed.as_ref().map(|feed| (feed.hears(), feed.counts_shards()));
            if let Some(feed) = &self.feed {
                feed.follow(bridge.knows_who_lives());
            }
            bridge.open(Arc::new(NodeEars { house, beacons }));
        }
        Ok(())
    }

    async fn follow(&mut self) -> Result<(), Failed> {
        let settings = &self.node.settings;
        if settings.postgres.url.is_empty() || settings.cluster.single_node {
            return Ok(());
        }
        let durable = &self.journals[0];
        let cursor = timeout(FIRST_LOOK, durable.journal().cursor()).await;
        let cursor = cursor
            .map_err(|_| Failed::because("the journal's feed could not be read in time"))?
            .map_err(|why| Failed::because(why.0))?;
        let begin = (self.id, cursor);
        self.feed =
            Some(Feed::start(self.node.clone(), durable, begin, &self.journal_thread.handle()));
        Ok(())
    }

    /// What the operator port tells.
    pub(super) fn told(&self, draining: Arc<AtomicBool>) -> ops::Told {
        let (node, workers) = (self.node.clone(), self.workers);
        let feed = self.feed.clone();
        let readiness = move || {
            let mut reasons = Vec::new();
            if draining.load(Ordering::Relaxed) {
                reasons.push("draining: connect elsewhere".to_string());
            }
            if node.house.workers().len() < workers {
                reasons.push("starting".to_string());
            }
            let condition = feed.as_ref().map(|feed| feed.cluster().condition(Instant::now()));
            let condition = condition.unwrap_or_default();
            reasons.extend(condition.unfit);
            let ready = reasons.is_empty();
            reasons.extend(condition.degraded);
            Readiness { ready, reasons }
        };
        ops::Told { metrics: self.node.metrics.clone(), readiness: Arc::new(readiness) }
    }
}
