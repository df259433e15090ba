//! Redis of one's own: a single server, one with a replica and sentinels, a cluster.

mod cluster;
mod sentinels;
mod server;
#[cfg(test)]
mod tests;
mod words;

pub use cluster::Cluster;
pub use sentinels::Sentinels;
pub use server::Redis;
