//! The JSON encoding: objects on one line each, application data embedded as it is.

mod from_client;
mod from_server;
mod to_client;
mod to_server;
mod writer;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub(super) use from_client::command;
pub(super) use from_server::server_message;
pub(super) use to_client::{push, reply};
pub(super) use to_server::command as encode_command;

use super::{
    Payload,
    encoding::{Malformed, keep},
};
use crate::platform::wrong_json::explain;

/// Takes the first line off `rest`, and the newline that ends it.
pub(super) fn split(rest: &mut Bytes) -> Bytes {
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = rest.split_to(end);
            rest.advance(1);
            line
        }
        None => std::mem::take(rest),
    }
}

/// Reads one line; `what` it should be is for the error.
fn read<'a, T: Deserialize<'a>>(line: &'a [u8], what: &str) -> Result<T, Malformed> {
    if line.trim_ascii().is_empty() {
        return Err(Malformed(format!("expected {what} as a JSON object, got a blank line")));
    }
    let text = std::str::from_utf8(line).map_err(|wrong| {
        let at = wrong.valid_up_to();
        Malformed(format!("expected {what} as JSON, got bytes that are not UTF-8 at byte {at}"))
    })?;
    serde_json::from_str(text).map_err(|wrong| Malformed(explain(&wrong, what)))
}

/// A field that is absent, `null` or a value: the first two are its zero value.
fn or_zero<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Application data, where `null` is a value like any other.
fn raw<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The payload at `raw`, which was parsed out of `line`.
fn payload(line: &Bytes, raw: Option<&RawValue>) -> Payload {
    raw.map_or_else(Payload::default, |raw| {
        Payload::json(keep(line.len(), line.slice_ref(raw.get().as_bytes())))
    })
}
