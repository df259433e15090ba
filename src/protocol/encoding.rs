//! The door to both encodings: frames to commands, replies and pushes to bytes.

use bytes::Bytes;

use super::{Command, Push, Reply};

/// How a connection writes its messages down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Text frames; objects joined by one newline.
    Json,
    /// Binary frames; each message after its length as a varint.
    Protobuf,
}

/// The bytes are no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(pub String);

/// The push holds data that a JSON frame can't carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotJson;

/// The commands of one frame, decoded one by one as they are taken.
pub struct Commands {
    #[allow(dead_code)]
    rest: Bytes,
}

impl Encoding {
    /// Starts to read a frame. A frame without any command yields one [`Malformed`].
    pub fn commands(self, _frame: Bytes) -> Commands {
        todo!()
    }

    /// One reply, ready to be joined with others: JSON without newline, Protobuf with its length.
    pub fn reply(self, _reply: &Reply) -> Result<Bytes, NotJson> {
        todo!()
    }

    /// One push, likewise.
    pub fn push(self, _push: &Push) -> Result<Bytes, NotJson> {
        todo!()
    }

    /// The server's ping, likewise: an empty reply.
    pub fn ping(self) -> Bytes {
        todo!()
    }
}

impl Iterator for Commands {
    type Item = Result<Command, Malformed>;
    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
