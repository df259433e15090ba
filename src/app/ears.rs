//! Where what the bridge brings goes.

use std::{collections::HashSet, sync::Arc};

use crate::{
    ids::{Channel, NodeId},
    realtime::{
        bridge::{Arrived, Ears},
        peers::{Heard, Shards},
        room::house::House,
    },
    work::feed::FeedHandle,
};

/// The ears of this node.
pub(super) struct NodeEars {
    pub house: Arc<House>,
    /// Who follows the journal that nodes share, if they share one.
    pub feed: Option<FeedHandle>,
}

impl Ears for NodeEars {
    fn arrived(&self, channel: &Channel, arrived: Arrived) {
        self.house.arrived(channel, arrived);
    }

    fn listening(&self, channel: &Channel) {
        self.house.listening(channel);
    }

    fn missed(&self, channel: &Channel) {
        match &self.feed {
            Some(feed) => feed.missed(channel),
            None => self.house.missed(channel),
        }
    }

    fn channels(&self) -> Vec<Channel> {
        self.house.channels()
    }

    fn written(&self, channel: &Channel, clients: HashSet<String>) {
        self.house.written(channel, clients);
    }

    fn beacon(&self, run: NodeId, shard: usize) {
        if let Some(feed) = &self.feed {
            // The next one comes in a second.
            let _ = feed.hears().try_send(Heard { run, shard });
        }
    }

    fn nudged(&self) {
        if let Some(feed) = &self.feed {
            feed.nudged();
        }
    }

    fn shards(&self, count: usize) {
        if let Some(feed) = &self.feed {
            #[allow(clippy::disallowed_methods, reason = "once each time that the servers change")]
            feed.counts_shards().do_send(Shards(count));
        }
    }
}
