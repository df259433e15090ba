//! I6: each subscriber, over all its connections, hears start+1, +2 and so on: nothing twice, no step back, the
//! journal's bytes.

use std::collections::HashMap;

use super::{Index, seconds};
use crate::load::chaos::record::{Recovery, Subscriber, What};

/// Where a subscriber stands in a channel.
#[derive(Clone, Copy)]
struct Standing {
    epoch: u16,
    position: u32,
    subscribed: bool,
}

/// I6, for all subscribers.
pub fn each_hears_all_once_in_order(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, subscriber) in index.history.subscribers.iter().enumerate() {
        walk(index, number as u32, subscriber, &mut broken);
    }
    broken
}

fn walk(index: &Index<'_>, number: u32, subscriber: &Subscriber, broken: &mut Vec<String>) {
    let mut standings: HashMap<u32, Standing> = HashMap::new();
    for event in &subscriber.events {
        let wrong = match event.what {
            What::Joined { channel, offset, epoch, recovery } => {
                let before = standings.get(&channel).copied();
                let (standing, wrong) = joined(before, offset, epoch, recovery);
                standings.insert(channel, standing);
                wrong.map(|wrong| (channel, wrong))
            }
            What::Delivered { channel, offset, message } => {
                let Some(standing) = standings.get_mut(&channel).filter(|s| s.subscribed) else {
                    broken.push(format!(
                        "{} heard {offset} of {} at {}, where it is no member",
                        index.subscriber(number),
                        index.channel(channel),
                        seconds(event.at)
                    ));
                    continue;
                };
                let before = standing.position;
                standing.position = before.max(offset);
                let row = index.row(channel, standing.epoch, offset).map(|row| row.message);
                let wrong = if offset <= before {
                    Some(format!("stood at {before} and heard {offset} again"))
                } else if offset > before + 1 {
                    Some(format!("stood at {before} and heard {offset} next"))
                } else if row != Some(message) {
                    let there = row.map_or("nothing".into(), |row| index.message(row));
                    let heard = index.message(message);
                    Some(format!("heard {heard} at {offset}, where the journal has {there}"))
                } else {
                    None
                };
                wrong.map(|wrong| (channel, wrong))
            }
            What::Left { channel, .. } => {
                standings.entry(channel).and_modify(|standing| standing.subscribed = false);
                None
            }
            What::Closed { .. } => {
                standings.values_mut().for_each(|standing| standing.subscribed = false);
                None
            }
            What::Connected { .. } | What::Refused { .. } => None,
        };
        if let Some((channel, wrong)) = wrong {
            broken.push(format!(
                "{} in {} at {}: {wrong}",
                index.subscriber(number),
                index.channel(channel),
                seconds(event.at)
            ));
        }
    }
}

fn joined(
    before: Option<Standing>,
    offset: u32,
    epoch: u16,
    recovery: Recovery,
) -> (Standing, Option<String>) {
    let fresh = Standing { epoch, position: offset, subscribed: true };
    let (Recovery::Whole, Some(before)) = (recovery, before) else {
        return (fresh, None);
    };
    if before.epoch != epoch {
        return (fresh, Some("was told that it missed nothing, and the epoch is another".into()));
    }
    (Standing { subscribed: true, ..before }, None)
}
