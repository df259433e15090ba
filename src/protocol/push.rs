//! What the server says unasked.

use std::sync::Arc;

use super::{ClientInfo, Payload, Position, Publication, refusal::Unsubscribed};
use crate::ids::Channel;

/// A push into a channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Push {
    pub channel: Channel,
    pub event: Event,
}

/// What happened there.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A publication, whole.
    Publication {
        publication: Arc<Publication>,
        /// Written on the first publication of a stream, so that a client that knows no epoch learns it.
        epoch: Option<super::Epoch>,
        /// How `data` travels.
        form: Form,
    },
    Join(Arc<ClientInfo>),
    Leave(Arc<ClientInfo>),
    Unsubscribe(Unsubscribed),
    /// The server subscribed this connection.
    Subscribe {
        position: Option<Position>,
        recoverable: bool,
        positioned: bool,
        data: Payload,
    },
    /// The server changed this connection's lifetime.
    Refresh {
        expires: bool,
        ttl: u32,
    },
}

/// How a publication's data travels to a member.
#[derive(Clone, PartialEq, Debug)]
pub enum Form {
    /// As it is: embedded JSON, or raw bytes in Protobuf.
    Plain,
    /// Whole, to a member that negotiated deltas: in JSON an escaped string.
    Full,
    /// This fossil delta against the publication before it: in JSON an escaped string.
    Delta(bytes::Bytes),
}
