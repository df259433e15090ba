//! What runs by itself.

pub mod alerts;
pub mod feed;
pub mod forecasts;
pub mod keys;
pub mod prices;
pub mod retention;
pub mod seed;
