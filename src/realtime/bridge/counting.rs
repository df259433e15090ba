//! What nodes count together in Redis: how much a user has taken of a limit, and how many connections there are. Pure.
//!
//! Each is one script with one key, so that it is done as a whole, by the clock of that server, on whatever server of a
//! cluster has the key. Keys expire by themselves. `EVAL` and not `EVALSHA`: a server that was restarted or promoted
//! knows no script, and these are called seldom enough.

use redis::{Value, cmd};

use super::{names::Names, registry::Errand};
use crate::ids::{NodeId, UserId};

/// How long the count that a run gave holds, in seconds: three times that after which it is given again.
pub const COUNT_HOLDS: u64 = 900;

/// What was taken here of a bucket that all nodes share; all amounts in millionths of a token.
#[derive(Clone, Debug)]
pub struct Charge {
    /// What is limited: a word for the name of the key.
    pub what: &'static str,
    pub user: UserId,
    /// Tokens a second.
    pub rate: u64,
    /// What may be owed then; more is forgiven.
    pub most: u64,
    pub taken: u64,
    /// What is owed as this node knows it: that holds unless somebody else has charged something.
    pub owed: u64,
    /// What [`Charged::left`] was the last time; 0: never.
    pub left: u64,
}

/// The bucket that all nodes share, after a charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charged {
    /// In millionths of a token.
    pub owed: u64,
    /// When that was, by the clock there, in microseconds: tells whether somebody else has charged something since.
    pub left: u64,
}

/// How many connections of a user there are on this node.
#[derive(Clone, Debug)]
pub struct Crowd {
    pub user: UserId,
    pub here: usize,
    /// One more asks to come in, if there are less than that on all nodes. None: nobody asks.
    pub most: Option<usize>,
}

/// Charges, and asks what is owed then; [`charged`] reads the answer.
pub(super) fn charge(names: &Names, charge: &Charge) -> Errand {
    let key = names.bucket(charge.what, charge.user.as_str());
    let mut command = cmd("EVAL");
    command.arg(include_str!("counting/charge.lua")).arg(1).arg(&key);
    command.arg(charge.rate).arg(charge.most);
    command.arg(charge.taken).arg(charge.owed).arg(charge.left);
    Errand { key, command }
}

/// Writes down how many there are here, and asks whether one more may come; [`may_come`] reads the answer.
pub(super) fn crowd(
    names: &Names,
    crowd: &Crowd,
    me: NodeId,
    live: impl Iterator<Item = NodeId>,
) -> Errand {
    let key = names.crowd(crowd.user.as_str());
    let mut command = cmd("EVAL");
    command.arg(include_str!("counting/crowd.lua")).arg(1).arg(&key);
    command.arg(me.to_string()).arg(crowd.here).arg(crowd.most.unwrap_or(0)).arg(COUNT_HOLDS);
    for run in live {
        command.arg(run.to_string());
    }
    Errand { key, command }
}

/// Reads what is owed.
pub(super) fn charged(answer: Value) -> Option<Charged> {
    let (owed, left) = redis::from_redis_value(answer).ok()?;
    Some(Charged { owed, left })
}

/// Reads whether one more may come.
pub(super) fn may_come(answer: Value) -> Option<bool> {
    redis::from_redis_value(answer).ok()
}
