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
    edge::{
        backend::Others,
        ops::{self, Readiness},
    },
    realtime::{
        journal::{Pending, Unavailable},
        session::everywhere::Everywhere,
    },
    work::feed::Feed,
};

/// How long the first look at the journal's feed may take.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// A first answer of a store, or why the node can't start.
async fn first_look<T>(look: Pending<'_, Result<T, Unavailable>>) -> Result<T, Failed> {
    let seen = timeout(FIRST_LOOK, look).await;
    let late = |_| Failed::because("the journal did not answer in time");
    seen.map_err(late)?.map_err(|why| Failed::because(why.0))
}

impl Parts {
    /// Begins to follow the nodes that share the journal, and to hear them, if there may be any.
    pub(super) async fn meet(&mut self) -> Result<(), Failed> {
        self.follow().await?;
        // Behind the feed: who is heard on the bridge is known from there.
        if let Some(bridge) = &self.bridge {
            let house = self.node.house.clone();
            if let Some(feed) = &self.feed {
                feed.follow(bridge.knows_who_lives());
            }
            bridge.open(Arc::new(NodeEars { house, feed: self.feed.clone() }));
        }
        Ok(())
    }

    /// In this order: cursor, who is barred, the feed.
    async fn follow(&mut self) -> Result<(), Failed> {
        let settings = &self.node.settings;
        let alone = settings.postgres.url.is_empty() || settings.cluster.single_node;
        let durable = &self.journals[0];
        // In this order: what changes after the cursor is in the feed.
        let cursor = first_look(durable.journal().cursor()).await?;
        self.node.barred.replace(first_look(self.bars.load(self.node.now())).await?);
        if !alone {
            let (node, bars, begin) = (self.node.clone(), self.bars.clone(), (self.id, cursor));
            let thread = self.journal_thread.handle();
            self.feed = Some(Feed::start(node, durable, bars, begin, &thread));
        }
        Ok(())
    }

    /// What the server API reaches the other nodes through.
    pub(super) fn others(&self) -> Others {
        let everywhere = self.feed.clone().map(|feed| Arc::new(feed) as Arc<dyn Everywhere>);
        Others { everywhere, bars: self.bars.clone() }
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
