//! What other nodes say: mirrors what is said here to them through Redis, and brings back what they say.
//!
//! A fast path and never the truth: what gets lost on it stands in the journal, whose feed every node follows.
//! So nothing waits for Redis, and everything here may fail: a link to a server that breaks is made anew, and
//! rooms are told that they may have missed something.

use std::{collections::HashSet, sync::Arc};

use crate::{
    ids::{Channel, NodeId},
    protocol::{Position, Publication, push::Event},
};

mod actor;
mod burial;
mod counting;
mod envelope;
mod handle;
mod interest;
mod link;
mod listener;
mod names;
mod registry;
#[cfg(test)]
mod tests;

pub use counting::{COUNT_HOLDS, Charge, Charged, Crowd};
pub use handle::{BridgeHandle, Options};
pub use registry::Entry;

/// What came from another node.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrived {
    /// It stands there in the journal that all nodes share. None: only that much is known.
    Committed(Position, Option<Arc<Publication>>),
    /// It has no place that all nodes agree on. `keep`: it goes into this node's own history, if the channel has one.
    Said { publication: Arc<Publication>, keep: bool },
    /// Somebody joined or left over there.
    Event(Event),
}

/// Who hears what the bridge brings. Called on its thread, so it must not block.
pub trait Ears: Send + Sync + 'static {
    /// Another node said something in a channel.
    fn arrived(&self, channel: &Channel, arrived: Arrived);

    /// A channel that was asked for is listened to from now on; or it can't be for the moment, and the journal's
    /// feed has to do. Said once for each [`BridgeHandle::listen`].
    fn listening(&self, channel: &Channel);

    /// What was said in a channel that is listened to may not have come.
    fn missed(&self, channel: &Channel);

    /// A run of a node, perhaps this one, was heard on one of the servers through which channels go.
    fn beacon(&self, from: NodeId, shard: usize);

    /// Another node has written something into the feed that somebody waits for.
    fn nudged(&self);

    /// There are so many of those servers now.
    fn shards(&self, count: usize);

    /// Channels in which somebody of this node may be.
    fn channels(&self) -> Vec<Channel>;

    /// These clients of this node are written down as members of a channel. Who is here and not among them has to be
    /// [written down](BridgeHandle::enter), who is among them and not here [struck out](BridgeHandle::leave).
    fn written(&self, channel: &Channel, clients: HashSet<String>);
}
