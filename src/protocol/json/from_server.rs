//! Replies and pushes as a JSON client of ours reads them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{or_zero, payload, raw, read};
use crate::{
    ids::Channel,
    protocol::{
        Epoch, Malformed, Outcome, Payload, Position, Refusal,
        client::ServerMessage,
        publication, push,
        push::{Event, Form},
        refusal::Unsubscribed,
        reply::{self, HistoryResult, RecoveredPublication, RefreshResult},
    },
};

/// Reads one line of a server.
pub(in crate::protocol) fn server_message(line: Bytes) -> Result<ServerMessage, Malformed> {
    let reply: Reply<'_> = read(&line, "a reply")?;
    reply.message(&line)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reply<'a> {
    id: u32,
    error: Option<Error>,
    #[serde(borrow)]
    push: Option<Push<'a>>,
    #[serde(borrow)]
    connect: Option<Connect<'a>>,
    #[serde(borrow)]
    subscribe: Option<Subscribe<'a>>,
    unsubscribe: Option<Empty>,
    publish: Option<Empty>,
    #[serde(borrow)]
    presence: Option<Presence<'a>>,
    presence_stats: Option<PresenceStats>,
    #[serde(borrow)]
    history: Option<History<'a>>,
    #[serde(borrow)]
    rpc: Option<Data<'a>>,
    refresh: Option<Lifetime>,
    sub_refresh: Option<Lifetime>,
}

#[derive(Deserialize)]
struct Empty {}

impl Reply<'_> {
    fn message(self, line: &Bytes) -> Result<ServerMessage, Malformed> {
        if self.id == 0 {
            return match self.push {
                Some(push) => push.push(line).map(ServerMessage::Push),
                None => Ok(ServerMessage::Ping),
            };
        }
        let id = self.id;
        let outcome = self.outcome(line).ok_or_else(|| {
            Malformed(format!(
                "expected a result or an error in reply {id}, got none that is known"
            ))
        })?;
        Ok(ServerMessage::Reply(reply::Reply { id, outcome }))
    }

    fn outcome(self, line: &Bytes) -> Option<Outcome> {
        Some(if let Some(it) = self.error {
            let message = Cow::Owned(it.message);
            Outcome::Refused(Refusal { code: it.code, message, temporary: it.temporary })
        } else if let Some(it) = self.connect {
            Outcome::Connect(Box::new(it.result(line)))
        } else if let Some(it) = self.subscribe {
            Outcome::Subscribe(Box::new(it.result(line)))
        } else if self.unsubscribe.is_some() {
            Outcome::Unsubscribe
        } else if self.publish.is_some() {
            Outcome::Publish
        } else if let Some(it) = self.presence {
            let present = it.presence.into_iter();
            Outcome::Presence(present.map(|(client, it)| (client, it.info(line))).collect())
        } else if let Some(PresenceStats { num_clients, num_users }) = self.presence_stats {
            Outcome::PresenceStats { num_clients, num_users }
        } else if let Some(it) = self.history {
            Outcome::History(HistoryResult {
                publications: it
                    .publications
                    .into_iter()
                    .map(|it| it.publication(line).0)
                    .collect(),
                epoch: Epoch::new(&it.epoch),
                offset: it.offset,
            })
        } else if let Some(it) = self.rpc {
            Outcome::Rpc { data: payload(line, it.data) }
        } else if let Some(Lifetime { client, version, expires, ttl }) = self.refresh {
            Outcome::Refresh(RefreshResult { client, version, expires, ttl })
        } else {
            let Lifetime { expires, ttl, .. } = self.sub_refresh?;
            Outcome::SubRefresh { expires, ttl }
        })
    }
}

