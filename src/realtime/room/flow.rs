//! How publications and members go through a room: the pure half of the actor, which the simulation drives, too.
//!
//! It is told what happens and keeps what follows as [`Step`]s, in their order, until they are taken. Whether
//! the journal has to be asked is a question to it ([`Flow::wants`]): there is at most one page under way.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{
    broadcast::Broadcast,
    catch_up::{self, Gap, Limits, Source},
    door::{Door, Verdict},
    request::Asked,
    ring::Ring,
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{Epoch, Position, Publication},
    realtime::journal::Page,
};

mod step;

pub use step::{Recovery, Step};

/// Places for steps that a room keeps when none is left: a long page takes more for a moment.
const MOST_KEPT: usize = 64;

/// The order in one room. `C` is whoever comes and wants to get in.
pub struct Flow<C> {
    channel: Channel,
    limits: Limits,
    door: Door,
    ring: Ring,
    /// Up to where the hubs were given everything.
    delivered: Option<Position>,
    /// Members that come in once the room knows where it stands, or what they missed.
    waiting: VecDeque<Waiting<C>>,
    /// Where those stood who are expected, the lowest: what they missed is looked up before they come.
    expected: Option<u64>,
    /// Whether what other nodes say is heard.
    hearing: Hearing,
    /// A page is being read. Its task outlives a restart of the room, and so does this.
    reading: bool,
    /// The page under way may show what was removed since.
    distrusts_page: bool,
    steps: VecDeque<Step<C>>,
}

/// Whether a room knows what other nodes say in its channel. While it does not nobody enters: where it stands is old.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hearing {
    No,
    /// It does from now on; what was said before the journal knows, and has not told yet.
    FromNowOn,
    Yes,
}

/// A member that is not in yet.
struct Waiting<C> {
    comer: C,
    stood: Option<Position>,
    /// Whatever it missed, it gets the latest publication.
    wants_latest: bool,
    /// It was here already when the page under way was asked for.
    is_fresh: bool,
}

