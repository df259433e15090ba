//! Settings of PostgreSQL, where several nodes keep their durable channels together.

use std::time::Duration;

use super::{
    kinds::Secret,
    section::{Wrong, section},
};
use crate::platform::postgres::{BadAddress, Options};

/// A batch has its fate after 5 s, whatever happens: a statement must have its answer, and a connection
/// must be had, well before that.
const LONGEST: Duration = Duration::from_secs(4);

section! {
    /// PostgreSQL 14 or later: durable channels are kept there when `url` is set.
    #[check(check_postgres)]
    pub struct Postgres {
        /// `postgres://USER:PASSWORD@HOST:5432/DATABASE`. Empty: durable channels are kept in the
        /// SQLite file of `journal.path`. A connection of the server itself is needed: a PgBouncer
        /// between must pool sessions, not transactions.
        pub url: Secret = Secret::default(),
        /// Connections that append. Each commits one batch at a time, and a node sends one at a
        /// time: the second is for what became of the first.
        pub append_connections: usize = 2,
        /// Connections that read what people missed. Each asks for all that waits, so a few carry many.
        pub read_connections: usize = 4,
        /// Connections that read and write portfolios. Each has one transaction under way.
        pub portfolio_connections: usize = 8,
        /// How long something waits for a connection while all of them are busy, before it is told
        /// to try again. At most 4s.
        pub pool_timeout: Duration = Duration::from_secs(1),
        /// A new connection stands after this time, or is given up.
        pub connect_timeout: Duration = Duration::from_secs(2),
        /// The server gives up a statement after this time. At most 4s: a publisher is told after 3s
        /// that nobody knows yet.
        pub statement_timeout: Duration = Duration::from_secs(3),
    }
}

impl Postgres {
    /// Where the server is and how long it may take; none if it is not to be used.
    pub fn options(&self) -> Option<Result<Options, BadAddress>> {
        let parse =
            || Options::parse(self.url.expose(), self.connect_timeout, self.statement_timeout);
        (!self.url.is_empty()).then(parse)
    }
}

fn check_postgres(postgres: &Postgres, wrong: &mut Wrong) {
    let address = postgres.options().map_or(Ok(()), |options| options.map(drop));
    wrong.unless(address.is_ok(), "url", format!("{BadAddress}, or nothing"));
    wrong.unless(postgres.append_connections > 0, "append_connections", "1 or more");
    wrong.unless(postgres.read_connections > 0, "read_connections", "1 or more");
    wrong.unless(postgres.portfolio_connections > 0, "portfolio_connections", "1 or more");
    let bounded = |time: Duration| !time.is_zero() && time <= LONGEST;
    wrong.unless(bounded(postgres.pool_timeout), "pool_timeout", "more than 0s, at most 4s");
    wrong.unless(!postgres.connect_timeout.is_zero(), "connect_timeout", "more than 0s");
    wrong.unless(
        bounded(postgres.statement_timeout),
        "statement_timeout",
        "more than 0s, at most 4s",
    );
}
