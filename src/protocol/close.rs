//! Why a connection is closed: the WebSocket close code and its reason, and whether the client comes back.

use std::{borrow::Cow, fmt};

/// What a close frame says.
///
/// 3000..=3499, 4000..=4499 and from 5000 on the client comes back; 3500..=3999 and 4500..=4999 it stays away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    pub code: u16,
    /// At most 123 bytes, and not JSON: an SDK would read it as the old form of this message.
    pub reason: Cow<'static, str>,
}

macro_rules! closes {
    ($($name:ident = $code:literal $reason:literal),* $(,)?) => {
        impl Close {
            $(pub const $name: Close = Close { code: $code, reason: Cow::Borrowed($reason) };)*

            /// Every close that the server says by itself.
            pub const ALL: &'static [Close] = &[$(Close::$name),*];
        }
    };
}

closes! {
    GOING_AWAY = 3000 "connection closed",
    SHUTDOWN = 3001 "shutdown",
    INTERNAL = 3004 "internal server error",
    EXPIRED = 3005 "connection expired",
    SUBSCRIPTION_EXPIRED = 3006 "subscription expired",
    SLOW = 3008 "slow",
    INSUFFICIENT_STATE = 3010 "insufficient state",
    FORCE_RECONNECT = 3011 "force reconnect",
    NO_PONG = 3012 "no pong",
    TOO_MANY_REQUESTS = 3013 "too many requests",
    INVALID_TOKEN = 3500 "invalid token",
    BAD_REQUEST = 3501 "bad request",
    STALE = 3502 "stale",
    FORCE_DISCONNECT = 3503 "force disconnect",
    CONNECTION_LIMIT = 3504 "connection limit",
    CHANNEL_LIMIT = 3505 "channel limit",
    INAPPROPRIATE_PROTOCOL = 3506 "inappropriate protocol",
    PERMISSION_DENIED = 3507 "permission denied",
    NOT_AVAILABLE = 3508 "not available",
    MESSAGE_TOO_BIG = 1009 "message size limit exceeded",
}

impl Close {
    /// Whether an SDK connects again after this code.
    pub fn comes_back(&self) -> bool {
        matches!(self.code, 0..=1008 | 1010..=3499 | 4000..=4499 | 5000..)
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.reason)
    }
}
