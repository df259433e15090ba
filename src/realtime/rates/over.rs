//! What is limited, and what is said to who met a limit.

use std::{fmt, time::Duration};

/// What is counted. A publish is a command too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Command,
    Publish,
    Connect,
}

/// A limit was met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    pub(super) what: What,
    pub(super) of_user: bool,
    /// From then on there is a token again, unless somebody else takes it.
    pub(super) wait: Duration,
    /// It went on for so long that words do not help.
    pub hammering: bool,
}

impl What {
    /// In the names of keys in Redis.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Publish => "publish",
            Self::Connect => "connect",
        }
    }
}

impl Over {
    /// The limit's name, as the settings and metrics have it.
    pub(super) fn limit(&self) -> &'static str {
        match (self.what, self.of_user) {
            (What::Command, true) => "user_command",
            (What::Publish, true) => "user_publish",
            (What::Connect, _) => "user_connect",
            (What::Command, false) => "device_command",
            (What::Publish, false) => "device_publish",
        }
    }
}

/// For the client: what was too much, and when to try again.
impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Command => "commands",
            What::Publish => "publishes",
            What::Connect => "connects",
        };
        let whose = if self.of_user { "user" } else { "connection" };
        let wait = self.wait.as_micros().div_ceil(1_000);
        write!(f, "too many {what} of this {whose}; try again in {wait} ms")
    }
}
