//! What runs by itself.

pub mod alerts;
pub mod feed;
pub mod prices;
pub mod retention;
pub mod seed;
