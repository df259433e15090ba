//! Where the outside touches us: knows HTTP and who is asking, decides nothing.

pub mod address;
pub mod api;
pub mod backend;
pub mod channels;
pub mod error;
pub mod handshake;
pub mod identity;
pub mod limits;
pub mod listener;
pub mod ops;
pub mod portfolio;
pub mod routes;
pub mod socket;
