//! Settings of a node among others: its name, and how closely it follows them.

use std::time::Duration;

use super::section::{Wrong, section};

/// A looser look would break what is promised: nobody is left behind for more than 1.5 s.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// A run beats once a second, and a commit may take 5 s.
const SHORTEST_LEASE: Duration = Duration::from_secs(6);

/// A name is written into each beat.
const LONGEST_NAME: usize = 100;

section! {
    /// Nodes that share one PostgreSQL journal. Without one, nothing of this applies.
    #[check(check_cluster)]
    pub struct Cluster {
        /// What this node is called in logs, in `info` and by the others. Empty: host name and port.
        pub node_name: String = String::new(),
        /// This node is the only one: it follows nobody and speaks on no bridge. A fallback for when
        /// that is what is left; with a second node beside it, members of the one miss what is said
        /// on the other.
        pub single_node: bool = false,
        /// A node that was silent for so long is dead: its presence ends, and nobody waits for it. A
        /// node that does not come through to the database for a moment must not be. At least 6s.
        pub lease: Duration = Duration::from_secs(10),
        /// How often a node looks for what others have committed, while the bridge brings it faster.
        /// What the bridge lost is late by as much. At most 1s.
        pub feed_interval: Duration = Duration::from_secs(1),
        /// The same while a node does not trust the bridge, or there is none: it is the delay of
        /// delivery between nodes then, and costs the database one small query each time.
        pub feed_interval_degraded: Duration = Duration::from_millis(200),
    }
}

fn check_cluster(cluster: &Cluster, wrong: &mut Wrong) {
    let printable = cluster.node_name.chars().all(|c| c.is_ascii_graphic());
    wrong.unless(
        printable && cluster.node_name.len() <= LONGEST_NAME,
        "node_name",
        "at most 100 printable ASCII characters without blanks, or nothing",
    );
    wrong.unless(cluster.lease >= SHORTEST_LEASE, "lease", "6s or more");
    let (slow, fast) = (cluster.feed_interval, cluster.feed_interval_degraded);
    wrong.unless(
        !slow.is_zero() && slow <= LONGEST_INTERVAL,
        "feed_interval",
        "more than 0s, at most 1s",
    );
    wrong.unless(
        !fast.is_zero() && fast <= slow,
        "feed_interval_degraded",
        "more than 0s, at most cluster.feed_interval",
    );
}
