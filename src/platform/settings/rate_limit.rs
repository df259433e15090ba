//! Settings of how often users and devices may connect, command and publish.

use super::section::{Wrong, section};

/// So much that nobody meets it, and little enough that nothing overflows.
const MOST: usize = 1_000_000_000;

section! {
    /// Limits for what a user, or one connection (a device), does too often. `rate` is how many a second,
    /// for as long as you like; `burst` how many at once after a pause, and a pause of `burst / rate`
    /// seconds brings all of them back. A rate of 0: no limit. The built-in ones are for programs that
    /// run wild: no app of people meets them. Past a limit of commands or publishes: error 111, which is
    /// temporary and names the time to wait. A connection that goes on until ten bursts of that limit
    /// were refused, beside what its rate gives meanwhile, is closed with 3013.
    ///
    /// Limits of users hold on all nodes together while there is Redis, on each node without; a
    /// connection without a user has those of devices only. The server API has no limit.
    #[check(check_rate_limit)]
    pub struct RateLimit {
        /// Connects of one user a second. Past it: 3013, after which clients come back later.
        pub user_connect_rate: usize = 50,
        /// Connects of one user at once: a program may hold many connections, which all come back
        /// together.
        pub user_connect_burst: usize = 1_000,
        /// Commands of one user a second, publishes among them.
        pub user_command_rate: usize = 4_000,
        /// Commands of one user at once: after a reconnect each device subscribes to all its channels.
        pub user_command_burst: usize = 20_000,
        /// Publishes of one user a second.
        pub user_publish_rate: usize = 2_000,
        /// Publishes of one user at once.
        pub user_publish_burst: usize = 10_000,
        /// Commands of one connection a second, publishes among them.
        pub device_command_rate: usize = 1_000,
        /// Commands of one connection at once.
        pub device_command_burst: usize = 5_000,
        /// Publishes of one connection a second.
        pub device_publish_rate: usize = 500,
        /// Publishes of one connection at once.
        pub device_publish_burst: usize = 2_500,
    }
}

fn check_rate_limit(limit: &RateLimit, wrong: &mut Wrong) {
    for (key, rate) in [
        ("user_connect_rate", limit.user_connect_rate),
        ("user_command_rate", limit.user_command_rate),
        ("user_publish_rate", limit.user_publish_rate),
        ("device_command_rate", limit.device_command_rate),
        ("device_publish_rate", limit.device_publish_rate),
    ] {
        wrong.unless(rate <= MOST, key, format!("at most {MOST}"));
    }
    for (key, burst) in [
        ("user_connect_burst", limit.user_connect_burst),
        ("user_command_burst", limit.user_command_burst),
        ("user_publish_burst", limit.user_publish_burst),
        ("device_command_burst", limit.device_command_burst),
        ("device_publish_burst", limit.device_publish_burst),
    ] {
        wrong.unless((1..=MOST).contains(&burst), key, format!("from 1 to {MOST}"));
    }
}
