//! What the product is about: people's portfolios, strategies and forecasts. No actor, no socket.
//!
//! The rules are pure and import nothing but each other; what keeps them is in `store`, what shows them is read through
//! `reading`. `docs/PORTFOLIO.md` has the
//! nouns and the formulas.

pub mod decimal;
pub mod moment;
pub mod portfolio;
pub mod reading;
pub mod store;
