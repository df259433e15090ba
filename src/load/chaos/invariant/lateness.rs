//! I8: how long after its commit each member heard a message, and whether it ever did.

use super::{Bounds, Index, index::Stay, seconds};
use crate::load::chaos::{
    kind::Part,
    record::{Fault, Nanos, Row},
};

/// A message that a member was owed.
struct Owed<'a> {
    stay: &'a Stay,
    row: &'a Row,
    /// From when on it could be told.
    since: Nanos,
    /// None: not before its subscription ended.
    received: Option<Nanos>,
    /// Whether it was committed while the member was away and had not asked to be.
    while_away: bool,
}

/// I8: what came late or never came, and who came back late.
pub fn late(index: &Index<'_>, bounds: &Bounds) -> Vec<String> {
    let mut broken = Vec::new();
    each_owed(index, |owed| {
        let ended = owed.stay.ended.unwrap_or(index.history.ended_at);
        let seen = owed.received.unwrap_or(ended);
        if seen <= owed.since + bounds.quiet {
            return;
        }
        let due = due(index, bounds, owed.since, seen, owed.while_away);
        if seen <= due {
            return;
        }
        let what = match owed.received {
            Some(at) => format!("heard it {} later", seconds(at - owed.since)),
            None => format!("had not heard it {} later", seconds(ended - owed.since)),
        };
        broken.push(format!(
            "{} was there at {}, {} at {} of {}; {} {what}",
            index.message(owed.row.message),
            seconds(owed.since),
            "committed",
            owed.row.offset,
            index.channel(owed.stay.channel),
            index.subscriber(owed.stay.subscriber),
        ));
    });
    for stay in index.stays.iter().filter(|stay| !stay.slow) {
        if let Some(from) = stay.broken_at
            && stay.joined > due(index, bounds, from, stay.joined, true)
        {
            broken.push(format!(
                "{} lost {} at {} and had it again only at {}",
                index.subscriber(stay.subscriber),
                index.channel(stay.channel),
                seconds(from),
                seconds(stay.joined)
            ));
        }
    }
    broken
}

/// For each fault, the longest time from a commit to a receipt that fell into it or into the time to recover from it.
pub fn longest_gaps(index: &Index<'_>) -> Vec<Nanos> {
    let promised = &Bounds::PROMISED;
    let windows: Vec<_> = index.history.faults.iter().map(|f| aftermath(f, promised)).collect();
    let mut longest = vec![0; windows.len()];
    each_owed(index, |owed| {
        let Some(received) = owed.received else { return };
        let gap = received.saturating_sub(owed.since);
        for ((from, to), longest) in windows.iter().zip(&mut longest) {
            if owed.since <= *to && received >= *from {
                *longest = gap.max(*longest);
            }
        }
    });
    longest
}

/// The window of a fault, and the time that the clients need to come back from it.
fn aftermath(fault: &Fault, bounds: &Bounds) -> (Nanos, Nanos) {
    let (from, to) = fault.window();
    (from, to + bounds.coming_back)
}

/// When something that could be told since `since`, and was not yet told at `seen`, was due at the latest.
fn due(index: &Index<'_>, bounds: &Bounds, since: Nanos, seen: Nanos, coming_back: bool) -> Nanos {
    let faults = index.history.faults.iter().filter(|fault| {
        let (from, to) = aftermath(fault, bounds);
        from <= seen && to >= since
    });
    let (mut disturbed, mut from) = (false, since);
    for fault in faults {
        disturbed = true;
        // Without Redis delivery goes on; everything else has to be there first.
        if fault.kind.part() != Part::Redis {
            from = from.max(fault.window().1);
        }
    }
    from + match (coming_back, disturbed) {
        (true, _) => bounds.coming_back,
        (false, true) => bounds.connected,
        (false, false) => bounds.quiet,
    }
}

fn each_owed<'a>(index: &'a Index<'_>, mut tell: impl FnMut(Owed<'a>)) {
    for stay in index.stays.iter().filter(|stay| !stay.slow) {
        let Some(rows) = index.log(stay.channel, stay.epoch) else { continue };
        let ended = stay.ended.unwrap_or(index.history.ended_at);
        let owed = |row: &'a Row, received| {
            let committed = index.committed(row);
            let while_away =
                committed < stay.joined && stay.broken_at.is_some_and(|broken| committed >= broken);
            // What was committed while it was away by its own wish, or before it came at all, counts from its coming.
            let since = if while_away { committed } else { committed.max(stay.joined) };
            Owed { stay, row, since, received, while_away }
        };
        let at = |offset: u32| rows.binary_search_by_key(&offset, |row| row.offset).ok();
        for (offset, received) in &stay.heard {
            if let Some(row) = at(*offset) {
                tell(owed(&rows[row], Some(*received)));
            }
        }
        let stood = stay.stood(Nanos::MAX);
        let died = index.superseded(stay.epoch);
        let rest = rows.partition_point(|row| row.offset <= stood);
        for row in &rows[rest..] {
            let owed = owed(row, None);
            // The primary died before everybody had read it.
            let gone = died.is_some_and(|died| died <= owed.since + Bounds::PROMISED.connected);
            if owed.since < ended && !gone {
                tell(owed);
            }
        }
    }
}
