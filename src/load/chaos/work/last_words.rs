//! W2: many channels that say one to three things and fall silent. No next message heals what one of them loses.
//!
//! Their readers sit on two nodes and never reconnect of their own accord.

use super::{Crowd, Dice, Hiring, Nanos, Pace, SMALL, Work};
use crate::load::Failure;

/// Channels of one reader; a client may have 128.
const OF_A_READER: usize = 100;
/// Publishers at each node.
const TALKERS: usize = 6;
/// Between faults.
const PER_SECOND: f64 = 15.0;
/// Messages of a burst in one turn of the loop, at each node.
const IN_A_TURN: usize = 4;

pub(super) struct LastWords {
    channels: Vec<u32>,
    /// The next to speak; and what it still has to say.
    next: usize,
    left: u64,
    talkers: Vec<usize>,
    turn: usize,
    pace: Pace,
    dice: Dice,
}

impl LastWords {
    pub(super) fn begin(
        crowd: &mut Crowd,
        hiring: &mut Hiring,
        count: u32,
        dice: &mut Dice,
    ) -> Self {
        let channels: Vec<u32> =
            (0..count).map(|n| crowd.ledger.channel(format!("word-{n}"), None)).collect();
        let nodes = usize::from(crowd.nodes());
        for (group, channels) in channels.chunks(OF_A_READER).enumerate() {
            // Two readers of each channel, at different nodes.
            for side in 0..2 {
                let home = super::Door::Node(((group + side) % nodes) as u8);
                let who = hiring.client(crowd, "reader", home);
                channels.iter().for_each(|channel| crowd.subscribe(who, *channel));
            }
        }
        let talkers = hiring.spread(crowd, "talker", TALKERS * nodes);
        let pace = Pace::per_second(PER_SECOND);
        Self { channels, next: 0, left: 1, talkers, turn: 0, pace, dice: Dice::new(dice.roll()) }
    }

    fn say(&mut self, crowd: &mut Crowd) {
        let who = self.talkers[self.turn % self.talkers.len()];
        self.turn += 1;
        let channel = self.channels[self.next % self.channels.len()];
        if crowd.tell(who, channel, SMALL, false).is_none() {
            return;
        }
        self.left -= 1;
        if self.left == 0 {
            self.next += 1;
            self.left = 1 + self.dice.below(3);
        }
    }

    /// As many as there is breath for, from all nodes.
    pub(super) fn burst(&mut self, _now: Nanos, crowd: &mut Crowd) {
        for _ in 0..IN_A_TURN * usize::from(crowd.nodes()) {
            self.say(crowd);
        }
    }
}

impl Work for LastWords {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for _ in 0..self.pace.due(now) {
            self.say(crowd);
        }
        Ok(())
    }
}
