//! W1: busy channels, each published from two nodes, with members at all doors.

use super::{Crowd, Door, Hiring, Nanos, Pace, SMALL, Work};
use crate::load::Failure;

const CHANNELS: usize = 20;
/// Of each channel; every third comes through NGINX.
const MEMBERS: usize = 6;

pub(super) struct Busy {
    pub(super) channels: Vec<u32>,
    /// Two publishers a channel, at different nodes.
    publishers: Vec<[usize; 2]>,
    pace: Pace,
    turn: usize,
}

impl Busy {
    pub(super) fn begin(crowd: &mut Crowd, hiring: &mut Hiring, rate: f64) -> Self {
        let nodes = usize::from(crowd.nodes());
        let node = |n: usize| Door::Node((n % nodes) as u8);
        let (mut channels, mut publishers) = (Vec::new(), Vec::new());
        for n in 0..CHANNELS {
            let channel = crowd.ledger.channel(format!("busy-{n}"), None);
            channels.push(channel);
            for member in 0..MEMBERS {
                let home = if member % 3 == 2 { Door::Nginx } else { node(member + n) };
                let who = hiring.client(crowd, "member", home);
                crowd.subscribe(who, channel);
            }
            publishers.push([n, n + 1].map(|n| hiring.client(crowd, "publisher", node(n))));
        }
        Self { channels, publishers, pace: Pace::per_second(rate), turn: 0 }
    }
}

impl Work for Busy {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for _ in 0..self.pace.due(now) {
            let (channel, side) = (self.turn % CHANNELS, self.turn / CHANNELS % 2);
            self.turn += 1;
            crowd.tell(self.publishers[channel][side], self.channels[channel], SMALL, false);
        }
        Ok(())
    }
}
