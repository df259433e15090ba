//! Portfolios, what they hold, exit strategies and what these would bring: nouns, rules and formulas. Pure.

pub mod alert;
pub mod fold;
pub mod forecast;
pub mod holding;
pub mod id;
pub mod import;
pub mod listing;
mod object;
pub mod portfolios;
mod records;
mod refusal;
pub mod sifting;
pub mod strategy;
#[cfg(test)]
mod tests;
pub mod token;
pub mod transaction;
mod words;

pub use object::Object;
pub use refusal::Refusal;
pub use words::{list, text};
