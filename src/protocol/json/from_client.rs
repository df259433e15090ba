//! Commands as JSON clients write them.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{or_zero, payload, raw, read};
use crate::protocol::{
    Epoch, Malformed, Position,
    command::{self, ConnectRequest, HistoryRequest, Request, SubscribeRequest},
};

/// Reads one line.
pub(in crate::protocol) fn command(line: Bytes) -> Result<command::Command, Malformed> {
    let command: Command<'_> = read(&line, "a command")?;
    Ok(command::Command { id: command.id, request: command.request(&line) })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Command<'a> {
    #[serde(deserialize_with = "or_zero")]
    id: u32,
    #[serde(borrow)]
    connect: Option<Connect<'a>>,
    #[serde(borrow)]
    subscribe: Option<Subscribe<'a>>,
    unsubscribe: Option<Named>,
    #[serde(borrow)]
    publish: Option<Publish<'a>>,
    presence: Option<Named>,
    presence_stats: Option<Named>,
    history: Option<History>,
    #[serde(borrow)]
    rpc: Option<Rpc<'a>>,
    #[serde(borrow)]
    send: Option<Send<'a>>,
    refresh: Option<Refresh>,
    sub_refresh: Option<SubRefresh>,
    ping: Option<IgnoredAny>,
}

impl Command<'_> {
    fn request(self, line: &Bytes) -> Request {
        if let Some(it) = self.connect {
            Request::Connect(Box::new(it.request(line)))
        } else if let Some(it) = self.subscribe {
            Request::Subscribe(Box::new(it.request(line)))
        } else if let Some(it) = self.unsubscribe {
            Request::Unsubscribe { channel: it.channel }
        } else if let Some(it) = self.publish {
            Request::Publish { channel: it.channel, data: payload(line, it.data) }
        } else if let Some(it) = self.presence {
            Request::Presence { channel: it.channel }
        } else if let Some(it) = self.presence_stats {
            Request::PresenceStats { channel: it.channel }
        } else if let Some(it) = self.history {
            Request::History(it.request())
        } else if let Some(it) = self.rpc {
            Request::Rpc { method: it.method, data: payload(line, it.data) }
        } else if let Some(it) = self.send {
            Request::Send { data: payload(line, it.data) }
        } else if let Some(it) = self.refresh {
            Request::Refresh { token: it.token }
        } else if let Some(it) = self.sub_refresh {
            Request::SubRefresh { channel: it.channel, token: it.token }
        } else if self.ping.is_some() || self.id > 0 {
            Request::Unknown
        } else {
            Request::Pong
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Connect<'a> {
    #[serde(deserialize_with = "or_zero")]
    token: String,
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    #[serde(deserialize_with = "or_zero")]
    subs: Positions,
    #[serde(deserialize_with = "or_zero")]
    name: String,
    #[serde(deserialize_with = "or_zero")]
    version: String,
}

impl Connect<'_> {
    fn request(self, line: &Bytes) -> ConnectRequest {
        ConnectRequest {
            token: self.token,
            data: payload(line, self.data),
            subs: self.subs.0,
            name: self.name,
            version: self.version,
        }
    }
}

/// The entries of `connect.subs` that ask for recovery; the others never take memory.
#[derive(Default)]
struct Positions(BTreeMap<String, Position>);

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Positions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of positions by channel")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Positions, A::Error> {
                let mut positions = BTreeMap::new();
                while let Some((channel, seen)) = map.next_entry::<String, Seen>()? {
                    if let Some(position) = seen.position() {
                        positions.insert(channel, position);
                    }
                }
                Ok(Positions(positions))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// What a client saw last.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Seen {
    #[serde(deserialize_with = "or_zero")]
    recover: bool,
    #[serde(deserialize_with = "or_zero")]
    epoch: String,
    #[serde(deserialize_with = "or_zero")]
    offset: u64,
}

impl Seen {
    fn position(self) -> Option<Position> {
        self.recover.then(|| Position { epoch: Epoch::new(&self.epoch), offset: self.offset })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subscribe<'a> {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
    #[serde(deserialize_with = "or_zero")]
    token: String,
    #[serde(deserialize_with = "or_zero")]
    recover: bool,
    #[serde(deserialize_with = "or_zero")]
    epoch: String,
    #[serde(deserialize_with = "or_zero")]
    offset: u64,
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    #[serde(deserialize_with = "or_zero")]
    positioned: bool,
    #[serde(deserialize_with = "or_zero")]
    recoverable: bool,
    #[serde(deserialize_with = "or_zero")]
    join_leave: bool,
    #[serde(deserialize_with = "or_zero")]
    delta: String,
    tf: Option<IgnoredAny>,
    #[serde(deserialize_with = "or_zero")]
    flag: i64,
    #[serde(rename = "type", deserialize_with = "or_zero")]
    kind: i32,
}

impl Subscribe<'_> {
    fn request(self, line: &Bytes) -> SubscribeRequest {
        let seen = Seen { recover: self.recover, epoch: self.epoch, offset: self.offset };
        SubscribeRequest {
            channel: self.channel,
            token: self.token,
            recover: seen.position(),
            data: payload(line, self.data),
            positioned: self.positioned,
            recoverable: self.recoverable,
            join_leave: self.join_leave,
            delta: self.delta,
            has_filter: self.tf.is_some(),
            flag: self.flag,
            kind: self.kind,
        }
    }
}

/// A command that only names a channel.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Publish<'a> {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct History {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
    #[serde(deserialize_with = "or_zero")]
    limit: i32,
    since: Option<Since>,
    #[serde(deserialize_with = "or_zero")]
    reverse: bool,
}

impl History {
    fn request(self) -> HistoryRequest {
        let since = self
            .since
            .map(|since| Position { epoch: Epoch::new(&since.epoch), offset: since.offset });
        HistoryRequest { channel: self.channel, limit: self.limit, since, reverse: self.reverse }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Since {
    #[serde(deserialize_with = "or_zero")]
    offset: u64,
    #[serde(deserialize_with = "or_zero")]
    epoch: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rpc<'a> {
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
    #[serde(deserialize_with = "or_zero")]
    method: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Send<'a> {
    #[serde(borrow, deserialize_with = "raw")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refresh {
    #[serde(deserialize_with = "or_zero")]
    token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SubRefresh {
    #[serde(deserialize_with = "or_zero")]
    channel: String,
    #[serde(deserialize_with = "or_zero")]
    token: String,
}
