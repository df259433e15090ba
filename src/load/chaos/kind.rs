//! The faults that a run can do, by name, and what each may be held to.

use serde::{Serialize, Serializer};

/// One way in which a part of the cluster dies, stands still or lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Nothing is done at all: a run with it must fail, or witnesses are worth nothing.
    Nothing,
    /// A node gets SIGKILL.
    NodeKill,
    /// A node aborts behind a commit and before anybody hears of it.
    NodeCommitted,
    /// A node aborts when its room has the commit and the bridge has not.
    NodeHandedOver,
    /// A node aborts when it is about to tell the bridge what was committed.
    NodeBeforeBridge,
    /// A node aborts when Redis has what it said, and the next of it waits.
    NodeSent,
    /// A node stands still for half a lease.
    NodePauseShort,
    /// A node stands still for a lease and a half: others take it for dead.
    NodePauseLong,
    /// A node is asked to go, and comes back.
    NodeTerm,
    /// Redis dies and comes back empty.
    RedisKill,
    /// Redis forgets everything.
    RedisFlush,
    /// Redis stands still.
    RedisPause,
    /// Redis closes the connections of all subscribers.
    RedisKillSubscribers,
    /// Redis cuts subscribers that have 32 KiB waiting.
    RedisSmallBuffer,
    /// Connections to Redis are cut, new ones are refused.
    RedisCut,
    /// Connections to Redis stand, and nothing passes, in either direction.
    RedisBlackHole,
    /// What Redis says does not arrive; what it is told does.
    RedisOneWay,
    /// What Redis says comes half a second late.
    RedisDelay,
    /// PostgreSQL is stopped at once, as if it crashed, and started again.
    PostgresStop,
    /// PostgreSQL stands still.
    PostgresPause,
    /// Appends reach PostgreSQL, their answers are swallowed.
    PostgresSwallow,
    /// Strangers take all connections that PostgreSQL has to give.
    PostgresFull,
    /// PostgreSQL dies, and a standby that lags is promoted.
    PostgresPromote,
    /// NGINX reads its configuration again.
    NginxReload,
    /// NGINX dies and comes back.
    NginxKill,
}

/// Which part a fault breaks; bounds go by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Node,
    Redis,
    Postgres,
    Nginx,
}

/// All that a run may draw; [`Kind::Nothing`] has to be asked for.
pub const ALL: &[Kind] = &[
    Kind::NodeKill,
    Kind::NodeCommitted,
    Kind::NodeHandedOver,
    Kind::NodeBeforeBridge,
    Kind::NodeSent,
    Kind::NodePauseShort,
    Kind::NodePauseLong,
    Kind::NodeTerm,
    Kind::RedisKill,
    Kind::RedisFlush,
    Kind::RedisPause,
    Kind::RedisKillSubscribers,
    Kind::RedisSmallBuffer,
    Kind::RedisCut,
    Kind::RedisBlackHole,
    Kind::RedisOneWay,
    Kind::RedisDelay,
    Kind::PostgresStop,
    Kind::PostgresPause,
    Kind::PostgresSwallow,
    Kind::PostgresFull,
    Kind::PostgresPromote,
    Kind::NginxReload,
    Kind::NginxKill,
];

