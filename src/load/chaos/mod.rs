//! `chaos`: parts of a cluster die while people talk, and everything that was promised has to hold. `docs/CHECKER.md`.
//!
//! Shares nothing with the server but its sockets. A seeded plan says which faults are done when; workers of several
//! kinds publish and listen; what they saw is written down, and judged when all is over.

mod crowd;
mod dice;
mod fault;
mod field;
pub mod invariant;
pub mod kind;
mod ledger;
mod payload;
mod plan;
mod proxy;
pub mod record;
mod wire;
mod work;
