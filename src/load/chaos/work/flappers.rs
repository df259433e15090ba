//! W5: flappers subscribe and unsubscribe 20 times a second, in rooms that close at once.

use super::{Crowd, Hiring, Nanos, Pace, SMALL, Work};
use crate::load::Failure;

const FLAPPERS: usize = 6;
const PER_SECOND: f64 = 20.0;
const SAID_PER_SECOND: f64 = 6.0;

pub(super) struct Flappers {
    /// Each with a channel that it has for itself.
    clients: Vec<(usize, u32)>,
    publishers: Vec<usize>,
    flap: Pace,
    say: Pace,
    turn: usize,
}

impl Flappers {
    pub(super) fn begin(crowd: &mut Crowd, hiring: &mut Hiring) -> Self {
        let clients = hiring.spread(crowd, "flapper", FLAPPERS);
        let own =
            |(n, who): (usize, &usize)| (*who, crowd.ledger.channel(format!("flap-{n}"), None));
        let clients = clients.iter().enumerate().map(own).collect();
        let publishers = hiring.spread(crowd, "publisher", FLAPPERS);
        Self {
            clients,
            publishers,
            flap: Pace::per_second(PER_SECOND),
            say: Pace::per_second(SAID_PER_SECOND),
            turn: 0,
        }
    }

    /// Lets everybody stay, for the end.
    fn flap_all(&self, crowd: &mut Crowd) {
        for (who, channel) in &self.clients {
            match crowd.is_in(*who, *channel) {
                true => crowd.unsubscribe(*who, *channel),
                false => crowd.subscribe(*who, *channel),
            }
        }
    }
}

impl Work for Flappers {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        if self.flap.due(now) > 0 {
            self.flap_all(crowd);
        }
        for _ in 0..self.say.due(now) {
            let channel = self.clients[self.turn % FLAPPERS].1;
            // By the node that the flapper is not at, if there is another.
            crowd.tell(self.publishers[(self.turn + 1) % FLAPPERS], channel, SMALL, false);
            self.turn += 1;
        }
        Ok(())
    }
}
