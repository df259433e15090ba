//! What happened in a run, written down by those who saw it: publishers, subscribers, the database, who did the faults.
//!
//! All times are nanoseconds of one monotonic clock. Names are numbers, so that millions of deliveries fit: a delivery is
//! 24 bytes. What a payload was is decided when it is read (see `payload`), byte for byte.

use std::{collections::HashMap, fmt};

use super::kind::Kind;

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// A message that nobody of this run sent, or one that was altered on its way.
pub const FOREIGN: u32 = u32::MAX;

/// The code of a subscription that its client gave up.
pub const BY_WISH_LEFT: u16 = 0;

/// The code of a connection that its client closed; without a close frame it is 0.
pub const BY_WISH_CLOSED: u16 = 1;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;

/// All records of a run.
#[derive(Clone, Default, Debug)]
pub struct History {
    pub channels: Vec<Channel>,
    /// By number; the number stands in the payload.
    pub messages: Vec<Message>,
    pub attempts: Vec<Attempt>,
    pub subscribers: Vec<Subscriber>,
    pub epochs: Epochs,
    /// One for each generation of the journal, the present one last.
    pub eras: Vec<Era>,
    pub faults: Vec<Fault>,
    /// When no fault was there and the last one was over for good.
    pub quiet: Vec<(Nanos, Nanos)>,
    pub counters: Vec<Counters>,
    /// When everybody was asked to stop publishing, and when listening ended.
    pub published_until: Nanos,
    pub ended_at: Nanos,
}

/// A channel of the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    pub name: String,
    /// The only user who may hear it.
    pub person: Option<u32>,
}

/// Something to be said once, however often it is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    pub channel: u32,
    pub publisher: u32,
    /// Its number among those of its publisher.
    pub n: u32,
    /// Length of the payload in bytes.
    pub size: u32,
    /// Published under an idempotency key, perhaps several times.
    pub keyed: bool,
}

/// One publish of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub message: u32,
    pub node: u8,
    pub invoked: Nanos,
    pub answered: Nanos,
    pub outcome: Outcome,
}

/// What a publisher was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Ok {
        offset: u32,
        epoch: u16,
    },
    /// For good: it did not happen.
    Refused {
        code: u16,
    },
    /// A temporary error, a connection that broke, or no answer in time: it may have happened.
    Unknown,
}

/// One client and all that it heard, over all of its connections.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscriber {
    pub role: &'static str,
    pub user: u32,
    /// Does not always read what comes: nobody is late who serves it late.
    pub slow: bool,
    pub events: Vec<Event>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    pub at: Nanos,
    pub what: What,
}

/// What a client saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A connection stands; `node` is 255 when it came through NGINX.
    Connected {
        node: u8,
    },
    /// A subscription stands at `offset`.
    Joined {
        channel: u32,
        offset: u32,
        epoch: u16,
        recovery: Recovery,
    },
    Delivered {
        channel: u32,
        offset: u32,
        message: u32,
    },
    /// The subscription ended: 0 by the client's own wish, else with the server's code.
    Left {
        channel: u32,
        code: u16,
    },
    /// The connection ended; 0 without a close frame, 1 by the client's own wish.
    Closed {
        code: u16,
    },
    /// A connect or subscribe was refused.
    Refused {
        code: u16,
        temporary: bool,
    },
}

/// How a subscription began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// It did not ask for what it missed.
    Fresh,
    /// It gets all that it missed.
    Whole,
    /// It was told that it does not.
    Lost,
}

/// What an epoch names: the journal's generation and the channel's life in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Epoch {
    pub generation: String,
    pub life: u32,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.life)
    }
}

/// Epochs by number.
#[derive(Clone, Default, Debug)]
pub struct Epochs {
    known: Vec<Epoch>,
    numbers: HashMap<Epoch, u16>,
}

impl Epochs {
    /// The number of an epoch `<generation>.<life>`; text of another shape is a generation of its own.
    pub fn number(&mut self, text: &str) -> u16 {
        let split = text.rsplit_once('.').and_then(|(generation, life)| {
            Some(Epoch { generation: generation.into(), life: life.parse().ok()? })
        });
        let epoch = split.unwrap_or_else(|| Epoch { generation: text.into(), life: 0 });
        if let Some(number) = self.numbers.get(&epoch) {
            return *number;
        }
        let number = u16::try_from(self.known.len()).unwrap_or(u16::MAX);
        self.known.push(epoch.clone());
        self.numbers.insert(epoch, number);
        number
    }

    /// The epoch of a number that [`number`](Self::number) gave.
    pub fn get(&self, number: u16) -> Option<&Epoch> {
        self.known.get(usize::from(number))
    }
}

/// The journal of one generation, as the database that held it had it at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Era {
    pub generation: String,
    pub rows: Vec<Row>,
}

/// One publication in the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Row {
    /// [`FOREIGN`] where the run knows no such channel.
    pub channel: u32,
    pub life: u32,
    pub offset: u32,
    pub message: u32,
    /// When its append began, by the database's clock.
    pub at: Nanos,
}

/// A fault that was planned, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub node: Option<u8>,
    pub planned_at: Nanos,
    /// From when on it was there, as its witness saw it.
    pub taken_at: Option<Nanos>,
    /// What shows that it happened: another process, a state, a count.
    pub witness: Option<String>,
    /// Until when it was surely there: the moment before anybody began to heal it.
    pub held_until: Option<Nanos>,
    /// When what it broke was whole again; for a node that died, its death.
    pub healed_at: Option<Nanos>,
}

impl Fault {
    /// From its beginning to its end, as far as they are known. It begins to break things before its witness sees that.
    pub fn window(&self) -> (Nanos, Nanos) {
        let last = self.healed_at.or(self.taken_at).unwrap_or(self.planned_at);
        (self.planned_at, last.max(self.planned_at))
    }
}

/// What a node counted at one moment; none where it has no such metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub node: u8,
    /// The process: a node that was started anew counts from 0.
    pub pid: u32,
    pub at: Nanos,
    pub order_broken: Option<u64>,
    pub member_behind: Option<u64>,
    pub learned_from_feed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_takes_24_bytes() {
        assert_eq!(size_of::<Event>(), 24);
        assert!(size_of::<Attempt>() <= 40);
    }

    #[test]
    fn epochs_are_told_apart_by_generation_and_life() {
        let mut epochs = Epochs::default();
        let numbers = ["g.0", "g.1", "h.0", "g.0", "odd"].map(|text| epochs.number(text));
        assert_eq!(numbers, [0, 1, 2, 0, 3]);
        assert_eq!(epochs.get(1), Some(&Epoch { generation: "g".into(), life: 1 }));
        assert_eq!(epochs.get(3).map(|epoch| epoch.generation.as_str()), Some("odd"));
    }
}
