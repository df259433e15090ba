//! What runs by itself.

pub mod feed;
pub mod retention;
