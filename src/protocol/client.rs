//! The client's side of both encodings, for our own command line and load clients.

use bytes::Bytes;

use super::{Command, Encoding, Malformed, NotJson, Push, Reply, encoding::Parts, json, protobuf};

/// What a server says.
#[derive(Clone, PartialEq, Debug)]
pub enum ServerMessage {
    Reply(Reply),
    /// A publication marked as a delta has [`Form::Delta`](super::push::Form::Delta) and no `data`; any other has
    /// [`Form::Plain`](super::push::Form::Plain), also where a JSON client that negotiated deltas finds the
    /// payload's text in a string.
    Push(Push),
    /// Answer with [`Encoding::ping`], which is the pong too.
    Ping,
}

impl Encoding {
    /// One command, ready to be joined with others as replies are.
    pub fn command(self, command: &Command) -> Result<Bytes, NotJson> {
        match self {
            Self::Json => json::encode_command(command),
            Self::Protobuf => Ok(protobuf::encode_command(command)),
        }
    }

    /// Starts to read a frame of the server. A frame without any message yields one [`Malformed`].
    pub fn replies(self, frame: Bytes) -> Replies {
        Replies { parts: Parts::new(self, frame) }
    }
}

/// The messages of a server's frame, decoded one by one as they are taken. Ends after the first [`Malformed`].
#[derive(Debug)]
pub struct Replies {
    parts: Parts,
}

impl Iterator for Replies {
    type Item = Result<ServerMessage, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.parts.next_as(json::server_message, protobuf::server_message)
    }
}
