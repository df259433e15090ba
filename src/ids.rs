//! Names that everyone shares: channels, users, clients, nodes. Newtypes with their rules.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use uuid::Uuid;

/// The name of a channel: 1 to `channel.max_length` printable ASCII characters.
///
/// Cheap to clone; equal names need not share memory.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(Arc<str>);

/// Why a string is no channel name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadChannel {
    /// The empty string.
    Empty,
    /// More characters than allowed: (what came, what is allowed).
    TooLong(usize, usize),
    /// A character outside printable ASCII (0x20..=0x7e), or a blank.
    BadCharacter(char),
}

impl Channel {
    /// Checks `name` against the rules; `max_length` in characters.
    pub fn parse(name: &str, max_length: usize) -> Result<Self, BadChannel> {
        if name.is_empty() {
            return Err(BadChannel::Empty);
        }
        if name.len() > max_length {
            return Err(BadChannel::TooLong(name.len(), max_length));
        }
        match name.chars().find(|c| !c.is_ascii_graphic()) {
            Some(bad) => Err(BadChannel::BadCharacter(bad)),
            None => Ok(Self(name.into())),
        }
    }

    /// A name that was checked before: read back from the journal, or a literal in a test.
    pub fn trusted(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as it is written on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Channel {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for BadChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a channel needs a name, got an empty string"),
            Self::TooLong(came, most) => {
                write!(f, "a channel name has at most {most} characters, got {came}")
            }
            Self::BadCharacter(c) => {
                write!(f, "a channel name is printable ASCII without blanks, got {c:?}")
            }
        }
    }
}

/// Who a connection belongs to: the `sub` of its token. Empty for anonymous connections.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Any string names a user.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as it is written in tokens and on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for a connection without a user (token with empty `sub`, or insecure mode).
    pub fn is_anonymous(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh random one (UUID version 4).
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }

            /// Its 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads 16 bytes; none if they are not as many.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// Reads the hyphenated form; none if it is not a UUID.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::parse(&text).ok_or_else(|| D::Error::custom("expected a UUID"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_name! {
    /// One connection of one device: drawn anew each time it connects.
    ClientId
}

uuid_name! {
    /// One run of one node.
    NodeId
}

/// One lane of one run of a node into the journal: a fresh id each start, and after each commit of unknown fate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct WriterId(pub Uuid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_printable_ascii_of_bounded_length() {
        assert!(Channel::parse("chat:room-1#ana,bo", 255).is_ok());
        assert_eq!(Channel::parse("", 255), Err(BadChannel::Empty));
        assert_eq!(Channel::parse("abcd", 3), Err(BadChannel::TooLong(4, 3)));
        assert_eq!(Channel::parse("a b", 255), Err(BadChannel::BadCharacter(' ')));
        assert_eq!(Channel::parse("caf\u{e9}", 255), Err(BadChannel::BadCharacter('\u{e9}')));
        assert_eq!(Channel::parse("a\nb", 255), Err(BadChannel::BadCharacter('\n')));
    }
}
