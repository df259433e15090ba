//! Reading: one page at a time, in a task that outlives a restart of the room.
//!
//! Every page goes through the door, whatever it was asked for; so pages come in the order in which they
//! were asked for, and none is a reason to ask for the same again.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix::{AsyncContext, Context};
use futures_util::FutureExt;

use super::{
    super::request::{Asked, PageRead},
    FIRST_PAUSE, Room,
};
use crate::{
    fail_point,
    protocol::refusal::Refusal,
    realtime::journal::{Direction, Range, Unavailable},
};

/// What one page to fill a gap may hold.
const PAGE: Range = Range { direction: Direction::After(0), limit: 1000, max_bytes: 1024 * 1024 };

/// The longest pause before the journal is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Room {
    /// Asks the journal for what is missing, if anything is.
    pub(super) fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(asked) = self.flow.wants() else { return };
        let Some(journal) = self.journal().cloned() else { return };
        let range = match asked {
            Asked::Top => Range { limit: 0, ..PAGE },
            Asked::Gap(after) => Range { direction: Direction::After(after), ..PAGE },
            Asked::Missed(after) => {
                fail_point!("join.before_read");
                self.house.recovery.range(after)
            }
        };
        let (channel, room) = (self.channel.clone(), ctx.address());
        actix_rt::spawn(async move {
            let read = AssertUnwindSafe(journal.read(&channel, range)).catch_unwind().await;
            let page = read.unwrap_or_else(|_| Err(Unavailable("the journal panicked".into())));
            // One at a time.
            #[allow(clippy::disallowed_methods)]
            room.do_send(PageRead { asked, page });
        });
        self.flow.asked();
    }

    pub(super) fn page_read(&mut self, read: PageRead, ctx: &mut Context<Self>) {
        match read.page {
            Ok(page) => {
                self.pause = FIRST_PAUSE;
                self.flow.page(read.asked, page, Instant::now());
                self.go_on(ctx);
            }
            Err(Unavailable(why)) => {
                log::warn!("a room could not read its journal: {why}");
                self.not_read(ctx);
            }
        }
    }

    /// Who waits is told; if somebody is here, the journal is asked again after a pause.
    fn not_read(&mut self, ctx: &mut Context<Self>) {
        self.flow.not_read();
        while let Some(ask) = self.flow.turn_away() {
            self.house.metrics.recovered_total.of("unknown").inc();
            let refusal = Refusal::INTERNAL.because("the journal can't be read; try again");
            self.refuse(&ask, refusal);
        }
        if !self.people.is_empty() && self.flow.is_behind() {
            // A restart drops this, and looks by itself.
            ctx.run_later(self.pause, |room, ctx| room.go_on(ctx));
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}
