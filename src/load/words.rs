//! What the tool says: the few commands of a client, as payloads of frames.

use bytes::Bytes;

use super::{Failure, frame::Opcode};
use crate::protocol::{
    Command, Encoding, Payload, Position, Request,
    command::{ConnectRequest, SubscribeRequest},
};

/// The id of the connect and of the subscribe that follows it; publishes come after.
pub const CONNECT: u32 = 1;
pub const SUBSCRIBE: u32 = 2;
pub const FIRST_PUBLISH: u32 = 3;

/// The kind of frame that carries an encoding.
pub fn opcode(encoding: Encoding) -> Opcode {
    match encoding {
        Encoding::Json => Opcode::Text,
        Encoding::Protobuf => Opcode::Binary,
    }
}

/// Says who connects; a `personal` channel that it comes back to is recovered from its position.
pub fn connect(token: String, personal: Option<(String, Position)>) -> Command {
    let request = ConnectRequest {
        token,
        subs: personal.into_iter().collect(),
        name: "fanfare-load".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..ConnectRequest::default()
    };
    Command { id: CONNECT, request: Request::Connect(Box::new(request)) }
}

/// Asks for a recoverable subscription, from `recover` on if it was here before.
pub fn subscribe(channel: String, recover: Option<Position>) -> Command {
    let request = SubscribeRequest {
        channel,
        recover,
        positioned: true,
        recoverable: true,
        ..SubscribeRequest::default()
    };
    Command { id: SUBSCRIBE, request: Request::Subscribe(Box::new(request)) }
}

/// Publishes JSON.
pub fn publish(id: u32, channel: String, json: Bytes) -> Command {
    Command { id, request: Request::Publish { channel, data: Payload::json(json) } }
}

/// The answer to a ping.
pub fn pong(encoding: Encoding) -> &'static [u8] {
    match encoding {
        Encoding::Json => b"{}",
        Encoding::Protobuf => b"\0",
    }
}

/// Several commands as one frame's payload.
pub fn together(encoding: Encoding, commands: &[Command]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    for command in commands {
        if encoding == Encoding::Json && !out.is_empty() {
            out.push(b'\n');
        }
        let bytes = encoding
            .command(command)
            .map_err(|e| Failure(format!("can't write a command: {e:?}")))?;
        out.extend_from_slice(&bytes);
    }
    Ok(out)
}
