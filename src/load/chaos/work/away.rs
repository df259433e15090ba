//! W6: people who are away for a while and miss 1, 299, 300, 301 or 1,000 messages, or large ones in ten channels.

use super::{Crowd, Dice, Hiring, LARGE, Nanos, Pace, SECOND, SMALL, Work};
use crate::load::Failure;

/// What is missed: channels, messages in each, bytes of each.
const CASES: [(u32, u32, u32); 6] = [
    (1, 1, SMALL),
    (1, 299, SMALL),
    (1, 300, SMALL),
    (1, 301, SMALL),
    (1, 1_000, SMALL),
    (10, 30, LARGE),
];
/// Into the channels of one who is away.
const PER_SECOND: f64 = 120.0;
/// How long one who came back stays.
const STAYS: Nanos = 4 * SECOND;

pub(super) struct Away {
    cases: Vec<Case>,
    lasts: (Nanos, Nanos),
    dice: Dice,
}

struct Case {
    who: usize,
    publisher: usize,
    channels: Vec<u32>,
    messages: u32,
    size: u32,
    /// When it goes, or comes back.
    due: Nanos,
    /// Messages that are still to be said; none while it is there.
    left: Option<u32>,
    pace: Pace,
}

impl Away {
    pub(super) fn begin(
        crowd: &mut Crowd,
        hiring: &mut Hiring,
        lasts: (Nanos, Nanos),
        dice: &mut Dice,
    ) -> Self {
        let people = hiring.spread(crowd, "away", CASES.len());
        let publishers = hiring.spread(crowd, "publisher", CASES.len());
        let mut cases = Vec::new();
        for (n, (count, messages, size)) in CASES.into_iter().enumerate() {
            let channels: Vec<u32> = (0..count)
                .map(|channel| crowd.ledger.channel(format!("away-{n}-{channel}"), None))
                .collect();
            channels.iter().for_each(|channel| crowd.subscribe(people[n], *channel));
            cases.push(Case {
                who: people[n],
                publisher: publishers[(n + 1) % publishers.len()],
                channels,
                messages,
                size,
                due: STAYS + dice.below(STAYS),
                left: None,
                pace: Pace::per_second(PER_SECOND),
            });
        }
        Self { cases, lasts, dice: Dice::new(dice.roll()) }
    }
}

impl Work for Away {
    fn step(&mut self, now: Nanos, crowd: &mut Crowd) -> Result<(), Failure> {
        let (shortest, longest) = self.lasts;
        for case in &mut self.cases {
            match case.left {
                None if now >= case.due && case.is_there(crowd) => {
                    crowd.go(case.who);
                    case.left = Some(case.messages * case.channels.len() as u32);
                    case.due = now + shortest + self.dice.below((longest - shortest).max(1));
                }
                None => {}
                Some(0) if now >= case.due => {
                    crowd.come(case.who);
                    case.left = None;
                    case.due = now + STAYS;
                }
                Some(left) => case.left = Some(case.say(left, now, crowd)),
            }
        }
        Ok(())
    }
}

impl Case {
    fn is_there(&self, crowd: &Crowd) -> bool {
        self.channels.iter().all(|channel| crowd.is_in(self.who, *channel))
    }

    /// Says some of what is left; returns how much is left then.
    fn say(&mut self, left: u32, now: Nanos, crowd: &mut Crowd) -> u32 {
        let mut left = left;
        for _ in 0..self.pace.due(now) {
            let channel = left as usize % self.channels.len();
            if left > 0
                && crowd.tell(self.publisher, self.channels[channel], self.size, false).is_some()
            {
                left -= 1;
            }
        }
        left
    }
}
