//! One channel on this node: its actor, the door that keeps order, and the hubs that carry to members.

pub mod seat;

pub mod request;

pub mod house;

mod actor;
pub mod audience;
pub mod broadcast;
pub mod busy;
pub mod catch_up;
mod door;
mod flow;
pub mod members;
mod people;
pub mod ring;
pub mod scales;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trap;

pub mod hub;
pub mod roster;
pub mod wheel;

pub use catch_up::Limits;
