//! What the others hold of the feed: verbs.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Recipient};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::{
    Cluster, Feed,
    asking::Ask,
    beating::Leave,
    hearing::{Missed, Nudged},
    telling::Follow,
};
use crate::{
    ids::Channel,
    realtime::{
        peers::{Heard, Outlook, Peer, Shards},
        session::everywhere::{Channels, Everywhere, Order, Undone},
    },
};

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

    /// What was said in a channel may not have come through the bridge: its room is compared with the journal, soon.
    pub fn missed(&self, channel: &Channel) {
        #[allow(
            clippy::disallowed_methods,
            reason = "one a channel each time that a link is made anew"
        )]
        self.feed.do_send(Missed(channel.clone()));
    }

    /// Another node has written something that it waits for. A full mailbox holds a reason to look already.
    pub fn nudged(&self) {
        let _ = self.feed.try_send(Nudged);
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

impl FeedHandle {
    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, Undone>>) -> Ask,
    ) -> BoxFuture<'static, Result<T, Undone>> {
        let (answer, answered) = oneshot::channel();
        let asked = self.feed.try_send(ask(answer));
        Box::pin(async move {
            asked.map_err(|_| Undone::Busy)?;
            // It answers in time, or fell over the question.
            answered.await.unwrap_or(Err(Undone::NotNoted))
        })
    }
}

impl Everywhere for FeedHandle {
    fn order(&self, order: Order) -> BoxFuture<'static, Result<(), Undone>> {
        self.ask(|answer| Ask::Order(order, answer))
    }

    fn channels(
        &self,
        pattern: Option<String>,
    ) -> BoxFuture<'static, Result<Vec<Channels>, Undone>> {
        self.ask(|answer| Ask::Channels(pattern, answer))
    }

    fn peers(&self) -> Vec<Peer> {
        self.cluster.peers()
    }
}
