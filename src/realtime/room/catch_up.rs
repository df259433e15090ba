//! What a member that comes back has missed, and whether that is all of it. Pure.
//!
//! Three sources are merged: the room's ring, a journal page, and what the room let through since that
//! page was read. The answer is whole (every offset after the member's up to the top, once), or it is
//! "no" (the member starts at the top and is told so), or it is not known yet.

use std::sync::Arc;

use super::ring::Ring;
use crate::{
    platform::mutant::mutant,
    protocol::{Position, Publication},
    realtime::journal::{Direction, Page, Range},
};

#[cfg(test)]
mod tests;

/// How much a member may have missed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub publications: usize,
    pub bytes: usize,
}

impl Limits {
    /// What to read for a member that stands at `after`: one more than it may have missed.
    pub fn range(&self, after: u64) -> Range {
        Range {
            direction: Direction::After(after),
            limit: self.publications + 1,
            max_bytes: self.bytes + 1,
        }
    }

    fn allow(&self, missed: &[Arc<Publication>]) -> bool {
        missed.len() <= self.publications
            && missed.iter().map(|p| p.data.len()).sum::<usize>() <= self.bytes
    }
}

/// What is known of a member's gap.
#[derive(Debug, PartialEq)]
pub enum Gap {
    /// Exactly this, ascending; the member stands at `top` after it.
    Whole { missed: Vec<Arc<Publication>>, top: Position },
    /// It can't be closed; the member starts at `top`. `from_nowhere`: it claims a place that does not exist.
    TooWide { top: Position, from_nowhere: bool },
    /// The journal has to say.
    Ask,
}

/// A page that was read by [`Limits::range`].
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub page: &'a Page,
    /// What it follows.
    pub after: u64,
    /// Whether the member had come when it was read: else it may stand where the page does not reach yet.
    pub is_fresh: bool,
}

/// In a channel that shows its latest publication: where a member stands who is to get just that.
pub fn before_last(at: &Position, stood: Option<Position>) -> Option<Position> {
    match stood {
        Some(stood) if stood == *at => Some(stood),
        _ if at.offset == 0 => None,
        _ => Some(Position { offset: at.offset - 1, epoch: at.epoch.clone() }),
    }
}

/// From the room's memory alone.
pub fn look(at: &Position, ring: &Ring, stood: &Position, limits: Limits) -> Gap {
    let no = Gap::TooWide { top: at.clone(), from_nowhere: false };
    if !knows_history(stood, at) {
        return no;
    }
    if stood.offset == at.offset {
        return Gap::Whole { missed: Vec::new(), top: at.clone() };
    }
    if stood.offset > at.offset {
        return match mutant!(TopOfTheRoom) {
            true => Gap::Whole { missed: Vec::new(), top: at.clone() },
            false => Gap::Ask,
        };
    }
    if at.offset - stood.offset > limits.publications as u64 {
        return no;
    }
    match ring.after(stood.offset) {
        Some(missed) => {
            let missed: Vec<_> = missed.map(|b| b.publication.clone()).collect();
            if limits.allow(&missed) { Gap::Whole { missed, top: at.clone() } } else { no }
        }
        None => Gap::Ask,
    }
}

/// From a page that was read for it or for another, while the room may have gone on.
pub fn merge(
    at: &Position,
    ring: &Ring,
    stood: &Position,
    source: Source<'_>,
    limits: Limits,
) -> Gap {
    let Source { page, after, is_fresh } = source;
    if at.epoch != page.epoch {
        return Gap::Ask;
    }
    // Never below the room's own position: what lies between is delivered to nobody twice.
    let top = Position { epoch: page.epoch.clone(), offset: page.top.max(at.offset) };
    if !knows_history(stood, &top) {
        return Gap::TooWide { top, from_nowhere: false };
    }
    if stood.offset > top.offset {
        let is_judged = is_fresh || mutant!(LateComerJudged);
        return if is_judged { Gap::TooWide { top, from_nowhere: true } } else { Gap::Ask };
    }
    let mut missed = Vec::new();
    if stood.offset < page.top {
        match part_of(stood, page, after) {
            Part::All(all) => missed = all,
            Part::Gone => return Gap::TooWide { top, from_nowhere: false },
            Part::NotHere => return Gap::Ask,
        }
    }
    let reached = page.top.max(stood.offset);
    if top.offset > reached && !mutant!(MergedWithoutTheRing) {
        let Some(since) = ring.after(reached) else { return Gap::Ask };
        missed.extend(since.map(|b| b.publication.clone()));
    }
    if limits.allow(&missed) {
        Gap::Whole { missed, top }
    } else {
        Gap::TooWide { top, from_nowhere: false }
    }
}

/// What a page has of a member's gap.
enum Part {
    All(Vec<Arc<Publication>>),
    /// It can't be had any more, or is more than a member may have missed.
    Gone,
    /// The page was read for another.
    NotHere,
}

fn part_of(stood: &Position, page: &Page, after: u64) -> Part {
    if stood.offset < after && !mutant!(PageOfAnother) {
        return Part::NotHere;
    }
    let rows = &page.publications;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Part::Gone };
    if first.offset > stood.offset + 1 {
        return Part::Gone;
    }
    if last.offset < page.top {
        return if stood.offset == after { Part::Gone } else { Part::NotHere };
    }
    let skip = stood.offset + 1 - first.offset;
    Part::All(rows.iter().skip(skip as usize).cloned().collect())
}

/// Whether its offset can be compared: it names this history, or none and no place in it.
fn knows_history(stood: &Position, at: &Position) -> bool {
    stood.epoch == at.epoch || (stood.epoch.is_unknown() && stood.offset == 0)
}
