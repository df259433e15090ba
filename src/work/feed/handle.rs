//! What the others hold of the feed: verbs.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Recipient};
use tokio::sync::oneshot;

use super::{Cluster, Feed, Leave, telling::Follow};
use crate::realtime::peers::{Heard, Outlook, Shards};

/// How long the others may take to be told that a node ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// The way to the feed. Cheap to clone.
#[derive(Clone)]
pub struct FeedHandle {
    feed: Addr<Feed>,
    cluster: Arc<Cluster>,
}

impl FeedHandle {
    pub(super) fn new(feed: Addr<Feed>, cluster: Arc<Cluster>) -> Self {
        Self { feed, cluster }
    }

    /// What is known of the others.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Where the bridge says whom it has heard.
    pub fn hears(&self) -> Recipient<Heard> {
        self.feed.clone().recipient()
    }

    /// Where the bridge says how many shards it has; at its start, and after each change.
    pub fn counts_shards(&self) -> Recipient<Shards> {
        self.feed.clone().recipient()
    }

    /// Tells `follower` who lives: now, and after each change. Each death is told once.
    pub fn follow(&self, follower: Recipient<Outlook>) {
        #[allow(clippy::disallowed_methods, reason = "one a part of the node, at its start")]
        self.feed.do_send(Follow(follower));
    }

    /// Tells the others that this node ends, so that nobody misses it. Waits until that is committed, or not
    /// in time.
    pub async fn leave(&self) {
        let (leave, left) = oneshot::channel();
        #[allow(clippy::disallowed_methods, reason = "one a shutdown")]
        self.feed.do_send(Leave(leave));
        if tokio::time::timeout(FAREWELL, left).await.is_err() {
            log::warn!("the other nodes could not be told that this one ends");
        }
    }
}
