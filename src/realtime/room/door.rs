//! The one door into a room: decides for each publication that arrives, from wherever, whether it is next. Pure.
//!
//! Own commits, arrivals from other nodes and journal pages all come through here as (epoch, offset,
//! publication or nothing). What is next goes on; what is ahead is held while the gap below it is read
//! (whatever has an offset is committed, so all below it can be read); what is old is dropped.
//!
//! Only a page moves the door to another history or over a hole: an arrival can be late or wrong, and
//! what the journal says is true. Pages have to come in the order in which they were asked for.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    platform::mutant::mutant,
    protocol::{Epoch, Position, Publication},
    realtime::journal::Page,
};

#[cfg(test)]
mod tests;

/// Bytes of publications held above a gap. Past it only the highest offset is remembered and all is read.
const MOST_HELD: usize = 256 * 1024;

/// Where a room stands, and what it holds above that.
#[derive(Debug, Default)]
pub struct Door {
    at: Option<Position>,
    held: BTreeMap<u64, Arc<Publication>>,
    held_bytes: usize,
    /// Highest offset heard of in the history that it stands in.
    highest: u64,
    /// The part of `highest` that was heard after the journal was asked last.
    heard_since: u64,
    rumour: Option<Rumour>,
    doubt: Doubt,
}

/// Whether something may have been committed of which nothing was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Doubt {
    #[default]
    No,
    Yes,
    /// The journal was asked since.
    Asked,
}

/// Arrivals that can't be compared with where the door stands: the journal has to say what they are.
#[derive(Debug)]
struct Rumour {
    epoch: Epoch,
    first: u64,
    last: u64,
    /// The journal was asked after the last of them.
    asked: bool,
}

/// What follows from an arrival.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These are next, in this order. (Something may be missing behind them: [`Door::is_behind`].)
    Deliver(Vec<Arc<Publication>>),
    /// Something below is missing: read what follows the room's position.
    Read,
    /// Nothing: known already, or held until something else comes.
    Nothing,
    /// What members know is not where this goes on: the history is another one, or a part of it is gone.
    /// Who has a position must come back; then these are next.
    StartOver(Vec<Arc<Publication>>),
}

