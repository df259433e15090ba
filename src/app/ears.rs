//! Where what the bridge brings goes.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    ids::{Channel, NodeId},
    realtime::{
        bridge::{Arrived, Ears},
        peers::{Heard, Shards},
        room::house::House,
    },
    work::feed::FeedHandle,
};

/// Rooms that are told at a time to write down who is there, and how long they have for it.
const ROOMS_AT_A_TIME: usize = 250;
const PAUSE: Duration = Duration::from_millis(20);

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

    /// A part of the rooms at a time: each has a line for each member to write.
    fn census(&self) {
        let house = self.house.clone();
        actix_rt::spawn(async move {
            for rooms in house.channels().chunks(ROOMS_AT_A_TIME) {
                rooms.iter().for_each(|room| house.register(room));
                sleep(PAUSE).await;
            }
        });
    }

    fn beacon(&self, run: NodeId, shard: usize) {
        if let Some(feed) = &self.feed {
            // The next one comes in a second.
            let _ = feed.hears().try_send(Heard { run, shard });
        }
    }

    fn shards(&self, count: usize) {
        if let Some(feed) = &self.feed {
            #[allow(clippy::disallowed_methods, reason = "once each time that the servers change")]
            feed.counts_shards().do_send(Shards(count));
        }
    }
}
