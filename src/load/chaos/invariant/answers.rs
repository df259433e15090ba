//! I1 and I5: what publishers were told, against what the journal holds.

use super::{Index, seconds};
use crate::load::chaos::record::{Nanos, Outcome};

/// I1: every message that was acknowledged is in the journal once, at the place that its answer named.
pub fn acknowledged_are_in_the_journal(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for attempt in &index.history.attempts {
        let Outcome::Ok { offset, epoch } = attempt.outcome else { continue };
        let Some(message) = index.history.messages.get(attempt.message as usize) else { continue };
        let there = index.row(message.channel, epoch, offset).map(|row| row.message);
        if there == Some(attempt.message) {
            continue;
        }
        let place = format!("{} {}@{offset}", index.channel(message.channel), index.epoch(epoch));
        let found = match there {
            Some(other) => format!("{} stands there", index.message(other)),
            None if index.log(message.channel, epoch).is_none() => {
                "no journal has that generation".into()
            }
            None => "nothing stands there".into(),
        };
        broken.push(format!(
            "{} was acknowledged at {} as {place}, and {found}",
            index.message(attempt.message),
            seconds(attempt.answered)
        ));
    }
    broken
}

/// I5: what was acknowledged before something else was said stands before it.
pub fn order_of_answers_is_order_of_offsets(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for rows in &index.logs {
        // From the highest offset of a channel down: the earliest acknowledgement above.
        let mut above: Option<(Nanos, u32, u32)> = None;
        let mut channel = None;
        for row in rows.iter().rev() {
            if channel != Some((row.channel, row.life)) {
                channel = Some((row.channel, row.life));
                above = None;
            }
            let invoked = index.invoked.get(row.message as usize).copied().flatten();
            if let (Some(invoked), Some((at, message, offset))) = (invoked, above)
                && at < invoked
            {
                broken.push(format!(
                    "{}: {} was acknowledged at {} and stands at {offset}; {} was invoked at {} and stands at {}",
                    index.channel(row.channel),
                    index.message(message),
                    seconds(at),
                    index.message(row.message),
                    seconds(invoked),
                    row.offset
                ));
            }
            let told = index.acknowledged.get(row.message as usize).copied().flatten();
            if let Some(told) = told
                && above.is_none_or(|(at, ..)| told.at < at)
            {
                above = Some((told.at, row.message, row.offset));
            }
        }
    }
    broken
}
