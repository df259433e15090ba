//! A bucket that several nodes take from: each by what it knows, and it tells the others in portions. Pure.
//!
//! A node takes from its own copy, so nobody waits for Redis. When it has taken a portion that the others have not heard of,
//! it has that charged to the one bucket that all share, and is told what that owes then: what is more than it thought,
//! others have taken, and its copy owes as much more. So nodes together give what the limit allows, a portion each, and what
//! each gives while a charge of its own is under way; that is charged, too, and the rate holds. As long as nobody else has
//! charged anything, the one takes over what the copy owes: a node alone does exactly what it would do without Redis. While
//! Redis does not answer, each copy goes on by itself.

use std::time::Duration;

use super::bucket::{Bucket, Limit, Micros, TOKEN};

/// The part of a burst that a node takes before it tells.
const PORTION: u64 = 10;

/// What a node names that does not know how the one bucket was left.
const NEVER: u64 = 0;

/// This node's copy of a bucket.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Shared {
    /// All that is known to be taken: here, and by others.
    all: Bucket,
    /// What was taken here and not told, whether it has come back meanwhile or not.
    untold: u64,
    /// What was owed when it was told last, while the answer has not come.
    telling: Option<u64>,
    /// How the one bucket was left after this node's last charge.
    left: u64,
}

/// What the others have to be told. In millionths of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Taken since the last time.
    pub taken: u64,
    /// What is owed now, as far as this node knows.
    pub owed: u64,
    /// See [`Heard::left`]; 0: never.
    pub left: u64,
}

/// What comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// What the one bucket owes, in millionths of a token.
    pub owed: u64,
    /// Names the state of the one bucket: it is another after each charge.
    pub left: u64,
}

impl Shared {
    /// How long until a token is there; none: now.
    pub fn wait(&mut self, limit: Limit, now: Micros) -> Option<Duration> {
        self.all.wait(limit, now)
    }

    /// Takes one, there or not.
    pub fn spend(&mut self) {
        self.all.add(TOKEN);
        self.untold = self.untold.saturating_add(TOKEN);
    }

    /// What the others have to be told now; [`answered`](Self::answered) has to follow.
    pub fn to_tell(&mut self, limit: Limit, now: Micros) -> Option<Told> {
        if self.telling.is_some() || self.untold < (limit.most() / PORTION).max(TOKEN) {
            return None;
        }
        let owed = self.all.owed(limit, now);
        self.telling = Some(owed);
        Some(Told { taken: std::mem::take(&mut self.untold), owed, left: self.left })
    }

    /// What came of it; none: nobody knows, and it is not told again.
    pub fn answered(&mut self, heard: Option<Heard>) {
        let told = self.telling.take();
        let (Some(told), Some(heard)) = (told, heard) else { return };
        // Both as of the moment when it was told: the way there and back is to nobody's disadvantage.
        let of_others = heard.owed.saturating_sub(told);
        self.all.add(of_others);
        // On its way back the answer grew old, and this copy owes that much less than the one: next time its word is not
        // taken for the whole truth, else it would be forgiven each time.
        self.left = if of_others == 0 { heard.left } else { NEVER };
    }

    /// Whether it need not be remembered: it has had the time to fill. Less than a portion that was not told is forgotten.
    pub fn is_idle(&self, limit: Limit, now: Micros) -> bool {
        self.telling.is_none() && self.all.is_idle(limit, now)
    }
}

#[cfg(test)]
mod tests;