impl<C> Flow<C> {
    /// Knows nothing yet. Keeps `ring_bytes` of recent publications.
    pub fn new(channel: Channel, ring_bytes: usize, limits: Limits) -> Self {
        Self {
            channel,
            limits,
            door: Door::default(),
            ring: Ring::new(ring_bytes),
            delivered: None,
            waiting: VecDeque::new(),
            expected: None,
            hearing: Hearing::Yes,
            reading: false,
            distrusts_page: false,
            steps: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn next(&mut self) -> Option<Step<C>> {
        if self.steps.is_empty() && self.steps.capacity() > MOST_KEPT {
            self.steps = VecDeque::new();
        }
        self.steps.pop_front()
    }

    /// A step that says so was done: from here the room goes on if it falls.
    pub fn reached(&mut self, at: Position) {
        self.delivered = Some(at);
    }

    /// Up to where all was handed out.
    pub fn delivered(&self) -> Option<&Position> {
        self.delivered.as_ref()
    }

    /// Where it stands; none before the first page.
    pub fn at(&self) -> Option<&Position> {
        self.door.at()
    }

    /// True if nobody waits and no page is under way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.reading
    }

    /// Whether something may be in the journal that did not come through the door.
    pub fn is_behind(&self) -> bool {
        self.door.is_behind()
    }

    // Publications.

    /// A commit of this room.
    pub fn committed(
        &mut self,
        at: &Position,
        publication: Option<Arc<Publication>>,
        now: Instant,
    ) {
        if mutant!(OwnCommitPastTheDoor)
            && let Some(publication) = &publication
        {
            return self.deliver(publication.clone(), now);
        }
        self.arrive(at, publication, now);
    }

    /// Something with a place in the history, or only the notice of it.
    pub fn arrive(&mut self, at: &Position, publication: Option<Arc<Publication>>, now: Instant) {
        let verdict = self.door.arrive(&at.epoch, at.offset, publication);
        self.follow(verdict, now);
    }

    /// Where the journal says that the channel stands. If that is another history, no page is needed: nobody who is
    /// here has a place in it.
    pub fn stand(&mut self, at: Position, now: Instant) {
        let knows_other = self.door.at().is_some_and(|mine| mine.epoch != at.epoch);
        if !knows_other || self.reading || self.hearing != Hearing::Yes {
            return self.arrive(&at, None, now);
        }
        let page = Page { epoch: at.epoch, top: at.offset, publications: Vec::new() };
        let verdict = self.door.page(&page, None);
        self.follow(verdict, now);
        self.attend();
    }

    /// Whether nothing at or above this position was heard of yet, though the room listens and knew where it stood.
    pub fn is_news(&self, at: &Position) -> bool {
        self.hearing == Hearing::Yes && self.door.at().is_some() && self.door.is_news(at)
    }

    /// Something may have been committed of which nobody tells.
    pub fn doubt(&mut self) {
        self.door.doubt();
    }

    /// Nobody tells any more what other nodes say. False if it can't be so now: somebody waits, or a page is read.
    pub fn deafen(&mut self) -> bool {
        let may = self.is_idle();
        if may {
            self.hearing = Hearing::No;
        }
        may
    }

    /// What other nodes say is heard from now on: what they said before is looked up, and then people get in.
    pub fn hear(&mut self) {
        if self.hearing == Hearing::No {
            self.hearing = Hearing::FromNowOn;
            self.door.doubt();
        }
    }

    /// Goes to all members, and whatever it says, it has a place in the history only if it came through the door.
    pub fn deliver(&mut self, publication: Arc<Publication>, now: Instant) {
        let epoch = self.door.at().map_or_else(Epoch::default, |at| at.epoch.clone());
        let offset = publication.offset;
        let previous = self.ring.last().filter(|b| b.publication.offset + 1 == offset);
        let broadcast = Arc::new(Broadcast::new(
            self.channel.clone(),
            publication,
            &epoch,
            previous.map(|b| &*b.publication),
            now,
        ));
        let reaches = (offset > 0).then_some(Position { epoch, offset });
        if reaches.is_some() {
            self.ring.push(broadcast.clone());
        }
        self.steps.push_back(Step::Deliver { broadcast, reaches });
    }

    fn follow(&mut self, verdict: Verdict, now: Instant) {
        let next = match verdict {
            Verdict::Nothing | Verdict::Read => return,
            Verdict::Deliver(next) => next,
            Verdict::StartOver(next) => {
                self.ring.clear();
                // The others go on that much before where the door stands now.
                if let Some(at) = self.door.at() {
                    let at = Position { offset: at.offset - next.len() as u64, ..at.clone() };
                    self.steps.push_back(Step::StartOver(at));
                }
                next
            }
        };
        next.into_iter().for_each(|publication| self.deliver(publication, now));
    }

    // Members.

    /// Somebody will want in who stood there, or nowhere.
    pub fn expect(&mut self, stood: Option<&Position>) {
        let new = stood.map(|at| at.offset).filter(|after| !self.remembers(*after));
        self.expected = self.expected.into_iter().chain(new).min();
    }

    /// Whether who stood there is answered without the journal.
    fn remembers(&self, after: u64) -> bool {
        self.door.at().is_some_and(|at| {
            after >= at.offset
                || at.offset - after > self.limits.publications as u64
                || self.ring.after(after).is_some()
        })
    }

    /// Somebody wants in, and has a position or none.
    pub fn enter(&mut self, comer: C, stood: Option<Position>, wants_latest: bool) {
        self.consider(Waiting { comer, stood, wants_latest, is_fresh: false });
    }

    /// Lets in whoever can be answered now.
    pub fn attend(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else { return };
            self.consider(waiting);
        }
    }

    /// Who waits and does not want to any more.
    pub fn leave(&mut self, is_it: impl Fn(&C) -> bool) {
        self.waiting.retain(|waiting| !is_it(&waiting.comer));
    }

    /// One of those who wait, to be sent away.
    pub fn turn_away(&mut self) -> Option<C> {
        self.waiting.pop_front().map(|waiting| waiting.comer)
    }

    /// Answers a member from the room's memory, or lets it wait.
    fn consider(&mut self, mut waiting: Waiting<C>) {
        let at = self.door.at().filter(|_| self.hearing == Hearing::Yes);
        let Some(at) = at else { return self.waiting.push_back(waiting) };
        waiting.aim(at);
        match &waiting.stood {
            None => {
                let (top, recovery) = (at.clone(), Recovery::None);
                let comer = waiting.comer;
                self.steps.push_back(Step::Enter { comer, stood: None, top, recovery });
            }
            Some(stood) => {
                let gap = catch_up::look(at, &self.ring, stood, self.limits);
                self.answer(waiting, gap);
            }
        }
    }