#[derive(Deserialize)]
struct Error {
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    temporary: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Lifetime {
    client: String,
    version: String,
    expires: bool,
    ttl: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Connect<'a> {
    client: String,
    version: String,
    expires: bool,
    ttl: u32,
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    subs: BTreeMap<String, Subscribe<'a>>,
    ping: u32,
    pong: bool,
}

impl Connect<'_> {
    fn result(self, line: &Bytes) -> reply::ConnectResult {
        let subs = self.subs.into_iter().map(|(channel, it)| (channel, it.result(line))).collect();
        reply::ConnectResult {
            client: self.client,
            version: self.version,
            expires: self.expires,
            ttl: self.ttl,
            data: payload(line, self.data),
            subs,
            ping: self.ping,
            pong: self.pong,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subscribe<'a> {
    expires: bool,
    ttl: u32,
    recoverable: bool,
    epoch: String,
    #[serde(borrow)]
    publications: Vec<Publication<'a>>,
    recovered: bool,
    offset: u64,
    positioned: bool,
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    was_recovering: bool,
    delta: bool,
}

impl Subscribe<'_> {
    fn position(&self) -> Option<Position> {
        let known = !self.epoch.is_empty() || self.offset > 0;
        known.then(|| Position { epoch: Epoch::new(&self.epoch), offset: self.offset })
    }

    fn result(self, line: &Bytes) -> reply::SubscribeResult {
        let recovered = |it: Publication<'_>| {
            let (publication, delta) = it.publication(line);
            RecoveredPublication { publication, delta }
        };
        reply::SubscribeResult {
            expires: self.expires,
            ttl: self.ttl,
            recoverable: self.recoverable,
            positioned: self.positioned,
            epoch: Epoch::new(&self.epoch),
            offset: self.offset,
            publications: self.publications.into_iter().map(recovered).collect(),
            recovered: self.recovered,
            was_recovering: self.was_recovering,
            data: payload(line, self.data),
            delta: self.delta,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Presence<'a> {
    #[serde(borrow)]
    presence: BTreeMap<String, ClientInfo<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PresenceStats {
    num_clients: u32,
    num_users: u32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct History<'a> {
    #[serde(borrow)]
    publications: Vec<Publication<'a>>,
    epoch: String,
    offset: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ClientInfo<'a> {
    user: String,
    client: String,
    #[serde(borrow, deserialize_with = "raw")]
    conn_info: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "raw")]
    chan_info: Option<&'a RawValue>,
}

impl ClientInfo<'_> {
    fn info(self, line: &Bytes) -> Arc<publication::ClientInfo> {
        Arc::new(publication::ClientInfo {
            user: self.user,
            client: self.client,
            conn_info: payload(line, self.conn_info),
            chan_info: payload(line, self.chan_info),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Publication<'a> {
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<ClientInfo<'a>>,
    offset: u64,
    tags: publication::Tags,
    delta: bool,
    epoch: String,
}

impl Publication<'_> {
    /// The publication, and the delta that stands for its data.
    fn publication(self, line: &Bytes) -> (Arc<publication::Publication>, Option<Bytes>) {
        let text = self.data.filter(|_| self.delta).map(|data| serde_json::from_str(data.get()));
        let delta = text.and_then(|text: Result<String, _>| text.ok()).map(Bytes::from);
        let data = match delta {
            Some(_) => Payload::default(),
            None => payload(line, self.data),
        };
        let info = self.info.map(|info| info.info(line));
        let (offset, tags) = (self.offset, self.tags);
        (Arc::new(publication::Publication { data, info, offset, tags, delta: false }), delta)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Push<'a> {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
    #[serde(borrow, rename = "pub")]
    publication: Option<Publication<'a>>,
    #[serde(borrow)]
    join: Option<Info<'a>>,
    #[serde(borrow)]
    leave: Option<Info<'a>>,
    unsubscribe: Option<Unsubscribe>,
    #[serde(borrow)]
    subscribe: Option<Subscribe<'a>>,
    refresh: Option<Lifetime>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info<'a> {
    #[serde(borrow)]
    info: ClientInfo<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Unsubscribe {
    code: u32,
    reason: String,
}

impl Push<'_> {
    fn push(self, line: &Bytes) -> Result<push::Push, Malformed> {
        let event = if let Some(mut it) = self.publication {
            let epoch = Some(std::mem::take(&mut it.epoch)).filter(|epoch| !epoch.is_empty());
            let (publication, delta) = it.publication(line);
            let epoch = epoch.as_deref().map(Epoch::new);
            Event::Publication { publication, epoch, form: delta.map_or(Form::Plain, Form::Delta) }
        } else if let Some(it) = self.join {
            Event::Join(it.info.info(line))
        } else if let Some(it) = self.leave {
            Event::Leave(it.info.info(line))
        } else if let Some(it) = self.unsubscribe {
            Event::Unsubscribe(Unsubscribed { code: it.code, reason: Cow::Owned(it.reason) })
        } else if let Some(it) = self.subscribe {
            Event::Subscribe {
                position: it.position(),
                recoverable: it.recoverable,
                positioned: it.positioned,
                data: payload(line, it.data),
            }
        } else if let Some(it) = self.refresh {
            Event::Refresh { expires: it.expires, ttl: it.ttl }
        } else {
            return Err(Malformed("expected an event in a push, got none that is known".into()));
        };
        Ok(push::Push { channel: Channel::trusted(&self.channel), event })
    }
}
