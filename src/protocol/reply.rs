//! What commands are answered with.

use std::{collections::BTreeMap, sync::Arc};

use super::{ClientInfo, Epoch, Payload, Publication, Refusal};

/// The answer to the command `id`.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    pub id: u32,
    pub outcome: Outcome,
}

/// A refusal, or the result named like the command.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Refused(Refusal),
    Connect(Box<ConnectResult>),
    Subscribe(Box<SubscribeResult>),
    Unsubscribe,
    Publish,
    Presence(PresenceResult),
    PresenceStats { num_clients: u32, num_users: u32 },
    History(HistoryResult),
    Rpc { data: Payload },
    Refresh(RefreshResult),
    SubRefresh { expires: bool, ttl: u32 },
}

/// Everybody who is in a channel, by client id.
pub type PresenceResult = BTreeMap<String, Arc<ClientInfo>>;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConnectResult {
    pub client: String,
    pub version: String,
    pub expires: bool,
    /// Seconds until the client should bring a new token; written when `expires`.
    pub ttl: u32,
    pub data: Payload,
    /// Server-side subscriptions.
    pub subs: BTreeMap<String, SubscribeResult>,
    /// Seconds between pings of the server; 0: no application pings.
    pub ping: u32,
    /// Whether the client must answer them.
    pub pong: bool,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct SubscribeResult {
    pub expires: bool,
    pub ttl: u32,
    pub recoverable: bool,
    pub positioned: bool,
    pub epoch: Epoch,
    /// The offset that the client sent if it recovered, else the channel's top.
    pub offset: u64,
    /// What it missed, ascending; `delta: true` in here means that `data` is a delta.
    pub publications: Vec<RecoveredPublication>,
    pub recovered: bool,
    pub was_recovering: bool,
    pub data: Payload,
    /// Whether publications may come as deltas.
    pub delta: bool,
}

/// A publication of a subscribe result.
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveredPublication {
    pub publication: Arc<Publication>,
    /// Set: the client gets this fossil delta against the publication before it instead of `data`.
    pub delta: Option<bytes::Bytes>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct HistoryResult {
    pub publications: Vec<Arc<Publication>>,
    pub epoch: Epoch,
    /// The channel's top.
    pub offset: u64,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct RefreshResult {
    pub client: String,
    pub version: String,
    pub expires: bool,
    pub ttl: u32,
}
