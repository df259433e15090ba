//! A connection as its hub and its rooms see it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    ids::Channel,
    protocol::{ClientInfo, Close, Encoding, refusal::Refusal, reply::SubscribeResult},
};

/// Names one connection of one worker thread, for the life of the node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SeatId(u64);

/// Which worker thread (its hub), from 0.
pub type WorkerIndex = usize;

impl SeatId {
    /// The `count`-th connection of a worker.
    pub const fn new(worker: WorkerIndex, count: u64) -> Self {
        Self((worker as u64) << 48 | (count & 0xffff_ffff_ffff))
    }

    /// The worker thread on which it lives.
    pub fn worker(self) -> WorkerIndex {
        (self.0 >> 48) as usize
    }
}

/// Counts the subscriptions of a connection, so that a late leave can't end a newer one.
pub type SubscriptionNumber = u32;

/// What a hub needs of a connection on its thread. The session layer implements it.
pub trait Seat {
    /// How this connection's messages are written down.
    fn encoding(&self) -> Encoding;

    /// Queues one encoded message of its own.
    fn push(&self, message: Bytes);

    /// Queues one encoded message that others get too, and that was [weighed](super::scales::Scales) once for all.
    fn push_shared(&self, weighed: Bytes);

    /// Bytes that were recovered for this connection and wait to be written with others.
    fn push_recovered(&self, message: Bytes);

    /// Tells the connection's actor.
    fn notice(&self, notice: Notice);

    /// A time that was filed with the [`Roster`](super::roster::Roster) has come.
    fn due(&self);

    /// Whether it is not closing.
    fn is_open(&self) -> bool;
}

/// What a connection hears from rooms, through its hub.
#[derive(Debug)]
pub enum Notice {
    /// The subscription stands; for a client-side one the reply is queued already.
    Entered { channel: Channel, number: SubscriptionNumber, result: Box<SubscribeResult> },
    /// The subscription was refused; nothing is queued: the connection answers.
    Refused { channel: Channel, number: SubscriptionNumber, refusal: Refusal },
    /// The room let go of the member.
    Left { channel: Channel, number: SubscriptionNumber },
    /// The member missed something, or its channel's history is another one: it has to come back and recover.
    Behind { channel: Channel, number: SubscriptionNumber },
    /// Close the connection.
    Close(Close),
}

/// What a member asked for when it subscribed, as its session decided.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Its position is watched: it sees every publication once and in order, or is told.
    pub positioned: bool,
    /// It may come back with a position.
    pub recoverable: bool,
    /// It hears who joins and leaves.
    pub join_leave: bool,
    /// It understands fossil deltas.
    pub delta: bool,
    /// It shows up in presence, and others hear of its join and leave.
    pub announced: Announced,
}

/// How a member learns that it has entered; what follows on the wire follows the position named in there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// By the reply to its `subscribe` command of that id.
    Reply(u32),
    /// By a push: the server subscribed it.
    Push,
    /// By the reply to its `connect`, which its session writes.
    Connect,
}

/// Which of others' views a member enters. From the namespace, or overridden by its token.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announced {
    pub presence: bool,
    pub join_leave: bool,
}

/// Who a member is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub seat: SeatId,
    pub number: SubscriptionNumber,
    pub info: Arc<ClientInfo>,
}
