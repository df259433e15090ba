//! What a member that comes back has missed, and whether that is all of it. Pure.
//!
//! Three sources are merged: the room's ring, a journal page, and what the room let through since that
//! page was read. The answer is whole (every offset after the member's up to the top, once), or it is
//! "no" (the member starts at the top and is told so), or it is not known yet.

use std::sync::Arc;

use super::ring::Ring;
use crate::{
    protocol::{Position, Publication},
    realtime::journal::{Direction, Page, Range},
};

/// How much a member may have missed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub publications: usize,
    pub bytes: usize,
}

/// What is known of a member's gap.
#[derive(Debug, PartialEq)]
pub enum Gap {
    /// Exactly this, ascending; the member stands at `top` after it.
    Whole { missed: Vec<Arc<Publication>>, top: Position },
    /// It can't be closed; the member starts at `top`. `from_nowhere`: it claims a place that does not exist.
    TooWide { top: Position, from_nowhere: bool },
    /// The journal has to say.
    Ask(Range),
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
    let knows_epoch = stood.epoch == at.epoch || (stood.epoch.is_unknown() && stood.offset == 0);
    if !knows_epoch {
        return no;
    }
    if stood.offset == at.offset {
        return Gap::Whole { missed: Vec::new(), top: at.clone() };
    }
    if stood.offset > at.offset {
        return Gap::Ask(range(stood.offset, limits));
    }
    if at.offset - stood.offset > limits.publications as u64 {
        return no;
    }
    match ring.after(stood.offset) {
        Some(missed) => {
            let missed: Vec<_> = missed.map(|b| b.publication.clone()).collect();
            if size(&missed) > limits.bytes {
                return no;
            }
            Gap::Whole { missed, top: at.clone() }
        }
        None => Gap::Ask(range(stood.offset, limits)),
    }
}

/// From a page that was read for it, while the room may have gone on.
pub fn merge(at: &Position, ring: &Ring, stood: &Position, page: &Page, limits: Limits) -> Gap {
    let top = Position { epoch: page.epoch.clone(), offset: page.top };
    let from_nowhere = stood.offset > page.top;
    let knows_epoch = stood.epoch == page.epoch || (stood.epoch.is_unknown() && stood.offset == 0);
    if !knows_epoch || from_nowhere {
        // Never below the room's own position: what lies between is delivered to nobody twice.
        let top = if at.epoch == top.epoch && at.offset > top.offset { at.clone() } else { top };
        return Gap::TooWide { top, from_nowhere: knows_epoch && from_nowhere };
    }
    if at.epoch != page.epoch {
        return Gap::Ask(range(stood.offset, limits));
    }
    let mut missed = page.publications.clone();
    let mut reached = missed.last().map_or(stood.offset, |p| p.offset);
    let starts = missed.first().is_none_or(|p| p.offset == stood.offset + 1);
    if !starts || reached != page.top || missed.len() > limits.publications {
        let top = if at.offset > top.offset { at.clone() } else { top };
        return Gap::TooWide { top, from_nowhere: false };
    }
    if at.offset > reached {
        let Some(since) = ring.after(reached) else {
            return Gap::Ask(range(stood.offset, limits));
        };
        missed.extend(since.map(|b| b.publication.clone()));
        reached = at.offset;
    }
    let top = Position { epoch: page.epoch.clone(), offset: reached };
    if missed.len() > limits.publications || size(&missed) > limits.bytes {
        return Gap::TooWide { top, from_nowhere: false };
    }
    Gap::Whole { missed, top }
}

fn range(after: u64, limits: Limits) -> Range {
    Range {
        direction: Direction::After(after),
        limit: limits.publications + 1,
        max_bytes: limits.bytes + 1,
    }
}

fn size(missed: &[Arc<Publication>]) -> usize {
    missed.iter().map(|p| p.data.len()).sum()
}
