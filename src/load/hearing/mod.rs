//! What a server says, read with as little work as a judge can do: names borrowed, payloads not parsed, nothing allocated
//! for a publication. Shares no code with the server's own codec, so that one can't hide the other's mistakes.

mod json;
mod protobuf;

use std::borrow::Cow;

use crate::protocol::Encoding;

/// One reply or push.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard<'a> {
    /// Asks whether the client is there.
    Ping,
    /// A message of a channel.
    Publication { channel: &'a [u8], message: Message<'a> },
    /// The connect was accepted.
    Connected { pong: bool, subs: Vec<(&'a [u8], Subscribed<'a>)> },
    /// The subscribe was accepted.
    Subscribed(Subscribed<'a>),
    /// The publish was accepted.
    Published { id: u32 },
    /// A command was refused.
    Refused { id: u32, refusal: Refusal<'a> },
    /// The server ended a subscription.
    Unsubscribed { code: u32 },
    /// Something that the tool does not ask for: a join, an empty result.
    Other,
}

/// A publication.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message<'a> {
    /// 0 in a channel without history.
    pub offset: u64,
    pub data: &'a [u8],
}

/// A subscription as granted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Subscribed<'a> {
    pub epoch: &'a [u8],
    pub offset: u64,
    /// Whether all that was missed is in `publications`.
    pub recovered: bool,
    pub was_recovering: bool,
    pub publications: Vec<Message<'a>>,
}

/// Why a command was refused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Refusal<'a> {
    pub code: u32,
    pub message: Cow<'a, str>,
    pub temporary: bool,
}

/// The bytes are no reply of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreadable;

/// The replies of one frame, in order.
pub struct Replies<'a> {
    encoding: Encoding,
    rest: &'a [u8],
}

/// Starts to read a frame.
pub fn replies(encoding: Encoding, frame: &[u8]) -> Replies<'_> {
    Replies { encoding, rest: frame }
}

impl<'a> Iterator for Replies<'a> {
    type Item = Result<Heard<'a>, Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (heard, rest) = match self.encoding {
            Encoding::Json => {
                let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
                let rest = self.rest.get(end + 1..).unwrap_or_default();
                (json::reply(&self.rest[..end]), rest)
            }
            Encoding::Protobuf => match protobuf::split(self.rest) {
                Some((message, rest)) => (protobuf::reply(message), rest),
                None => (None, &[][..]),
            },
        };
        self.rest = rest;
        Some(heard.ok_or(Unreadable))
    }
}

#[cfg(test)]
mod tests;
