//! W7: one key goes to two nodes at once, and again after an unknown answer, until one says that it happened.

use std::collections::HashMap;

use super::{Crowd, Hiring, Nanos, Outcome, Pace, SECOND, SMALL, Work};
use crate::load::Failure;

const PER_SECOND: f64 = 10.0;
const CHANNELS: usize = 4;
/// Between two tries.
const AGAIN_AFTER: Nanos = SECOND / 3;
/// Keys are kept for five minutes: nobody tries longer than this.
const GIVES_UP_AFTER: Nanos = 120 * SECOND;
/// Messages that are tried again at a time.
const AT_MOST: usize = 200;

pub(super) struct Retriers {
    channels: Vec<u32>,
    publishers: Vec<usize>,
    /// By message: when it was first tried, and when it is tried again, if it is to be.
    unsettled: HashMap<u32, (Nanos, Option<Nanos>)>,
    pace: Pace,
    turn: usize,
}

impl Retriers {
    pub(super) fn begin(crowd: &mut Crowd, hiring: &mut Hiring) -> Self {
        let channels: Vec<u32> =
            (0..CHANNELS).map(|n| crowd.ledger.channel(format!("retry-{n}"), None)).collect();
        for channel in &channels {
            for who in hiring.spread(crowd, "member", 3) {
                crowd.subscribe(who, *channel);
            }
        }
        // A key belongs to a user: all are devices of one.
        let user = hiring.user();
        let nodes = crowd.nodes();
        let device = |node| super::Newcomer {
            role: "retrier",
            user,
            home: super::Door::Node(node),
            personal: None,
            slow: false,
        };
        let publishers = (0..2 * nodes).map(|n| crowd.add(device(n % nodes))).collect();
        Self {
            channels,
            publishers,
            unsettled: HashMap::new(),
            pace: Pace::per_second(PER_SECOND),
            turn: 0,
        }
    }

    /// The next of them, at another node than the one before.
    fn next(&mut self) -> usize {
        self.turn += 1;
        self.publishers[self.turn % self.publishers.len()]
    }
}

impl Work for Retriers {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for _ in 0..self.pace.due(now) {
            let channel = self.channels[self.turn % CHANNELS];
            let (one, two) = (self.next(), self.next());
            if let Some(message) = crowd.tell(one, channel, SMALL, true) {
                crowd.publish(two, message);
                self.unsettled.insert(message, (now, None));
            }
        }
        let due: Vec<u32> = self
            .unsettled
            .iter()
            .filter(|(_, (_, again))| again.is_some_and(|again| again <= now))
            .map(|(message, _)| *message)
            .take(AT_MOST)
            .collect();
        for message in due {
            let again = self.next();
            let said = crowd.publish(again, message);
            if let Some((_, again)) = self.unsettled.get_mut(&message) {
                *again = (!said).then_some(now + AGAIN_AFTER);
            }
        }
        self.unsettled.retain(|_, (first, _)| now < *first + GIVES_UP_AFTER);
        Ok(())
    }

    fn answered(&mut self, message: u32, outcome: Outcome, now: Nanos) {
        let Some((_, again)) = self.unsettled.get_mut(&message) else { return };
        match outcome {
            Outcome::Unknown => *again = Some(now + AGAIN_AFTER),
            Outcome::Ok { .. } | Outcome::Refused { .. } => {
                self.unsettled.remove(&message);
            }
        }
    }
}
