//! The Protobuf encoding: each message after its length as a varint.

mod from_client;
mod from_server;
mod to_client;
mod to_server;
mod wire;

use bytes::{Buf, Bytes};
use prost::{DecodeError, Message, encoding::decode_varint};

pub(super) use from_client::command;
pub(super) use from_server::server_message;
pub(super) use to_client::{push, reply};
pub(super) use to_server::command as encode_command;

use super::{
    Payload,
    encoding::{Malformed, keep},
};

/// Takes the first message off `rest`, and the length before it.
pub(super) fn split(rest: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = decode_varint(rest).map_err(|_| {
        Malformed("expected a message's length as a varint, got something else".into())
    })?;
    match usize::try_from(length) {
        Ok(length) if length <= rest.remaining() => Ok(rest.split_to(length)),
        _ => {
            let left = rest.remaining();
            Err(Malformed(format!(
                "expected a message of {length} bytes, got {left} bytes of frame"
            )))
        }
    }
}

/// Reads one message; `what` it should be is for the error. Its `bytes` fields share the frame's memory.
fn read<T: Message + Default>(message: Bytes, what: &str) -> Result<T, Malformed> {
    T::decode(message).map_err(|wrong: DecodeError| {
        Malformed(format!("expected {what} in Protobuf, got bytes that are none: {wrong}"))
    })
}

/// One message after its length.
fn write(message: &impl Message) -> Bytes {
    message.encode_length_delimited_to_vec().into()
}

/// The payload of a message of `frame` bytes.
fn payload(frame: usize, bytes: Bytes) -> Payload {
    if bytes.is_empty() { Payload::default() } else { Payload::inspect(keep(frame, bytes)) }
}
