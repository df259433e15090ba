//! What clients ask: one struct a command, as decoded from either encoding.

use std::collections::BTreeMap;

use super::{Payload, Position};

/// One command of a client.
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    /// Names the reply; 0 for `send` and pongs, which have none.
    pub id: u32,
    /// What is asked.
    pub request: Request,
}

/// What a command asks for. If a frame names several, the first in the protocol's fixed order counts.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    Connect(Box<ConnectRequest>),
    Subscribe(Box<SubscribeRequest>),
    Unsubscribe {
        channel: String,
    },
    Publish {
        channel: String,
        data: Payload,
    },
    Presence {
        channel: String,
    },
    PresenceStats {
        channel: String,
    },
    History(HistoryRequest),
    Rpc {
        method: String,
        data: Payload,
    },
    Send {
        data: Payload,
    },
    Refresh {
        token: String,
    },
    SubRefresh {
        channel: String,
        token: String,
    },
    /// No field set: an answer to the server's ping.
    Pong,
    /// The schema's `ping`, which the server does not answer, or nothing that we know.
    Unknown,
}

/// The first command of each connection.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConnectRequest {
    pub token: String,
    pub data: Payload,
    /// Where the client stood in its server-side subscriptions; present only for those it wants recovered.
    pub subs: BTreeMap<String, Position>,
    /// Name and version of the SDK.
    pub name: String,
    pub version: String,
}

/// Asks to become a member of a channel.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SubscribeRequest {
    pub channel: String,
    pub token: String,
    /// Set when `recover` is: what was seen last.
    pub recover: Option<Position>,
    pub data: Payload,
    pub positioned: bool,
    pub recoverable: bool,
    pub join_leave: bool,
    /// Name of the delta format asked for; empty for none.
    pub delta: String,
    /// Whether a tags filter came along (not supported: refused).
    pub has_filter: bool,
    /// Bit 1: channel compaction (ignored). Bit 2: refuse with 112 rather than answer `recovered: false`.
    pub flag: i64,
    /// Subscription type; only 0, a stream, is served.
    pub kind: i32,
}

/// Asks for a page of a channel's history.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HistoryRequest {
    pub channel: String,
    /// 0: only the top position. -1: everything, up to the limit. Else at most so many.
    pub limit: i32,
    pub since: Option<Position>,
    pub reverse: bool,
}
