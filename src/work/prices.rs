//! Prices in the background: where they come from, what of it is believed, and what this node knows. Never inside a
//! request.

pub mod coin_market_cap;
mod known;
mod number;
pub mod pace;
pub mod quotes;
mod refresher;
mod rota;
pub mod simulated;

pub use known::KnownPrices;
pub use refresher::{MakeProvider, Refresher};
