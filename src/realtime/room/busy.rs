//! Why somebody in this house does not answer.

use crate::protocol::Refusal;

/// A room or hub can't take more at the moment.
#[derive(Debug)]
pub struct Busy;

/// Why a question about a channel has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// Its room has no time for it.
    Busy,
    /// Nobody can say who is on other nodes: Redis does not answer.
    OfOthers,
}

impl From<Busy> for NoAnswer {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<NoAnswer> for Refusal {
    fn from(why: NoAnswer) -> Self {
        let unknown = "who is on other nodes can't be known at the moment; try again";
        match why {
            NoAnswer::Busy => {
                Self::TOO_MANY_REQUESTS.because("the room is full of requests; try again")
            }
            NoAnswer::OfOthers => Self::INTERNAL.because(unknown),
        }
    }
}
