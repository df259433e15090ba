//! The one door into a room: decides for each publication that arrives, from wherever, whether it is next. Pure.
//!
//! Own commits, arrivals from other nodes and journal pages all come through here as (epoch, offset,
//! publication or nothing). What is next goes on; what is ahead is held while the gap below it is read
//! (whatever has an offset is committed, so all below it can be read); what is old is dropped.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    protocol::{Epoch, Position, Publication},
    realtime::journal::Page,
};

/// Bytes of publications held above a gap. Past it only the highest offset is remembered and all is read.
const MOST_HELD: usize = 256 * 1024;

/// Where a room stands, and what it holds above that.
#[derive(Debug, Default)]
pub struct Door {
    at: Option<Position>,
    held: BTreeMap<u64, Arc<Publication>>,
    held_bytes: usize,
    /// Highest offset heard of.
    highest: u64,
}

/// What follows from an arrival.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These are next, in this order.
    Deliver(Vec<Arc<Publication>>),
    /// Something below is missing: read what follows the room's position.
    Read,
    /// Nothing: known already, or held until something else comes.
    Nothing,
    /// The channel's history is another one than the members know.
    NewHistory,
}

impl Door {
    /// The position up to which all was let through; none before the first page.
    pub fn at(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    /// One that goes on from a position, or from nothing.
    pub fn standing(at: Option<Position>) -> Self {
        Self { at, ..Self::default() }
    }

    /// Forgets where it stands; what arrives is held until the next page says.
    pub fn forget(&mut self) {
        self.at = None;
    }

    /// Something with a place in the channel's history: a commit, an arrival, or only the notice of one.
    pub fn arrive(
        &mut self,
        epoch: &Epoch,
        offset: u64,
        publication: Option<Arc<Publication>>,
    ) -> Verdict {
        let Some(at) = &mut self.at else {
            self.hold(offset, publication);
            return Verdict::Nothing;
        };
        if at.epoch != *epoch {
            self.forget();
            self.drop_held();
            return Verdict::NewHistory;
        }
        if offset <= at.offset {
            return Verdict::Nothing;
        }
        if offset == at.offset + 1
            && let Some(publication) = publication
        {
            at.offset = offset;
            let mut next = vec![publication];
            self.release(&mut next);
            return Verdict::Deliver(next);
        }
        self.hold(offset, publication);
        Verdict::Read
    }

    /// A page read from the journal: from the start of the room's life, or to fill a gap.
    pub fn page(&mut self, page: &Page) -> Verdict {
        let Some(at) = &mut self.at else {
            self.at = Some(Position { epoch: page.epoch.clone(), offset: page.top });
            let mut next = Vec::new();
            self.release(&mut next);
            return self.after(next);
        };
        if at.epoch != page.epoch {
            self.forget();
            self.drop_held();
            return Verdict::NewHistory;
        }
        self.highest = self.highest.max(page.top);
        let mut next = Vec::new();
        for publication in &page.publications {
            if publication.offset == at.offset + 1 {
                at.offset += 1;
                next.push(publication.clone());
            }
        }
        // A hole that the journal does not fill any more (retention passed it): members behind it are told.
        if next.is_empty() && page.publications.first().is_some_and(|p| p.offset > at.offset + 1) {
            self.forget();
            return Verdict::NewHistory;
        }
        self.release(&mut next);
        self.after(next)
    }

    fn after(&self, next: Vec<Arc<Publication>>) -> Verdict {
        let behind = self.at.as_ref().is_some_and(|at| self.highest > at.offset);
        match (next.is_empty(), behind) {
            (false, _) => Verdict::Deliver(next),
            (true, true) => Verdict::Read,
            (true, false) => Verdict::Nothing,
        }
    }

    /// Whether something above the position is known of: a gap to read.
    pub fn is_behind(&self) -> bool {
        self.at.as_ref().is_some_and(|at| self.highest > at.offset)
    }

    fn hold(&mut self, offset: u64, publication: Option<Arc<Publication>>) {
        self.highest = self.highest.max(offset);
        let Some(publication) = publication else { return };
        if self.held_bytes + publication.data.len() > MOST_HELD {
            self.drop_held();
            return;
        }
        self.held_bytes += publication.data.len();
        if let Some(twice) = self.held.insert(offset, publication) {
            self.held_bytes -= twice.data.len();
        }
    }

    fn drop_held(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Lets go of what is next by now, and of what is old.
    fn release(&mut self, next: &mut Vec<Arc<Publication>>) {
        let Some(at) = &mut self.at else { return };
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > at.offset + 1 {
                break;
            }
            let (offset, publication) = entry.remove_entry();
            self.held_bytes -= publication.data.len();
            if offset == at.offset + 1 {
                at.offset = offset;
                next.push(publication);
            }
        }
        self.highest = self.highest.max(at.offset);
    }
}
