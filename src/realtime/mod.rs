//! Channels, people and positions; has never heard of a portfolio.

pub mod barred;
pub mod bridge;
pub mod directory;
pub mod journal;
pub mod namespace;
pub mod peers;
pub mod rates;
pub mod room;
pub mod session;
