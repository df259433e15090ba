//! Publish into one channel, or the same into many.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Api,
    method::{Failure, Outcome, read, written},
    words::{self, WrittenRefusal},
};
use crate::{
    ids::Channel,
    protocol::{Position, Publication, Refusal, Tags},
    realtime::journal::{Key, Version},
};

/// A broadcast has at most so many publishes under way, so that one call does not fill every mailbox.
const UNDER_WAY: usize = 64;
/// Bytes of an idempotency key or a version's epoch: each is kept in a row.
const NAME_LIMIT: usize = 255;
/// The publisher's name beside whom idempotency keys stand.
const PUBLISHER: &str = "api";

/// A publication into a channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Publish {
    pub channel: Channel,
    /// Has neither position nor publisher; `delta` as the caller wants it, beside what the namespace says.
    pub publication: Publication,
    /// Delivered to who is there, not kept.
    pub skip_history: bool,
    /// Makes retries happen once.
    pub key: Option<Key>,
    /// Makes older ones be dropped.
    pub version: Option<Version>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    channel: String,
}

#[derive(Deserialize)]
struct Many {
    #[serde(default)]
    channels: Vec<String>,
}

/// What is published, wherever. Read from the same body apart, as raw JSON does not pass serde's `flatten`.
#[derive(Deserialize)]
struct What {
    #[serde(default, deserialize_with = "words::said")]
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    skip_history: Option<bool>,
    tags: Option<Tags>,
    idempotency_key: Option<String>,
    delta: Option<bool>,
    version: Option<u64>,
    version_epoch: Option<String>,
}

#[derive(Serialize)]
struct Published {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
}

pub(super) async fn publish(api: &Api, body: &str) -> Outcome {
    let One { channel } = read(body)?;
    let publish = read::<What>(body)?.into(api.channel(&channel)?)?;
    written(published(api, publish).await?)
}

pub(super) async fn broadcast(api: &Api, body: &str) -> Outcome {
    #[derive(Serialize)]
    struct Response {
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Published>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Box<RawValue>>,
    }
    #[derive(Serialize)]
    struct Responses {
        responses: Vec<Response>,
    }
    let Many { channels } = read(body)?;
    if channels.is_empty() {
        return Err(Refusal::BAD_REQUEST
            .because("expected one channel or more in channels")
            .into());
    }
    let model = read::<What>(body)?.into(Channel::trusted("-"))?;
    let each = channels.iter().map(|name| {
        let model = &model;
        async move {
            let publish = Publish { channel: api.channel(name)?, ..model.clone() };
            published(api, publish).await
        }
    });
    let outcomes: Vec<_> = stream::iter(each).buffered(UNDER_WAY).collect().await;
    let mut responses = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        responses.push(match outcome {
            Ok(published) => Response { result: Some(published), error: None },
            Err(Failure::Refused(refusal)) => {
                api.metrics.refused_total.code(refusal.code).inc();
                let error = written(WrittenRefusal::from(&refusal))?;
                Response { result: None, error: Some(error) }
            }
            Err(malformed) => return Err(malformed),
        });
    }
    written(Responses { responses })
}

async fn published(api: &Api, publish: Publish) -> Result<Published, Failure> {
    let begun = Instant::now();
    let position = api.backend.publish(publish).await?;
    api.metrics.publish_ack_seconds.observe(begun.elapsed().as_secs_f64());
    Ok(position.into())
}

impl What {
    fn into(self, channel: Channel) -> Result<Publish, Failure> {
        if self.data.is_none() && self.b64data.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::BAD_REQUEST.because("expected data or b64data").into());
        }
        let key = bounded("idempotency_key", self.idempotency_key)?;
        let version_epoch = bounded("version_epoch", self.version_epoch)?;
        Ok(Publish {
            channel,
            publication: Publication {
                data: words::payload(self.data, self.b64data)?,
                tags: self.tags.unwrap_or_default(),
                delta: self.delta.unwrap_or_default(),
                ..Publication::default()
            },
            skip_history: self.skip_history.unwrap_or_default(),
            key: key.map(|key| Key { publisher: PUBLISHER.into(), key }),
            version: self
                .version
                .filter(|number| *number > 0)
                .map(|number| Version { number, epoch: version_epoch.unwrap_or_default() }),
        })
    }
}

/// An optional name of bounded length; the empty one is none.
fn bounded(field: &str, name: Option<String>) -> Result<Option<String>, Failure> {
    match name.filter(|name| !name.is_empty()) {
        Some(name) if name.len() > NAME_LIMIT => {
            let detail = format_args!("{field} has at most {NAME_LIMIT} bytes, got {}", name.len());
            Err(Refusal::BAD_REQUEST.because(detail).into())
        }
        name => Ok(name),
    }
}

impl From<Option<Position>> for Published {
    fn from(position: Option<Position>) -> Self {
        Self {
            offset: position.as_ref().map(|position| position.offset),
            epoch: position.map(|position| position.epoch.as_str().to_string()),
        }
    }
}
