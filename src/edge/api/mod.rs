//! The server API: what programs that hold a key ask of the node, each method `POST /api/<method>`.
//!
//! One file a resource turns JSON into a typed request, asks the [`Backend`] and writes its answer down. Nothing is
//! decided here but who is asking and whether a request can be read. A method of the protocol that is missing here
//! (map, shared poll, and what is sold upstream) is a path that does not exist.

mod barring;
mod batch;
mod channels;
mod connections;
mod door;
mod history;
mod info;
mod method;
mod presence;
mod publishing;
mod rpc;
mod subscriptions;
mod words;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_core::future::LocalBoxFuture;

pub use channels::ChannelInfo;
pub use connections::{Disconnect, Refresh, Whose};
pub use door::routes;
pub use history::History;
pub use info::{NodeInfo, Process};
pub use publishing::Publish;
pub use subscriptions::{Subscribe, Unsubscribe};

use super::identity::ApiKeys;
use crate::{
    ids::Channel,
    platform::metrics::Metrics,
    protocol::{
        Position, Refusal,
        reply::{HistoryResult, PresenceResult},
    },
    realtime::barred::Bar,
};

/// A backend's answer: what was asked for, or a refusal of the protocol. Polled on the thread that asked.
pub type Answer<'a, T> = LocalBoxFuture<'a, Result<T, Refusal>>;

/// What the API asks of the node's channels and people. Called from any worker thread.
///
/// Acts on all nodes where it is about users and connections; an unknown user or client is no error.
pub trait Backend: Send + Sync {
    /// Publishes; where it stands, or none if the channel has no history.
    fn publish(&self, request: Publish) -> Answer<'_, Option<Position>>;
    fn subscribe(&self, request: Subscribe) -> Answer<'_, ()>;
    fn unsubscribe(&self, request: Unsubscribe) -> Answer<'_, ()>;
    fn disconnect(&self, request: Disconnect) -> Answer<'_, ()>;
    fn refresh(&self, request: Refresh) -> Answer<'_, ()>;
    /// Lets a user or token in no more, and closes its connections.
    fn bar(&self, bar: Bar) -> Answer<'_, ()>;
    /// Lets a user in again.
    fn allow(&self, user: String) -> Answer<'_, ()>;
    fn presence(&self, channel: Channel) -> Answer<'_, PresenceResult>;
    /// Clients and users.
    fn presence_stats(&self, channel: Channel) -> Answer<'_, (u32, u32)>;
    fn history(&self, request: History) -> Answer<'_, HistoryResult>;
    fn history_remove(&self, channel: Channel) -> Answer<'_, ()>;
    /// Channels with members whose name fits; every one if there is no pattern.
    fn channels(&self, pattern: Option<String>) -> Answer<'_, BTreeMap<String, ChannelInfo>>;
    fn info(&self) -> Answer<'_, Vec<NodeInfo>>;
}

/// What an operator may turn.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may ask.
    pub keys: ApiKeys,
    /// Bytes of a request's body, at most; more is answered 413.
    pub body_limit: usize,
    /// Characters of a channel's name, at most.
    pub channel_max_length: usize,
    /// A method that has not answered by then is answered with a temporary error. It may still happen.
    pub timeout: Duration,
    /// Refusals are HTTP statuses for everybody, not only for those who ask by header.
    pub transport_errors: bool,
}

/// All that the API needs; one for all workers.
pub struct Api {
    pub options: Options,
    pub backend: Arc<dyn Backend>,
    pub metrics: Arc<Metrics>,
}

#[cfg(test)]
mod tests;