impl Door {
    /// The position up to which all was let through; none before the first page.
    pub fn at(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    /// One that goes on from a position, or from nothing, and does not know what came since.
    pub fn standing(at: Option<Position>) -> Self {
        let highest = at.as_ref().map_or(0, |at| at.offset);
        let doubt = if mutant!(FallForgetsToLook) { Doubt::No } else { Doubt::Yes };
        Self { at, highest, doubt, ..Self::default() }
    }

    /// Whether nothing at or above this position was heard of yet.
    pub fn is_news(&self, what: &Position) -> bool {
        let rumour = self.rumour.as_ref().filter(|rumour| rumour.epoch == what.epoch);
        let known = match &self.at {
            Some(at) if at.epoch == what.epoch => at.offset.max(self.highest),
            _ => 0,
        };
        what.offset > known.max(rumour.map_or(0, |rumour| rumour.last))
    }

    /// Something may be in the journal that nobody told of.
    pub fn doubt(&mut self) {
        self.doubt = Doubt::Yes;
    }

    /// The journal is being asked. What was heard before is in its answer, or it is not true.
    pub fn asked(&mut self) {
        self.heard_since = 0;
        if self.doubt == Doubt::Yes {
            self.doubt = Doubt::Asked;
        }
        if let Some(rumour) = &mut self.rumour {
            rumour.asked = true;
        }
    }

    /// Whether something is known of that did not come through: the journal has to be asked.
    pub fn is_behind(&self) -> bool {
        self.rumour.is_some()
            || self.doubt != Doubt::No
            || self.at.as_ref().is_none_or(|at| self.highest > at.offset)
    }

    /// Something with a place in the channel's history: a commit, an arrival, or only the notice of one.
    pub fn arrive(
        &mut self,
        epoch: &Epoch,
        offset: u64,
        publication: Option<Arc<Publication>>,
    ) -> Verdict {
        let Some(at) = self.at.as_mut().filter(|at| at.epoch == *epoch) else {
            self.hear(epoch, offset);
            return Verdict::Read;
        };
        if offset <= at.offset {
            let twice = publication.filter(|_| mutant!(ArrivalsNotDeduplicated));
            return twice.map_or(Verdict::Nothing, |twice| Verdict::Deliver(vec![twice]));
        }
        if (offset == at.offset + 1 || mutant!(GapSkipped))
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

    /// A page of what follows `after`; none if only epoch and top were asked for.
    pub fn page(&mut self, page: &Page, after: Option<u64>) -> Verdict {
        if self.doubt == Doubt::Asked {
            self.doubt = Doubt::No;
        }
        let starts_over = match &self.at {
            None => {
                self.begin(page, page.top);
                false
            }
            Some(at) if at.epoch != page.epoch => {
                // Those without a position hear what is new; what nobody here heard of they need not.
                let first = self.rumour.as_ref().filter(|rumour| rumour.epoch == page.epoch);
                let before = first.map_or(page.top, |rumour| rumour.first.saturating_sub(1));
                self.begin(page, before.min(page.top));
                true
            }
            Some(_) => {
                self.settle_rumour(page);
                false
            }
        };
        self.highest = page.top.max(self.heard_since);
        let Some(at) = &mut self.at else { return Verdict::Read };
        // Retention or an operator took what would have been next: nobody can have it any more.
        let first = page.publications.first().map(|publication| publication.offset);
        let has_hole = page.top > at.offset
            && after.is_some_and(|after| after <= at.offset)
            && first.is_none_or(|first| first > at.offset + 1);
        if has_hole {
            at.offset = first.map_or(page.top, |first| first - 1);
        }
        let mut next = Vec::new();
        for publication in &page.publications {
            if publication.offset == at.offset + 1 {
                at.offset += 1;
                next.push(publication.clone());
            }
        }
        self.release(&mut next);
        match (starts_over || has_hole, next.is_empty()) {
            (true, _) => Verdict::StartOver(next),
            (false, false) => Verdict::Deliver(next),
            (false, true) if self.is_behind() => Verdict::Read,
            (false, true) => Verdict::Nothing,
        }
    }

    /// Goes on in the history of a page.
    fn begin(&mut self, page: &Page, offset: u64) {
        self.at = Some(Position { epoch: page.epoch.clone(), offset });
        self.held.clear();
        self.held_bytes = 0;
        self.heard_since = 0;
        self.settle_rumour(page);
    }

    /// Drops a rumour that this page answers, because it is of its history or was heard before it.
    fn settle_rumour(&mut self, page: &Page) {
        match self.rumour.take() {
            Some(rumour) if rumour.asked => {}
            Some(rumour) if rumour.epoch == page.epoch => {
                self.heard_since = self.heard_since.max(rumour.last);
            }
            other => self.rumour = other,
        }
    }

    fn hear(&mut self, epoch: &Epoch, offset: u64) {
        match &mut self.rumour {
            Some(rumour) if rumour.epoch == *epoch => {
                rumour.first = rumour.first.min(offset);
                rumour.last = rumour.last.max(offset);
                rumour.asked = false;
            }
            other => {
                let (epoch, first, last) = (epoch.clone(), offset, offset);
                *other = Some(Rumour { epoch, first, last, asked: false });
            }
        }
    }

    fn hold(&mut self, offset: u64, publication: Option<Arc<Publication>>) {
        self.highest = self.highest.max(offset);
        self.heard_since = self.heard_since.max(offset);
        let Some(publication) = publication else { return };
        let length = publication.data.len();
        let before = self.held.insert(offset, publication).map_or(0, |twice| twice.data.len());
        self.held_bytes = self.held_bytes + length - before;
        while self.held_bytes > MOST_HELD
            && let Some((_, furthest)) = self.held.pop_last()
        {
            self.held_bytes -= furthest.data.len();
        }
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
