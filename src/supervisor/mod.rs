//! Restarts what falls: an actor that panics goes on with its mailbox kept.
//!
//! actix's own `Supervisor` restarts an actor that *stops*; a panic unwinds through it, and the address
//! dies with everything queued behind it. [`start`] polls the actor inside a catch instead. After a panic:
//!
//! - the message whose handler panicked is lost (who waits for its answer gets an error),
//! - all that the actor has spawned on its context is dropped, so nothing that must be heard may live there,
//! - `restarting()` is called, then the queued messages are handled in their order.
//!
//! An actor that keeps falling waits longer each time ([`backoff`]); past the last step the process
//! aborts: a node that can't carry one of its parts must not look alive.

pub mod backoff;
mod child;
pub mod turns;
mod watch;

pub use backoff::FORGIVEN_AFTER;
pub use child::{start, start_here};
pub use watch::restarts;
