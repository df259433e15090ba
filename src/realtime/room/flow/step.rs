//! What follows from what a room heard, for the actor to do.

use std::sync::Arc;

use crate::{
    protocol::{Position, Publication},
    realtime::room::broadcast::Broadcast,
};

/// What follows.
#[derive(Debug)]
pub enum Step<C> {
    /// This goes to all members; then the room stands at `reaches`. None: it has no place in the history.
    Deliver { broadcast: Arc<Broadcast>, reaches: Option<Position> },
    /// Whoever has a position must come back; the others go on from here.
    StartOver(Position),
    /// A member enters at `top`.
    Enter { comer: C, stood: Option<Position>, top: Position, recovery: Recovery },
}

/// What becomes of the position with which a member comes.
#[derive(Debug)]
pub enum Recovery {
    /// It has none.
    None,
    /// This is all that it missed.
    Whole(Vec<Arc<Publication>>),
    /// It can't be had. `from_nowhere`: the position does not exist.
    TooWide { from_nowhere: bool },
}
