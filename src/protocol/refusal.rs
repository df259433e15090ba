//! Why a command is refused, and why a subscription ended: one table each of codes, words and whether to come back.

use std::{borrow::Cow, fmt};

/// The reply to a command that was not done.
///
/// `code` and the first words of `message` are the protocol's; what follows a colon says what was
/// expected, what came and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: u32,
    pub message: Cow<'static, str>,
    /// The same command may succeed if it is tried again.
    pub temporary: bool,
}

macro_rules! refusals {
    ($($name:ident = $code:literal $message:literal $temporary:literal),* $(,)?) => {
        impl Refusal {
            $(pub const $name: Refusal = Refusal {
                code: $code, message: Cow::Borrowed($message), temporary: $temporary,
            };)*

            /// Every refusal of the protocol.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name),*];
        }
    };
}

refusals! {
    INTERNAL = 100 "internal server error" true,
    UNAUTHORIZED = 101 "unauthorized" false,
    UNKNOWN_CHANNEL = 102 "unknown channel" false,
    PERMISSION_DENIED = 103 "permission denied" false,
    METHOD_NOT_FOUND = 104 "method not found" false,
    ALREADY_SUBSCRIBED = 105 "already subscribed" false,
    LIMIT_EXCEEDED = 106 "limit exceeded" false,
    BAD_REQUEST = 107 "bad request" false,
    NOT_AVAILABLE = 108 "not available" false,
    TOKEN_EXPIRED = 109 "token expired" false,
    EXPIRED = 110 "expired" false,
    TOO_MANY_REQUESTS = 111 "too many requests" true,
    UNRECOVERABLE_POSITION = 112 "unrecoverable position" false,
}

impl Refusal {
    /// The same refusal with a detail after a colon.
    pub fn because(&self, detail: impl fmt::Display) -> Refusal {
        Refusal { message: format!("{}: {detail}", self.message).into(), ..self.clone() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// Why the server ended a subscription: the code and reason of an `unsubscribe` push.
///
/// Below 2500 the client stays away; from 2500 on it subscribes again with its last position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsubscribed {
    pub code: u32,
    pub reason: Cow<'static, str>,
}

impl Unsubscribed {
    pub const BY_SERVER: Unsubscribed =
        Unsubscribed { code: 2000, reason: Cow::Borrowed("server unsubscribe") };
    pub const INSUFFICIENT_STATE: Unsubscribed =
        Unsubscribed { code: 2500, reason: Cow::Borrowed("insufficient state") };
    pub const EXPIRED: Unsubscribed =
        Unsubscribed { code: 2501, reason: Cow::Borrowed("subscription expired") };
}
