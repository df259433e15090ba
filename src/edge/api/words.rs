//! Words that several methods share: payloads, positions, errors, as JSON has them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::method::Failure;
use crate::protocol::{ClientInfo, Epoch, Payload, Position, Refusal};

/// Application data: any JSON, or base64 under another name. The base64 form rules when both are there.
pub(super) fn payload(
    json: Option<Box<RawValue>>,
    base64: Option<String>,
) -> Result<Payload, Failure> {
    match base64.filter(|text| !text.is_empty()) {
        Some(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Payload::inspect(bytes.into())),
            Err(_) => {
                Err(Refusal::BAD_REQUEST.because("expected base64 in b64data or b64info").into())
            }
        },
        None => Ok(json.map_or_else(Payload::default, |raw| {
            Payload::json(Bytes::copy_from_slice(raw.get().as_bytes()))
        })),
    }
}

/// Keeps a `null` that was said apart from silence: `null` is data like any other.
pub(super) fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

/// Data on the way out. What is not JSON can't be embedded and goes as base64.
pub(super) enum Written<'a> {
    Json(&'a RawValue),
    Base64(String),
    Absent,
}

impl<'a> Written<'a> {
    pub(super) fn new(payload: &'a Payload) -> Self {
        if payload.is_empty() {
            return Self::Absent;
        }
        let json =
            payload.is_json().then(|| serde_json::from_slice(payload.bytes()).ok()).flatten();
        json.map_or_else(|| Self::Base64(STANDARD.encode(payload.bytes())), Self::Json)
    }

    pub(super) fn json(&self) -> Option<&'a RawValue> {
        if let Self::Json(raw) = self { Some(raw) } else { None }
    }

    pub(super) fn base64(&self) -> Option<&str> {
        if let Self::Base64(text) = self { Some(text) } else { None }
    }
}

/// (offset, epoch) of a request; absent fields mean the beginning and "any".
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Since {
    offset: u64,
    epoch: String,
}

impl From<Since> for Position {
    fn from(since: Since) -> Self {
        Self { epoch: Epoch::new(&since.epoch), offset: since.offset }
    }
}

/// Who is present or published; `b64conn_info` and `b64chan_info` stand for what is not JSON.
#[derive(Serialize)]
pub(super) struct Person<'a> {
    user: &'a str,
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b64conn_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chan_info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b64chan_info: Option<String>,
}

impl<'a> From<&'a ClientInfo> for Person<'a> {
    fn from(info: &'a ClientInfo) -> Self {
        let (conn, chan) = (Written::new(&info.conn_info), Written::new(&info.chan_info));
        Self {
            user: &info.user,
            client: &info.client,
            conn_info: conn.json(),
            b64conn_info: conn.base64().map(str::to_string),
            chan_info: chan.json(),
            b64chan_info: chan.base64().map(str::to_string),
        }
    }
}

/// A refusal.
#[derive(Serialize)]
pub(super) struct WrittenRefusal<'a> {
    code: u32,
    message: &'a str,
}

impl<'a> From<&'a Refusal> for WrittenRefusal<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        Self { code: refusal.code, message: &refusal.message }
    }
}
