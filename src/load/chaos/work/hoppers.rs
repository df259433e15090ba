//! W4: hoppers come back at another node each 1 to 5 s, with their position.

use super::{Crowd, Dice, Door, Hiring, Nanos, SECOND, Work};
use crate::load::Failure;

const HOPPERS: usize = 12;

pub(super) struct Hoppers {
    clients: Vec<(usize, Nanos)>,
    dice: Dice,
}

impl Hoppers {
    pub(super) fn begin(
        crowd: &mut Crowd,
        hiring: &mut Hiring,
        channels: &[u32],
        dice: &mut Dice,
    ) -> Self {
        let clients = hiring.spread(crowd, "hopper", HOPPERS);
        for (who, channel) in clients.iter().zip(channels) {
            crowd.subscribe(*who, *channel);
        }
        let clients = clients.into_iter().map(|who| (who, 2 * SECOND)).collect();
        Self { clients, dice: Dice::new(dice.roll()) }
    }
}

impl Work for Hoppers {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        let nodes = u64::from(crowd.nodes());
        for (who, due) in &mut self.clients {
            // Who is on the way already is let arrive first.
            if now >= *due && crowd.is_up(*who) {
                *due = now + SECOND + self.dice.below(4 * SECOND);
                crowd.hop(*who, Door::Node(self.dice.below(nodes) as u8));
            }
        }
        Ok(())
    }
}
