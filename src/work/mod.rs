//! What runs by itself.

pub mod feed;
pub mod prices;
pub mod retention;