impl Kind {
    /// As on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NodeKill => "node-kill",
            Self::NodeCommitted => "node-committed",
            Self::NodeHandedOver => "node-handed-over",
            Self::NodeBeforeBridge => "node-before-bridge",
            Self::NodeSent => "node-sent",
            Self::NodePauseShort => "node-pause-short",
            Self::NodePauseLong => "node-pause-long",
            Self::NodeTerm => "node-term",
            Self::RedisKill => "redis-kill",
            Self::RedisFlush => "redis-flush",
            Self::RedisPause => "redis-pause",
            Self::RedisKillSubscribers => "redis-kill-subscribers",
            Self::RedisSmallBuffer => "redis-small-buffer",
            Self::RedisCut => "redis-cut",
            Self::RedisBlackHole => "redis-black-hole",
            Self::RedisOneWay => "redis-one-way",
            Self::RedisDelay => "redis-delay",
            Self::PostgresStop => "postgres-stop",
            Self::PostgresPause => "postgres-pause",
            Self::PostgresSwallow => "postgres-swallow",
            Self::PostgresFull => "postgres-full",
            Self::PostgresPromote => "postgres-promote",
            Self::NginxReload => "nginx-reload",
            Self::NginxKill => "nginx-kill",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().chain([&Self::Nothing]).copied().find(|kind| kind.name() == name)
    }

    /// The part that it breaks.
    pub fn part(self) -> Part {
        match self.name().split('-').next() {
            Some("redis") => Part::Redis,
            Some("postgres") => Part::Postgres,
            Some("nginx") => Part::Nginx,
            _ => Part::Node,
        }
    }

    /// Whether it is done at one node.
    pub fn has_a_node(self) -> bool {
        self.part() == Part::Node && self != Self::Nothing
    }

    /// Whether there is something to break where a node is alone: it has neither Redis nor a proxy in front of it.
    pub fn can_be_done_to_one_node(self) -> bool {
        let has_bridge = matches!(self, Self::NodeBeforeBridge | Self::NodeSent);
        matches!(self.part(), Part::Node | Part::Postgres) && !has_bridge
    }

    /// The place at which the node aborts. It exists only in binaries with the feature `failpoints`.
    pub fn failpoint(self) -> Option<&'static str> {
        match self {
            Self::NodeCommitted => Some("append.committed"),
            Self::NodeHandedOver => Some("room.handed_over"),
            Self::NodeBeforeBridge => Some("room.before_bridge"),
            Self::NodeSent => Some("bridge.sent"),
            _ => None,
        }
    }

    /// Whether it can't happen while that part is broken: a node gets to its failpoint only if something is committed
    /// and, for some, carried.
    pub fn needs(self, part: Part) -> bool {
        match part {
            Part::Postgres => self.failpoint().is_some(),
            Part::Redis => self == Self::NodeSent,
            _ => false,
        }
    }

    /// Whether publishes that are under way when it happens can't all be answered, if it lasts for so many
    /// milliseconds: nodes wait for 4.5 s for a commit and publishers for 5 s for an answer.
    pub fn leaves_publishes_unanswered(self, lasts: u64) -> bool {
        match self {
            Self::NodeKill | Self::NodeCommitted | Self::NodeHandedOver => true,
            Self::NodePauseLong
            | Self::PostgresStop
            | Self::PostgresPause
            | Self::PostgresSwallow
            | Self::PostgresPromote => lasts >= 5_500,
            _ => false,
        }
    }

    /// Whether nothing can be committed from when it was seen to be so until it heals.
    pub fn takes_the_database_down(self) -> bool {
        matches!(self, Self::PostgresStop | Self::PostgresPause | Self::PostgresPromote)
    }

    /// Durations in milliseconds, on both sides of a threshold of the server where there is one.
    pub fn durations(self) -> &'static [u64] {
        match self {
            // Half a lease, and 1.5 leases of 10 s.
            Self::NodePauseShort => &[5_000],
            Self::NodePauseLong => &[15_000, 15_500],
            // Commands wait for 4 s, publishers for 3 s, commits for 4.5 s.
            Self::PostgresStop | Self::PostgresPause => &[1_000, 2_500, 6_000],
            Self::PostgresSwallow | Self::PostgresFull => &[500, 4_000],
            // A writer that is not heard for 3 s makes the bridge degraded.
            Self::RedisKill
            | Self::RedisPause
            | Self::RedisCut
            | Self::RedisBlackHole
            | Self::RedisOneWay
            | Self::RedisDelay => &[1_000, 2_500, 5_000, 12_000],
            Self::RedisSmallBuffer => &[2_000],
            Self::NginxKill => &[300, 2_000],
            _ => &[0],
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_read_back() {
        for kind in ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::named("nothing"), Some(Kind::Nothing));
        assert_eq!(Kind::named("node"), None);
        assert!(!ALL.contains(&Kind::Nothing));
    }

    #[test]
    fn each_part_is_broken_by_some_fault() {
        for part in [Part::Node, Part::Redis, Part::Postgres, Part::Nginx] {
            assert!(ALL.iter().any(|kind| kind.part() == part));
        }
        assert!(ALL.iter().all(|kind| kind.has_a_node() == (kind.part() == Part::Node)));
    }
}
