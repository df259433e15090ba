//! What a room is asked, and what it hears back from the journal.

use std::{collections::HashSet, sync::Arc};

use actix::Message;
use tokio::sync::oneshot;

use super::seat::{Identity, SeatId, SubscriptionNumber, Told, Wishes, WorkerIndex};
use crate::{
    protocol::{Payload, Position, Publication, reply::PresenceResult},
    realtime::{
        bridge::Arrived,
        journal::{Appended, Key, Page, Unavailable, Version, writer::Answer},
    },
};

/// Everything that the outside asks of a room.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Request {
    Subscribe(Box<Subscribe>),
    /// Somebody will, who stood there if it wants to recover: what that takes can be looked up now.
    Expect(Option<Position>),
    Leave(Leave),
    Publish(Box<Publish>),
    Presence(oneshot::Sender<PresenceResult>),
    PresenceStats(oneshot::Sender<PresenceStats>),
    /// How many members there are.
    Members(oneshot::Sender<u32>),
    /// The hub of that worker fell: ask it who is there, and up to where.
    Recount(WorkerIndex),
    /// What it answers.
    Census(super::hub::Census),
    /// The channel's history was removed.
    Removed,
    /// Another node said something, or is known to have.
    Arrived(Arrived),
    /// Where the channel stands, by the journal.
    Stands(Position),
    /// These clients are written down as members on this node, for other nodes to see.
    Written(HashSet<String>),
    /// What other nodes say is heard from now on.
    Listening,
    /// Something of other nodes did not get through to this room.
    Missed,
    /// Time to look after itself.
    Tick,
    /// Panics.
    #[cfg(test)]
    Fall,
}

/// Asks to enter. Answered through the member's hub, by a reply and a [`Notice`](super::seat::Notice).
pub struct Subscribe {
    pub who: Identity,
    pub wishes: Wishes,
    /// Where it stood; some if it wants to recover.
    pub recover: Option<Position>,
    /// What to do if it can't.
    pub else_refuse: bool,
    /// Goes into the result as it is.
    pub data: Payload,
    /// Seconds until its subscription token expires, if it does.
    pub ttl: Option<u32>,
    pub told: Told,
}

/// Says good-bye.
pub struct Leave {
    pub seat: SeatId,
    pub number: SubscriptionNumber,
    /// The `unsubscribe` command to reply to, if that is why.
    pub command: Option<u32>,
}

/// Asks to publish. What becomes of it goes to `answer`.
pub struct Publish {
    pub publication: Arc<Publication>,
    pub key: Option<Key>,
    pub version: Option<Version>,
    /// Deliver without a place in history, even if the channel has one.
    pub skip_history: bool,
    pub answer: Answer,
}

/// How many are in a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PresenceStats {
    pub clients: u32,
    pub users: u32,
}

/// A page that the room asked its journal for.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PageRead {
    pub asked: Asked,
    pub page: Result<Page, Unavailable>,
}

/// What a page is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Where the channel stands.
    Top,
    /// What follows the room's own position.
    Gap(u64),
    /// What follows that of a returning member.
    Missed(u64),
}

/// Nothing comes after this in the mailbox but what the journal still says.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct End;

/// What a publisher into a channel without history is told.
pub(super) fn unnumbered() -> Appended {
    Appended::New(Position::default())
}
