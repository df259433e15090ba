//! What is said in a channel, and by whom.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

/// Names and values that the server API may attach to a publication.
pub type Tags = BTreeMap<String, String>;

/// Application data that the server carries and never reads.
///
/// Knows whether it is JSON, because only JSON can be embedded in a JSON frame. Raw newlines are
/// removed from JSON on the way in (they are white space there), so that frames stay one line a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payload {
    bytes: Bytes,
    json: bool,
}

impl Payload {
    /// Bytes of which the caller knows that they are JSON (they were parsed as such).
    pub fn json(bytes: Bytes) -> Self {
        let bytes = if bytes.contains(&b'\n') || bytes.contains(&b'\r') {
            bytes.iter().copied().filter(|b| !matches!(b, b'\n' | b'\r')).collect()
        } else {
            bytes
        };
        Self { bytes, json: true }
    }

    /// Bytes from a peer that can send anything: looks whether they are JSON.
    pub fn inspect(bytes: Bytes) -> Self {
        // Skipping over a value does not look into its strings, and text frames are UTF-8.
        let text = std::str::from_utf8(&bytes).ok();
        let json = text.is_some_and(|t| serde_json::from_str::<serde::de::IgnoredAny>(t).is_ok());
        if json { Self::json(bytes) } else { Self { bytes, json } }
    }

    /// What [`bytes`](Self::bytes) and [`is_json`](Self::is_json) said of it before: read back from a store.
    pub fn stored(bytes: Bytes, json: bool) -> Self {
        Self { bytes, json }
    }

    /// The bytes as they go out.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether a JSON frame can carry it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// No bytes at all: the field was absent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Who published, joined or is present.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientInfo {
    /// The user, empty for anonymous.
    pub user: String,
    /// The connection, a UUID.
    pub client: String,
    /// `info` of the connection token; empty when absent.
    pub conn_info: Payload,
    /// `info` of the subscription token; empty when absent.
    pub chan_info: Payload,
}

/// One message of a channel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Publication {
    /// What was said.
    pub data: Payload,
    /// By whom; none for the server API.
    pub info: Option<Arc<ClientInfo>>,
    /// Position in the channel; 0 when the channel has no history.
    pub offset: u64,
    /// Names and values from the server API.
    pub tags: Tags,
    /// Whether it may be sent as a delta against its predecessor to members that asked for that.
    pub delta: bool,
}

impl From<crate::platform::tokens::Attached> for Payload {
    fn from(attached: crate::platform::tokens::Attached) -> Self {
        match attached {
            crate::platform::tokens::Attached::Json(bytes) => Self::json(bytes),
            crate::platform::tokens::Attached::Binary(bytes) => Self::inspect(bytes),
        }
    }
}
