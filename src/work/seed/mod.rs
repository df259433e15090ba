//! People to try a database with: drawn from a seed, the same in every release, and written down by the store's own rules.
//!
//! Person 7 of a seed is the same person however many others there are. What is drawn are decimals, texts and times; ids
//! are fresh in each database.

mod filling;
mod market;
mod person;
#[cfg(test)]
mod tests;
mod veteran;

pub use filling::{Failed, Filled, Filling};

use crate::ids::UserId;

/// Rises with every change of what is drawn, so that who keeps filled databases knows which are of old.
pub const EDITION: u32 = 1;

/// What the names of drawn people begin with; a number follows, from 1.
pub const NAMES: &str = "person-";

/// Somebody who has more than all others: twelve years of it.
pub const VETERAN: &str = "person-veteran";

/// A person of this number, from 1.
pub fn user(number: u64) -> UserId {
    UserId::new(&format!("{NAMES}{number}"))
}
