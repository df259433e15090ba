//! W3: personal channels, to which the server subscribes ten devices of a person on different nodes.

use super::{Crowd, Door, Hiring, Nanos, Pace, SMALL, Work};
use crate::load::{
    Failure,
    chaos::crowd::{Newcomer, user_name},
};

const PEOPLE: usize = 5;
const DEVICES: usize = 10;
const PER_SECOND: f64 = 15.0;

pub(super) struct Personal {
    people: Vec<(u32, Vec<usize>)>,
    turn: usize,
    pace: Pace,
}

impl Personal {
    pub(super) fn begin(crowd: &mut Crowd, hiring: &mut Hiring) -> Self {
        let nodes = usize::from(crowd.nodes());
        let mut person = |_| {
            let user = hiring.user();
            let channel = crowd.ledger.channel(format!("#{}", user_name(user)), Some(user));
            let device = |n: usize| Newcomer {
                role: "device",
                user,
                home: if n == 0 { Door::Nginx } else { Door::Node((n % nodes) as u8) },
                personal: Some(channel),
                slow: false,
            };
            let devices = (0..DEVICES).map(|n| crowd.add(device(n))).collect();
            (channel, devices)
        };
        let people = (0..PEOPLE).map(&mut person).collect();
        Self { people, turn: 0, pace: Pace::per_second(PER_SECOND) }
    }
}

impl Work for Personal {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        for _ in 0..self.pace.due(now) {
            let (channel, devices) = &self.people[self.turn % PEOPLE];
            crowd.tell(devices[self.turn / PEOPLE % DEVICES], *channel, SMALL, false);
            self.turn += 1;
        }
        Ok(())
    }
}
