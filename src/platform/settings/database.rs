//! Settings of the server that people's data are read from beside the one that keeps them.

use std::time::Duration;

use super::{
    kinds::Secret,
    section::{Wrong, section},
};
use crate::platform::postgres::{BadAddress, Options};

/// Longer than that a request is better off with the primary alone.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

section! {
    /// A read replica of the PostgreSQL of `postgres.url`. What people's screens read is read from there
    /// where no level of the cache has it. The primary says in which state a person's data is, and the
    /// replica is believed about that very state only: who has just written is answered by the primary
    /// until the replica has caught up. One that is away, late or standing still costs time and nothing
    /// else; nodes start and are ready without it.
    #[check(check_replica)]
    pub struct ReadReplica {
        /// `postgres://USER:PASSWORD@HOST:5432/DATABASE` of a hot standby. Empty: the primary is read.
        /// Everything else, the journal and all writes, is the primary's in any case.
        pub replica_url: Secret = Secret::default(),
        /// Connections to it. Each has one transaction under way.
        pub replica_connections: usize = 8,
        /// Who is not answered by then asks the primary, and the replica is left alone for 2s: somebody
        /// waits. At most 1s.
        pub replica_deadline: Duration = Duration::from_millis(250),
    }
}

impl ReadReplica {
    /// Where it is and how long it may take, a new connection up to `connect`; none if there is none.
    pub fn options(&self, connect: Duration) -> Option<Result<Options, BadAddress>> {
        let parse = || Options::parse(self.replica_url.expose(), connect, self.replica_deadline);
        (!self.replica_url.is_empty()).then(parse)
    }
}

fn check_replica(replica: &ReadReplica, wrong: &mut Wrong) {
    let address = replica.options(LONGEST_ANSWER).map_or(Ok(()), |options| options.map(drop));
    wrong.unless(address.is_ok(), "replica_url", format!("{BadAddress}, or nothing"));
    wrong.unless(replica.replica_connections > 0, "replica_connections", "1 or more");
    let deadline = replica.replica_deadline;
    let bounded = !deadline.is_zero() && deadline <= LONGEST_ANSWER;
    wrong.unless(bounded, "replica_deadline", "more than 0s, at most 1s");
}
