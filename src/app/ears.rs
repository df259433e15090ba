//! Where what the bridge brings goes.

use std::sync::Arc;

use crate::{
    ids::{Channel, NodeId},
    realtime::{
        bridge::{Arrived, Ears},
        room::house::House,
    },
};

/// The ears of this node.
pub(super) struct NodeEars {
    pub house: Arc<House>,
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

    fn beacon(&self, _: NodeId, _: usize) {}

    fn shards(&self, _: usize) {}
}
