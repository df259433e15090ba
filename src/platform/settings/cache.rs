//! Settings of the cache: what of people's data is kept closer than the database.

use std::time::Duration;

use super::{
    kinds::Size,
    section::{Wrong, section},
};

/// Longer than that a request is better off without Redis.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

section! {
    /// What people's screens read is kept in levels: whole answers and their parts in memory, parts in
    /// Redis where there is one. A person's own writes are seen by their next request whatever stands
    /// here; a level that is off or away costs time and nothing else.
    #[check(check_cache)]
    pub struct CacheLevels {
        /// Bytes of whole answers in the memory of this node: what nothing has changed is written once.
        /// A dashboard takes 10 to 20 KiB, so those of 10,000 people fit. 0: the level is off.
        pub pages_max_size: Size = Size::mib(256),
        /// Bytes of parts (portfolios, holdings, strategies, forecasts) in the memory of this node, in
        /// about: they are counted and not measured. A person takes some 20 KiB. 0: the level is off.
        pub memory_max_size: Size = Size::mib(256),
        /// Whether parts are kept in the Redis of `redis.url`, where all nodes find them. Its
        /// `maxmemory-policy` may drop them whenever it likes. Without `postgres.url` they are not.
        pub in_redis: bool = true,
        /// Redis answers by then or is left alone for a second: somebody waits. At most 1s.
        pub redis_deadline: Duration = Duration::from_millis(200),
        /// Bytes of a part in Redis, at most: a larger one would hold up the others behind it.
        pub redis_max_value_size: Size = Size::mib(1),
        /// How long portfolios are fresh, give or take a tenth; past it they are refreshed in the
        /// background, past twice of it they are loaded while somebody waits. Writes do not wait for it:
        /// it bounds how long something stays that nobody needs, and names of tokens that changed.
        pub portfolios_life: Duration = Duration::from_secs(300),
        /// The same of holdings, with the names of their tokens.
        pub holdings_life: Duration = Duration::from_secs(120),
        /// The same of strategies.
        pub strategies_life: Duration = Duration::from_secs(300),
        /// The same of forecasts.
        pub forecasts_life: Duration = Duration::from_secs(600),
    }
}

fn check_cache(cache: &CacheLevels, wrong: &mut Wrong) {
    let deadline = cache.redis_deadline;
    let bounded = !deadline.is_zero() && deadline <= LONGEST_ANSWER;
    wrong.unless(bounded, "redis_deadline", "more than 0s, at most 1s");
    wrong.unless(cache.redis_max_value_size.bytes() > 0, "redis_max_value_size", "1B or more");
    for (key, life) in [
        ("portfolios_life", cache.portfolios_life),
        ("holdings_life", cache.holdings_life),
        ("strategies_life", cache.strategies_life),
        ("forecasts_life", cache.forecasts_life),
    ] {
        wrong.unless(life >= Duration::from_secs(1), key, "1s or more");
    }
}
