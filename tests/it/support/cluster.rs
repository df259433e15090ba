//! Nodes that share a database and a Redis of their own.

use fanfare::platform::scratch::{Postgres, Redis};

use super::Node;

/// All of them end with this value.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub redis: Redis,
    #[allow(dead_code, reason = "lives as long as the nodes")]
    pub postgres: Postgres,
}

impl Cluster {
    /// So many nodes that hear each other through Redis.
    pub fn of(count: usize) -> Self {
        Self::with(count, &[])
    }

    /// The same with more settings for each.
    pub fn with(count: usize, settings: &[(&str, &str)]) -> Self {
        Self::on(&[], count, settings)
    }

    /// The same on a Redis with settings of its own.
    pub fn on(redis: &[&str], count: usize, settings: &[(&str, &str)]) -> Self {
        let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
        let redis = Redis::start(redis).expect("a Redis server");
        let (database, bridge) = (postgres.url("postgres"), redis.url());
        let mut all = vec![("POSTGRES__URL", database.as_str()), ("REDIS__URL", bridge.as_str())];
        all.extend(settings);
        let nodes = (0..count).map(|_| Node::with(&all)).collect();
        Self { nodes, redis, postgres }
    }
}
