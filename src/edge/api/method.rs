//! The table of methods, and the way of one call: read, ask the backend within its deadline, write down.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Api, barring, batch, channels, connections, history, info, presence, publishing, rpc,
    subscriptions,
};
use crate::{ids::Channel, platform::wrong_json::explain, protocol::Refusal};

/// Every method but `batch`, which is made of them.
pub(super) const METHODS: &[&str] = &[
    "publish",
    "broadcast",
    "subscribe",
    "unsubscribe",
    "disconnect",
    "refresh",
    "block_user",
    "unblock_user",
    "revoke_token",
    "invalidate_user_tokens",
    "presence",
    "presence_stats",
    "history",
    "history_remove",
    "channels",
    "info",
    "rpc",
];

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request can't be read: what was expected.
    Malformed(String),
    Refused(Refusal),
}

pub(super) type Outcome = Result<Box<RawValue>, Failure>;

/// Does one method with its body.
pub(super) async fn call(api: &Api, method: &str, body: &str) -> Outcome {
    let outcome = match tokio::time::timeout(api.options.timeout, dispatch(api, method, body)).await
    {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::INTERNAL.because("no answer in time, it may still happen").into()),
    };
    if let Err(Failure::Refused(refusal)) = &outcome {
        api.metrics.refused_total.code(refusal.code).inc();
    }
    outcome
}

async fn dispatch(api: &Api, method: &str, body: &str) -> Outcome {
    match method {
        "publish" => publishing::publish(api, body).await,
        "broadcast" => publishing::broadcast(api, body).await,
        "subscribe" => subscriptions::subscribe(api, body).await,
        "unsubscribe" => subscriptions::unsubscribe(api, body).await,
        "disconnect" => connections::disconnect(api, body).await,
        "refresh" => connections::refresh(api, body).await,
        "block_user" => barring::block_user(api, body).await,
        "unblock_user" => barring::unblock_user(api, body).await,
        "revoke_token" => barring::revoke_token(api, body).await,
        "invalidate_user_tokens" => barring::invalidate_user_tokens(api, body).await,
        "presence" => presence::presence(api, body).await,
        "presence_stats" => presence::presence_stats(api, body).await,
        "history" => history::history(api, body).await,
        "history_remove" => history::history_remove(api, body).await,
        "channels" => channels::channels(api, body).await,
        "info" => info::info(api).await,
        "rpc" => rpc::rpc(body),
        batch::NAME => Err(Refusal::BAD_REQUEST.because("a batch in a batch").into()),
        _ => Err(Refusal::METHOD_NOT_FOUND.into()),
    }
}

/// Reads a request object. What is wrong with it is said without a word of it.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Failure> {
    serde_json::from_str(body).map_err(|e| Failure::Malformed(explain(&e, "a request")))
}

/// Writes a result object down.
pub(super) fn written(result: impl Serialize) -> Outcome {
    to_raw_value(&result)
        .map_err(|e| Refusal::INTERNAL.because(format_args!("can't write the result: {e}")).into())
}

/// The result of a method that has nothing to tell.
pub(super) fn nothing() -> Outcome {
    #[derive(Serialize)]
    struct Nothing {}
    written(Nothing {})
}

impl Api {
    /// A channel's name as it came.
    pub(super) fn channel(&self, name: &str) -> Result<Channel, Failure> {
        Channel::parse(name, self.options.channel_max_length)
            .map_err(|bad| Refusal::BAD_REQUEST.because(bad).into())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
