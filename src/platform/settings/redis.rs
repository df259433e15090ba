//! Settings of Redis, through which the nodes of a cluster tell each other what was said.

use std::{fs, time::Duration};

use super::{
    kinds::{Secret, Size},
    section::{Wrong, section},
};
use crate::platform::redis_client::{BadAddress, Options};

section! {
    /// Redis 7 or later, or what speaks like it: nodes hear each other through it when `url` is set.
    ///
    /// It keeps nothing that can be lost: without it messages come by the journal, later.
    #[check(check_redis)]
    pub struct Redis {
        /// `redis://USER:PASSWORD@HOST:6379/0`, `redis+sentinel://HOST:26379,HOST/SERVICE` or
        /// `redis+cluster://HOST:6379,HOST`; `rediss` instead of `redis` for TLS. Empty: nodes that
        /// share PostgreSQL hear of each other by its journal alone.
        pub url: Secret = Secret::default(),
        /// PEM file of the authorities whose certificates are trusted. Empty: those of the system.
        pub ca_file: String = String::new(),
        /// What all names in Redis begin with, so that several installations can share one.
        pub prefix: String = "fanfare".into(),
        /// A new connection stands after this time, or is given up.
        pub connect_timeout: Duration = Duration::from_secs(2),
        /// A command is answered after this time, or its connection is given up. Short: nobody waits
        /// for Redis, and the sooner it is given up the sooner the journal is followed more closely.
        pub answer_timeout: Duration = Duration::from_secs(2),
        /// Bytes that may wait to be sent to Redis; what has no place in the journal gets half of it.
        /// Past it other nodes hear of durable messages by the journal, and of others not at all.
        pub queue_max_size: Size = Size::mib(32),
    }
}

impl Redis {
    /// Where it is and how long it may take; none if it is not to be used.
    pub fn options(&self) -> Option<Result<Options, BadAddress>> {
        let authorities = || match self.ca_file.as_str() {
            "" => None,
            file => fs::read(file).ok(),
        };
        let parse = || {
            Options::parse(
                self.url.expose(),
                authorities(),
                self.connect_timeout,
                self.answer_timeout,
            )
        };
        (!self.url.is_empty()).then(parse)
    }
}

fn check_redis(redis: &Redis, wrong: &mut Wrong) {
    let address = redis.options().map_or(Ok(()), |options| options.map(drop));
    wrong.unless(address.is_ok(), "url", format!("{BadAddress}, or nothing"));
    let is_read = redis.ca_file.is_empty() || fs::metadata(&redis.ca_file).is_ok();
    wrong.unless(is_read, "ca_file", "the path of a PEM file that can be read, or nothing");
    let is_plain = redis.prefix.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '{' | '}'));
    wrong.unless(
        is_plain && !redis.prefix.is_empty(),
        "prefix",
        "printable ASCII without blanks and braces",
    );
    wrong.unless(!redis.connect_timeout.is_zero(), "connect_timeout", "more than 0s");
    wrong.unless(!redis.answer_timeout.is_zero(), "answer_timeout", "more than 0s");
    wrong.unless(redis.queue_max_size.bytes() > 0, "queue_max_size", "1B or more");
}
