//! Servers of one's own for tests and for `fanfare load --spawn`: on free ports of loopback, in temporary folders,
//! gone when their owner is.
//!
//! The programs have to be installed: `initdb` and `postgres`, `redis-server`, `nginx`, `openssl` for
//! certificates. What is not there is named by an error that says which package brings it.

mod certificate;
mod folder;
mod leash;
pub mod nginx;
mod ports;
pub mod postgres;
pub mod redis;

pub use certificate::Certificate;
pub use folder::copy_folder;
pub use leash::Leash;
pub use nginx::Nginx;
pub use ports::free_port;
pub use postgres::Postgres;
pub use redis::{Cluster, Redis, Sentinels};
