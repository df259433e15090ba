//! I2, I3 and I4: what stands in the journal and what was heard, by itself.

use std::collections::HashSet;

use super::{Index, seconds};
use crate::load::chaos::record::{FOREIGN, What};

/// I2: the offsets of a channel's life are 1 to n.
pub fn offsets_have_no_hole(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for rows in &index.logs {
        let mut before = None;
        for row in rows {
            let here = (row.channel, row.life);
            let expected = match before {
                Some((place, offset)) if place == here => offset + 1,
                _ => 1,
            };
            if row.offset != expected {
                let channel = index.channel(row.channel);
                broken.push(format!(
                    "{channel} life {}: expected offset {expected}, found {}",
                    row.life, row.offset
                ));
            }
            before = Some((here, row.offset));
        }
    }
    broken
}

/// I3: nothing is journaled or delivered that was not invoked, in that channel; a person's channel is that person's.
pub fn nothing_comes_from_nowhere(index: &Index<'_>) -> Vec<String> {
    let history = index.history;
    let is_of = |message: u32, channel: u32| {
        let known = history.messages.get(message as usize);
        known.is_some_and(|message| message.channel == channel)
            && index.invoked[message as usize].is_some()
    };
    let mut broken = Vec::new();
    for row in index.logs.iter().flatten() {
        if row.channel == FOREIGN || !is_of(row.message, row.channel) {
            broken.push(format!(
                "the journal has {} in {} at {}, and nobody published it there",
                index.message(row.message),
                index.channel(row.channel),
                row.offset
            ));
        }
    }
    for (number, subscriber) in history.subscribers.iter().enumerate() {
        for event in &subscriber.events {
            let (channel, heard) = match event.what {
                What::Delivered { channel, message, .. } => (channel, Some(message)),
                What::Joined { channel, .. } => (channel, None),
                _ => continue,
            };
            let who = || index.subscriber(number as u32);
            let person = history.channels.get(channel as usize).and_then(|c| c.person);
            if let Some(person) = person
                && person != subscriber.user
            {
                broken.push(format!(
                    "{}, user {}, was let into {} of user {person}",
                    who(),
                    subscriber.user,
                    index.channel(channel)
                ));
            }
            if let Some(message) = heard
                && !is_of(message, channel)
            {
                broken.push(format!(
                    "{} heard {} in {} at {}, and nobody published it there",
                    who(),
                    index.message(message),
                    index.channel(channel),
                    seconds(event.at)
                ));
            }
        }
    }
    broken
}

/// I4: what was published under a key stands in the journal once at most; so does everything else.
pub fn a_key_happens_once(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for rows in &index.logs {
        let mut seen = HashSet::with_capacity(rows.len());
        for row in rows {
            if row.message != FOREIGN && !seen.insert(row.message) {
                let keyed =
                    index.history.messages.get(row.message as usize).is_some_and(|m| m.keyed);
                broken.push(format!(
                    "{}{} stands in {} once more, at {}",
                    index.message(row.message),
                    if keyed { ", published under a key," } else { "" },
                    index.channel(row.channel),
                    row.offset
                ));
            }
        }
    }
    broken
}