    fn answer(&mut self, waiting: Waiting<C>, gap: Gap) {
        let (recovery, top) = match gap {
            Gap::Whole { missed, top } => (Recovery::Whole(missed), top),
            Gap::TooWide { top, from_nowhere } => (Recovery::TooWide { from_nowhere }, top),
            Gap::Ask => return self.waiting.push_back(Waiting { is_fresh: false, ..waiting }),
        };
        let Waiting { comer, stood, .. } = waiting;
        self.steps.push_back(Step::Enter { comer, stood, top, recovery });
    }

    // Pages.

    /// What to ask the journal for: first what the room needs itself, then what those do who wait or are expected, from
    /// the one who missed most, since its page serves the others. None if nothing is needed, or a page is under way.
    pub fn wants(&self) -> Option<Asked> {
        if self.reading || self.hearing == Hearing::No {
            return None;
        }
        let stood = self.waiting.iter().filter_map(|waiting| waiting.stood.as_ref());
        let missed = stood.map(|at| at.offset).chain(self.expected).min().map(Asked::Missed);
        match self.door.at() {
            Some(at) if self.door.is_behind() => Some(Asked::Gap(at.offset)),
            Some(_) => missed,
            // Any page says where the channel stands.
            None => Some(missed.unwrap_or(Asked::Top)),
        }
    }

    /// The journal is being asked.
    pub fn asked(&mut self) {
        self.reading = true;
        self.distrusts_page = false;
        self.door.asked();
        for waiting in &mut self.waiting {
            waiting.is_fresh = true;
        }
    }

    /// The page could not be read.
    pub fn not_read(&mut self) {
        self.reading = false;
        self.expected = None;
    }

    /// The page that was asked for. Every page goes through the door, whatever it was asked for.
    pub fn page(&mut self, asked: Asked, mut page: Page, now: Instant) {
        self.reading = false;
        self.hearing = Hearing::Yes;
        if page.top == 0 && mutant!(EpochDrawnByTheRoom) {
            page.epoch = Epoch::new("drawn");
        }
        let after = match asked {
            Asked::Top => None,
            Asked::Gap(after) | Asked::Missed(after) => Some(after),
        };
        let verdict = self.door.page(&page, after);
        if self.delivered.is_none() {
            self.delivered = self.door.at().cloned();
        }
        self.follow(verdict, now);
        // Before anything else is read: this page knows only those who were here when it was asked for.
        if let Asked::Missed(after) = asked
            && !std::mem::take(&mut self.distrusts_page)
        {
            self.merge(&page, after);
        }
        // One page has to do: who finds that it does not asks for another.
        let is_due = |after: &u64| !matches!(asked, Asked::Missed(_)) && !self.remembers(*after);
        self.expected = self.expected.filter(is_due);
        self.attend();
    }

    /// Answers everybody whom this page serves.
    fn merge(&mut self, page: &Page, after: u64) {
        let Some(at) = self.door.at().cloned() else { return };
        self.ring.warm(&at, page, &self.channel);
        for _ in 0..self.waiting.len() {
            let Some(mut waiting) = self.waiting.pop_front() else { return };
            waiting.aim(&at);
            let source = Source { page, after, is_fresh: waiting.is_fresh };
            let stood = waiting.stood.as_ref();
            match stood.map(|s| catch_up::merge(&at, &self.ring, s, source, self.limits)) {
                Some(gap) => self.answer(waiting, gap),
                None => self.waiting.push_back(waiting),
            }
        }
    }

    // Memory.

    /// The room fell: it goes on from what the hubs were given last. Steps that were not done follow anew from the
    /// journal; who was on the way in still enters.
    pub fn fall(&mut self) {
        self.ring.clear();
        self.expected = None;
        self.door = Door::standing(self.delivered.clone());
        self.steps.retain(|step| match step {
            Step::Enter { .. } => !mutant!(ComersLostInAFall),
            Step::Deliver { .. } | Step::StartOver(_) => mutant!(StepsKeptInAFall),
        });
    }

    /// Nothing happens here: what was said recently need not be kept.
    pub fn rest(&mut self) {
        self.ring.clear();
        self.steps.shrink_to_fit();
    }

    /// The history was removed: nothing of it is shown again.
    pub fn removed(&mut self) {
        self.ring.clear();
        self.distrusts_page = self.reading;
    }
}

impl<C> Waiting<C> {
    /// In a channel that shows its latest publication, that is all a member has missed.
    fn aim(&mut self, at: &Position) {
        if self.wants_latest {
            self.stood = catch_up::before_last(at, self.stood.take());
        }
    }
}
