//! Where what the bridge brings goes.

use std::sync::Arc;

use actix::Recipient;

use crate::{
    ids::{Channel, NodeId},
    realtime::{
        bridge::{Arrived, Ears},
        peers::{Heard, Shards},
        room::house::House,
    },
};

/// The ears of this node.
pub(super) struct NodeEars {
    pub house: Arc<House>,
    /// Who wants to know which nodes are heard; nobody without a journal that is shared.
    pub beacons: Option<(Recipient<Heard>, Recipient<Shards>)>,
}

impl Ears for NodeEars {
    fn arrived(&self, channel: &Channel, arrived: Arrived) {
        self.house.arrived(channel, arrived);
    }

    fn listening(&self, channel: &Channel) {
        self.house.listening(channel);
    }

    fn missed(&self, channel: &Channel) {
        self.house.missed(channel);
    }

    fn beacon(&self, run: NodeId, shard: usize) {
        if let Some((heard, _)) = &self.beacons {
            // The next one comes in a second.
            let _ = heard.try_send(Heard { run, shard });
        }
    }

    fn shards(&self, count: usize) {
        if let Some((_, shards)) = &self.beacons {
            #[allow(clippy::disallowed_methods, reason = "once each time that the servers change")]
            shards.do_send(Shards(count));
        }
    }
}
