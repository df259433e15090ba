//! Deeds as they are written into a note, and back.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    ids::Channel,
    platform::tokens::Overrides,
    protocol::{Close, Epoch, Payload, Position, refusal::Unsubscribed},
    realtime::session::act::{Deed, Grant, Refreshed},
};

/// What is done to connections.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrittenDeed {
    Disconnect { code: u16, reason: String },
    Unsubscribe { channel: Option<String>, code: u32, reason: String },
    Subscribe(Box<WrittenGrant>),
    Refresh { expired: bool, expire_at: Option<i64>, info: Option<WrittenPayload> },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WrittenGrant {
    channel: String,
    chan_info: WrittenPayload,
    data: WrittenPayload,
    expire_at: Option<i64>,
    /// (epoch, offset).
    recover: Option<(String, u64)>,
    overrides: [Option<bool>; 5],
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrittenPayload {
    Json(String),
    Base64(String),
}

impl WrittenPayload {
    fn of(payload: &Payload) -> Self {
        match std::str::from_utf8(payload.bytes()) {
            Ok(text) if payload.is_json() => Self::Json(text.into()),
            _ => Self::Base64(STANDARD.encode(payload.bytes())),
        }
    }

    fn payload(self) -> Payload {
        match self {
            Self::Json(text) => Payload::stored(text.into(), true),
            // What does not decode was not written by a node.
            Self::Base64(text) => {
                Payload::stored(STANDARD.decode(text).unwrap_or_default().into(), false)
            }
        }
    }
}

impl WrittenDeed {
    pub fn of(deed: &Deed) -> Option<Self> {
        Some(match deed {
            Deed::Disconnect(Close { code, reason }) => {
                Self::Disconnect { code: *code, reason: reason.to_string() }
            }
            Deed::Unsubscribe(channel, Unsubscribed { code, reason }) => Self::Unsubscribe {
                channel: channel.as_ref().map(ToString::to_string),
                code: *code,
                reason: reason.to_string(),
            },
            Deed::Subscribe(grant) => Self::Subscribe(Box::new(WrittenGrant::of(grant))),
            Deed::Refresh(Refreshed { expired, expire_at, info }) => Self::Refresh {
                expired: *expired,
                expire_at: *expire_at,
                info: info.as_ref().map(WrittenPayload::of),
            },
            Deed::Recheck => return None,
        })
    }
}

impl From<WrittenDeed> for Deed {
    fn from(written: WrittenDeed) -> Self {
        match written {
            WrittenDeed::Disconnect { code, reason } => {
                Self::Disconnect(Close { code, reason: reason.into() })
            }
            WrittenDeed::Unsubscribe { channel, code, reason } => {
                let channel = channel.as_deref().map(Channel::trusted);
                Self::Unsubscribe(channel, Unsubscribed { code, reason: reason.into() })
            }
            WrittenDeed::Subscribe(grant) => Self::Subscribe(Arc::new(grant.grant())),
            WrittenDeed::Refresh { expired, expire_at, info } => {
                let info = info.map(WrittenPayload::payload);
                Self::Refresh(Refreshed { expired, expire_at, info })
            }
        }
    }
}

impl WrittenGrant {
    fn of(grant: &Grant) -> Self {
        let Grant { channel, chan_info, data, expire_at, recover, overrides: o } = grant;
        Self {
            channel: channel.to_string(),
            chan_info: WrittenPayload::of(chan_info),
            data: WrittenPayload::of(data),
            expire_at: *expire_at,
            recover: recover.as_ref().map(|at| (at.epoch.to_string(), at.offset)),
            overrides: [
                o.presence,
                o.join_leave,
                o.force_recovery,
                o.force_positioning,
                o.force_push_join_leave,
            ],
        }
    }

    fn grant(self) -> Grant {
        let [presence, join_leave, force_recovery, force_positioning, force_push_join_leave] =
            self.overrides;
        let position =
            |(epoch, offset): (String, u64)| Position { epoch: Epoch::new(&epoch), offset };
        Grant {
            channel: Channel::trusted(&self.channel),
            chan_info: self.chan_info.payload(),
            data: self.data.payload(),
            expire_at: self.expire_at,
            recover: self.recover.map(position),
            overrides: Overrides {
                presence,
                join_leave,
                force_recovery,
                force_positioning,
                force_push_join_leave,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_done_as_it_was_ordered() {
        let grant = Grant {
            channel: Channel::trusted("chat:1"),
            chan_info: Payload::json(r#"{"a":1}"#.into()),
            data: Payload::inspect(vec![255, 0].into()),
            expire_at: Some(9),
            recover: Some(Position { epoch: Epoch::new("g.1"), offset: 4 }),
            overrides: Overrides { presence: Some(false), ..Overrides::default() },
        };
        let refreshed =
            Refreshed { expired: true, expire_at: None, info: Some(Payload::default()) };
        for deed in [
            Deed::Disconnect(Close::FORCE_RECONNECT),
            Deed::Unsubscribe(Some(Channel::trusted("a")), Unsubscribed::BY_SERVER),
            Deed::Unsubscribe(None, Unsubscribed::BY_SERVER),
            Deed::Subscribe(Arc::new(grant)),
            Deed::Refresh(refreshed),
        ] {
            let written = serde_json::to_string(&WrittenDeed::of(&deed).unwrap()).unwrap();
            let read: Deed = serde_json::from_str::<WrittenDeed>(&written).unwrap().into();
            assert_eq!(format!("{read:?}"), format!("{deed:?}"));
        }
        assert_eq!(WrittenDeed::of(&Deed::Recheck), None);
    }
}
