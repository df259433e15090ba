//! Reading: one page at a time, in a task that outlives a restart of the room.
//!
//! Every page goes through the door, whatever it was asked for; so pages come in the order in which they
//! were asked for, and none is a reason to ask for the same again.

use std::{panic::AssertUnwindSafe, time::Duration};

use actix::{AsyncContext, Context};
use futures_util::FutureExt;

use super::{
    super::{
        catch_up,
        request::{Asked, PageRead},
    },
    FIRST_PAUSE, Room,
};
use crate::{
    fail_point,
    platform::mutant::mutant,
    protocol::{Epoch, refusal::Refusal},
    realtime::journal::{Direction, Page, Range, Unavailable},
};

/// What one page to fill a gap may hold.
const PAGE: Range = Range { direction: Direction::After(0), limit: 1000, max_bytes: 1024 * 1024 };

/// The longest pause before the journal is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Room {
    /// Asks the journal if something is known of that did not come through the door.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        if self.door.is_behind() {
            let after = self.door.at().map(|at| at.offset);
            self.read(after.map_or(Asked::Top, Asked::Gap), ctx);
        }
    }

    pub(super) fn read(&mut self, asked: Asked, ctx: &mut Context<Self>) {
        if self.reading {
            return;
        }
        let Some(journal) = self.journal().cloned() else { return };
        let range = match asked {
            Asked::Top => Range { limit: 0, ..PAGE },
            Asked::Gap(after) => Range { direction: Direction::After(after), ..PAGE },
            Asked::Missed(after) => self.house.recovery.range(after),
        };
        let (channel, room) = (self.channel.clone(), ctx.address());
        actix_rt::spawn(async move {
            let read = AssertUnwindSafe(journal.read(&channel, range)).catch_unwind().await;
            let page = read.unwrap_or_else(|_| Err(Unavailable("the journal panicked".into())));
            // One at a time.
            #[allow(clippy::disallowed_methods)]
            room.do_send(PageRead { asked, page });
        });
        self.reading = true;
        self.distrusts_page = false;
        self.door.asked();
        for waiting in &mut self.waiting {
            waiting.is_fresh = true;
        }
    }

    /// Reads for those who wait: from the one who missed most, since its page serves the others, too.
    pub(super) fn read_missed(&mut self, ctx: &mut Context<Self>) {
        let stood = self.waiting.iter().filter_map(|waiting| waiting.ask.recover.as_ref());
        fail_point!("join.before_read");
        if let Some(oldest) = stood.map(|at| at.offset).min() {
            self.read(Asked::Missed(oldest), ctx);
        }
    }

    pub(super) fn page_read(&mut self, read: PageRead, ctx: &mut Context<Self>) {
        self.reading = false;
        let page = match read.page {
            Ok(page) if page.top == 0 && mutant!(EpochDrawnByTheRoom) => {
                Page { epoch: Epoch::new("drawn"), ..page }
            }
            Ok(page) => page,
            Err(Unavailable(why)) => {
                log::warn!("a room could not read its journal: {why}");
                return self.not_read(ctx);
            }
        };
        self.pause = FIRST_PAUSE;
        let after = match read.asked {
            Asked::Top => None,
            Asked::Gap(after) | Asked::Missed(after) => Some(after),
        };
        let verdict = self.door.page(&page, after);
        if self.delivered.is_none() {
            self.delivered = self.door.at().cloned();
        }
        self.follow(verdict, ctx);
        // Before anything else is read: this page knows only those who were here when it was asked for.
        if let Asked::Missed(after) = read.asked
            && !std::mem::take(&mut self.distrusts_page)
        {
            self.merge(&page, after);
        }
        self.attend(ctx);
    }

    /// Who waits is told; if somebody is here, the journal is asked again after a pause.
    fn not_read(&mut self, ctx: &mut Context<Self>) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.house.metrics.recovered_total.of("unknown").inc();
            let refusal = Refusal::INTERNAL.because("the journal can't be read; try again");
            self.refuse(&waiting.ask, refusal);
        }
        if !self.people.is_empty() && self.door.is_behind() {
            // A restart drops this, and looks by itself.
            ctx.run_later(self.pause, |room, ctx| room.look(ctx));
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Answers everybody whom this page serves.
    fn merge(&mut self, page: &Page, after: u64) {
        let Some(at) = self.door.at().cloned() else { return };
        self.ring.warm(&at, page, &self.channel);
        for _ in 0..self.waiting.len() {
            let Some(mut waiting) = self.waiting.pop_front() else { return };
            self.aim(&mut waiting.ask, &at);
            let source = catch_up::Source { page, after, is_fresh: waiting.is_fresh };
            let limits = self.house.recovery;
            let stood = waiting.ask.recover.as_ref();
            match stood.map(|stood| catch_up::merge(&at, &self.ring, stood, source, limits)) {
                Some(gap) => self.answer(waiting, gap),
                None => self.waiting.push_back(waiting),
            }
        }
    }

    /// Somebody removed the channel's history: nothing of it is shown again.
    pub(super) fn removed(&mut self) {
        self.ring.clear();
        self.distrusts_page = self.reading;
    }
}
