//! W8: readers who freeze for a while. Nobody else is late for them, and they get all of it afterwards or are told.

use super::{Crowd, Door, Hiring, LARGE, Nanos, Newcomer, Pace, SECOND, Work};
use crate::load::Failure;

const READERS: usize = 3;
const PER_SECOND: f64 = 15.0;
/// Longer than a stall of the socket is borne.
const FREEZES: Nanos = 13 * SECOND;
const THAWS: Nanos = 9 * SECOND;

pub(super) struct Frozen {
    channel: u32,
    readers: Vec<(usize, Nanos, bool)>,
    publisher: usize,
    pace: Pace,
}

impl Frozen {
    pub(super) fn begin(crowd: &mut Crowd, hiring: &mut Hiring) -> Self {
        let channel = crowd.ledger.channel("frozen".into(), None);
        let nodes = usize::from(crowd.nodes());
        let mut readers = Vec::new();
        for n in 0..READERS {
            let home = Door::Node((n % nodes) as u8);
            let user = hiring.user();
            let made = Newcomer { role: "frozen", user, home, personal: None, slow: true };
            let who = crowd.add(made);
            crowd.subscribe(who, channel);
            readers.push((who, (2 + 3 * n as Nanos) * SECOND, true));
        }
        // One who always reads, in the same channel.
        let other = hiring.client(crowd, "member", Door::Node(0));
        crowd.subscribe(other, channel);
        let publisher = hiring.client(crowd, "publisher", Door::Node(0));
        Self { channel, readers, publisher, pace: Pace::per_second(PER_SECOND) }
    }
}

impl Work for Frozen {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for _ in 0..self.pace.due(now) {
            crowd.tell(self.publisher, self.channel, LARGE, false);
        }
        for (who, due, reads) in &mut self.readers {
            // One that freezes on its way in is a stranger to the node, and sent away for good as such.
            if now >= *due && (!*reads || crowd.is_up(*who)) {
                *reads = !*reads;
                *due = now + if *reads { THAWS } else { FREEZES };
                crowd.read(*who, *reads)?;
            }
        }
        Ok(())
    }
}
