//! What the server does to connections of a user: the server API's verbs, as each connection hears them.

use std::collections::HashSet;
use std::sync::Arc;

use actix::Message;

use crate::{
    ids::{Channel, ClientId},
    platform::tokens::Overrides,
    protocol::{Close, Payload, Position, refusal::Unsubscribed},
};

/// An act and whom it is for.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Act {
    /// Only this connection; none: all of the user.
    pub client: Option<ClientId>,
    /// Not these.
    pub except: Arc<HashSet<ClientId>>,
    pub deed: Deed,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Deed {
    Disconnect(Close),
    /// None: from all channels.
    Unsubscribe(Option<Channel>, Unsubscribed),
    Subscribe(Arc<Grant>),
    Refresh(Refreshed),
    /// Close it if its user or token is barred by now.
    Recheck,
}

/// A server-side subscription, from a connection token or the server API.
#[derive(Clone, Debug)]
pub struct Grant {
    pub channel: Channel,
    pub chan_info: Payload,
    pub data: Payload,
    /// Unix seconds; none: never.
    pub expire_at: Option<i64>,
    pub recover: Option<Position>,
    pub overrides: Overrides,
}

/// A new lifetime of a connection.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// Close it now.
    pub expired: bool,
    /// Unix seconds; none: never.
    pub expire_at: Option<i64>,
    /// What others are told of it from now on; none: as before.
    pub info: Option<Payload>,
}

impl Act {
    /// Whether that connection is meant.
    pub fn is_for(&self, client: ClientId) -> bool {
        self.client.is_none_or(|only| only == client) && !self.except.contains(&client)
    }
}
