//! Subscribe a user's connections to a channel, and end that.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Api, Whose,
    method::{Outcome, nothing, read},
    words::{Since, payload},
};
use crate::{
    ids::Channel,
    platform::tokens::Overrides,
    protocol::{Payload, Position},
};

/// A server-side subscription.
#[derive(Clone, PartialEq, Debug)]
pub struct Subscribe {
    pub whose: Whose,
    pub channel: Channel,
    /// Unix seconds at which it ends; none: never.
    pub expire_at: Option<i64>,
    /// Seen in presence, join and leave.
    pub info: Payload,
    /// Sent along in the push.
    pub data: Payload,
    /// Where the caller knows that the user stood.
    pub recover_since: Option<Position>,
    pub overrides: Overrides,
}

/// The end of subscriptions, of either side.
#[derive(Clone, PartialEq, Debug)]
pub struct Unsubscribe {
    pub whose: Whose,
    /// None: all channels.
    pub channel: Option<Channel>,
}

pub(super) async fn subscribe(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        channel: String,
        expire_at: Option<i64>,
        info: Option<Box<RawValue>>,
        b64info: Option<String>,
        data: Option<Box<RawValue>>,
        b64data: Option<String>,
        recover_since: Option<Since>,
        #[serde(rename = "override")]
        overrides: Option<Overrides>,
    }
    let asked: Asked = read(body)?;
    let request = Subscribe {
        whose: Whose::read(body)?,
        channel: api.channel(&asked.channel)?,
        expire_at: asked.expire_at.filter(|at| *at != 0),
        info: payload(asked.info, asked.b64info)?,
        data: payload(asked.data, asked.b64data)?,
        recover_since: asked.recover_since.map(Position::from),
        overrides: asked.overrides.unwrap_or_default(),
    };
    api.backend.subscribe(request).await?;
    nothing()
}

pub(super) async fn unsubscribe(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        channel: String,
    }
    let asked: Asked = read(body)?;
    let channel = match asked.channel.as_str() {
        "" => None,
        name => Some(api.channel(name)?),
    };
    api.backend.unsubscribe(Unsubscribe { whose: Whose::read(body)?, channel }).await?;
    nothing()
}
