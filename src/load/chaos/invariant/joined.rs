//! I9 and I10: recoveries within the limits are whole, and nobody is sent away for good.

use std::collections::HashMap;

use super::{Bounds, Index, seconds};
use crate::load::chaos::record::{Nanos, Recovery, What};

/// I9: who missed no more than the limit gets all of it.
pub fn recoveries_within_limits_are_whole(index: &Index<'_>, bounds: &Bounds) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, subscriber) in index.history.subscribers.iter().enumerate() {
        // By channel: where it stood, and under which epoch.
        let mut stood: HashMap<u32, (u16, u32)> = HashMap::new();
        for event in &subscriber.events {
            match event.what {
                What::Joined { channel, offset, epoch, recovery } => {
                    let before = stood.get(&channel).copied();
                    if let (Recovery::Lost, Some((known, position))) = (recovery, before)
                        && known == epoch
                        && is_within_limits(index, bounds, channel, epoch, position, event.at)
                    {
                        broken.push(format!(
                            "{} came back to {} at {} from {position}, the top was {offset}, and it was not recovered",
                            index.subscriber(number as u32),
                            index.channel(channel),
                            seconds(event.at)
                        ));
                    }
                    if recovery != Recovery::Whole || before.is_none() {
                        stood.insert(channel, (epoch, offset));
                    }
                }
                What::Delivered { channel, offset, .. } => {
                    stood.entry(channel).and_modify(|(_, position)| *position = offset);
                }
                _ => {}
            }
        }
    }
    broken
}

/// Whether all that was committed until then beyond a position is little enough. Who stands beyond the top missed nothing.
fn is_within_limits(
    index: &Index<'_>,
    bounds: &Bounds,
    channel: u32,
    epoch: u16,
    position: u32,
    at: Nanos,
) -> bool {
    let rows = index.log(channel, epoch).unwrap_or_default();
    let from = rows.partition_point(|row| row.offset <= position);
    // Whatever was invoked by then may have been there.
    let there = |message: u32| index.invoked.get(message as usize).copied().flatten();
    let missed = rows[from..].iter().filter(|row| there(row.message).is_some_and(|i| i <= at));
    let (mut messages, mut bytes) = (0, 0);
    for row in missed {
        messages += 1;
        bytes += index.history.messages.get(row.message as usize).map_or(0, |m| u64::from(m.size));
    }
    messages <= bounds.recovery_messages && bytes <= bounds.recovery_bytes
}

/// I10: no close and no refusal that an SDK would take for final.
pub fn nobody_is_sent_away_for_good(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, subscriber) in index.history.subscribers.iter().enumerate() {
        for event in &subscriber.events {
            let wrong = match event.what {
                What::Closed { code } if is_final_close(code) => format!("was closed with {code}"),
                What::Left { code: code @ 1..2500, .. } => {
                    format!("was unsubscribed with {code}")
                }
                What::Refused { code, temporary: false } => format!("was refused with {code}"),
                _ => continue,
            };
            broken.push(format!(
                "{} {wrong} at {}",
                index.subscriber(number as u32),
                seconds(event.at)
            ));
        }
    }
    broken
}

/// Codes after which an SDK does not come back.
pub fn is_final_close(code: u16) -> bool {
    matches!(code, 1009 | 3500..=3999 | 4500..=4999)
}
