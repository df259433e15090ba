//! What runs by itself.

pub mod retention;
