//! The door to both encodings: frames to commands, replies and pushes to bytes.

use std::fmt;

use bytes::Bytes;

use super::{Command, Push, Reply, json, protobuf};

/// How a connection writes its messages down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Text frames; objects joined by one newline.
    Json,
    /// Binary frames; each message after its length as a varint.
    Protobuf,
}

/// The bytes are no message: what was expected and what came, without any of the content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// The message holds data that a JSON frame can't carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotJson;

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected data that is JSON, got binary: use the Protobuf encoding for it")
    }
}

impl std::error::Error for NotJson {}

impl Encoding {
    /// Starts to read a frame. A frame without any command yields one [`Malformed`].
    pub fn commands(self, frame: Bytes) -> Commands {
        Commands { parts: Parts::new(self, frame) }
    }

    /// One reply, ready to be joined with others: JSON without newline, Protobuf with its length.
    pub fn reply(self, reply: &Reply) -> Result<Bytes, NotJson> {
        match self {
            Self::Json => json::reply(reply),
            Self::Protobuf => Ok(protobuf::reply(reply)),
        }
    }

    /// One push, likewise.
    pub fn push(self, push: &Push) -> Result<Bytes, NotJson> {
        match self {
            Self::Json => json::push(push),
            Self::Protobuf => Ok(protobuf::push(push)),
        }
    }

    /// The server's ping, likewise: an empty reply. The client's pong has the same bytes.
    pub fn ping(self) -> Bytes {
        match self {
            Self::Json => Bytes::from_static(b"{}"),
            Self::Protobuf => Bytes::from_static(&[0]),
        }
    }
}

/// The commands of one frame, decoded one by one as they are taken. Ends after the first [`Malformed`].
///
/// Holds the frame and nothing else.
#[derive(Debug)]
pub struct Commands {
    parts: Parts,
}

impl Iterator for Commands {
    type Item = Result<Command, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.parts.next_as(json::command, protobuf::command)
    }
}

/// The messages of a frame, still encoded.
#[derive(Debug)]
pub(super) struct Parts {
    encoding: Encoding,
    rest: Bytes,
    untouched: bool,
}

impl Parts {
    pub(super) fn new(encoding: Encoding, frame: Bytes) -> Self {
        Self { encoding, rest: frame, untouched: true }
    }

    /// Decodes the next message with the function of its encoding; forgets the rest of the frame if that fails.
    pub(super) fn next_as<T>(
        &mut self,
        json: fn(Bytes) -> Result<T, Malformed>,
        protobuf: fn(Bytes) -> Result<T, Malformed>,
    ) -> Option<Result<T, Malformed>> {
        if self.rest.is_empty() {
            let first = std::mem::take(&mut self.untouched);
            return first.then(|| Err(Malformed("expected a message, got an empty frame".into())));
        }
        self.untouched = false;
        let message = match self.encoding {
            Encoding::Json => json(json::split(&mut self.rest)),
            Encoding::Protobuf => protobuf::split(&mut self.rest).and_then(protobuf),
        };
        if message.is_err() {
            self.rest = Bytes::new();
        }
        Some(message)
    }
}

/// Part of a frame that outlives it.
///
/// A part that makes up most of its frame shares its memory; a small one is copied, or else a few bytes
/// kept in a history would hold on to a whole frame.
pub(super) fn keep(frame: usize, part: Bytes) -> Bytes {
    if part.len() >= frame / 2 { part } else { Bytes::copy_from_slice(&part) }
}
