//! I7: a while after each fault has healed, every member that stayed connected stands at the top, without help.

use super::{Bounds, Index, index::Stay, seconds};
use crate::load::chaos::record::Nanos;

/// I7, once for each fault and once for the end of the run.
pub fn nobody_is_stuck(index: &Index<'_>, bounds: &Bounds) -> Vec<String> {
    let mut broken = Vec::new();
    for fault in &index.history.faults {
        let Some(healed) = fault.healed_at else { continue };
        let by = healed + bounds.connected;
        // Where another fault went on or began meanwhile, its own end is the time to look.
        if index.faults_between(healed, by).any(|other| other.window().1 > healed) {
            continue;
        }
        for stay in index.stays.iter().filter(|s| !s.slow && s.covers(healed, by)) {
            match index.superseded(stay.epoch).filter(|died| *died <= healed) {
                // What it still lacked of that history is gone: it has to be told so.
                Some(_) if stay.covers(healed, healed + bounds.coming_back) => {
                    broken.push(over(index, stay));
                }
                Some(_) => {}
                None => look(index, stay, healed, by, &mut broken),
            }
        }
    }
    let (said, end) = (index.history.published_until, index.history.ended_at);
    for stay in index.stays.iter().filter(|s| !s.slow && s.ended.is_none() && s.joined <= end) {
        if !index.is_present(stay.epoch) {
            broken.push(over(index, stay));
            continue;
        }
        look(index, stay, said.max(stay.joined).min(end), end, &mut broken);
    }
    broken
}

fn over(index: &Index<'_>, stay: &Stay) -> String {
    format!(
        "{} is still told {} of {}, a history that is over",
        index.subscriber(stay.subscriber),
        index.epoch(stay.epoch),
        index.channel(stay.channel)
    )
}

/// Whether a member had heard at `by` what was committed at `committed`.
fn look(index: &Index<'_>, stay: &Stay, committed: Nanos, by: Nanos, broken: &mut Vec<String>) {
    let rows = index.log(stay.channel, stay.epoch).unwrap_or_default();
    // Commits of a channel follow each other, their answers nearly do.
    let mut top = rows.partition_point(|row| index.committed(row) <= committed);
    while top > 0 && index.committed(&rows[top - 1]) > committed {
        top -= 1;
    }
    let Some(top) = top.checked_sub(1).map(|last| &rows[last]) else { return };
    let stood = stay.stood(by);
    if stood < top.offset {
        broken.push(format!(
            "{} stood at {stood} of {} at {}; {} had been committed there at {} by {}",
            index.subscriber(stay.subscriber),
            index.channel(stay.channel),
            seconds(by),
            index.message(top.message),
            top.offset,
            seconds(index.committed(top))
        ));
    }
}
