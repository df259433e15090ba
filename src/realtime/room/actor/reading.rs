//! Reading: one page at a time, in a task that outlives a restart of the room.

use actix::{AsyncContext, Context};

use super::{
    super::{
        catch_up,
        request::{Asked, PageRead},
    },
    Room,
};
use crate::{
    protocol::refusal::Refusal,
    realtime::journal::{Direction, Page, Range, Unavailable},
};

/// What one page to fill a gap may hold.
const PAGE: Range = Range { direction: Direction::After(0), limit: 1000, max_bytes: 1024 * 1024 };

impl Room {
    pub(super) fn read(&mut self, asked: Asked, ctx: &mut Context<Self>) {
        if self.reading.is_some() {
            return;
        }
        let Some(journal) = self.journal().cloned() else { return };
        self.reading = Some(asked);
        let range = match asked {
            Asked::Top => Range { limit: 0, ..PAGE },
            Asked::Gap => {
                let after = self.door.at().map_or(0, |at| at.offset);
                Range { direction: Direction::After(after), ..PAGE }
            }
            Asked::Missed(_) => self.missed_range(),
        };
        let (channel, room) = (self.channel.clone(), ctx.address());
        actix_rt::spawn(async move {
            let page = journal.read(&channel, range).await;
            // One at a time.
            #[allow(clippy::disallowed_methods)]
            room.do_send(PageRead { asked, page });
        });
    }

    /// From the one who missed most: its page warms the ring for the others.
    fn missed_range(&self) -> Range {
        let limits = self.house.recovery;
        let oldest = self.waiting.iter().filter_map(|ask| ask.recover.as_ref()).map(|at| at.offset);
        Range {
            direction: Direction::After(oldest.min().unwrap_or_default()),
            limit: limits.publications + 1,
            max_bytes: limits.bytes + 1,
        }
    }

    pub(super) fn page_read(&mut self, read: PageRead, ctx: &mut Context<Self>) {
        self.reading = None;
        let page = match read.page {
            Ok(page) => page,
            Err(Unavailable(why)) => {
                log::warn!("a room could not read its journal: {why}");
                for ask in std::mem::take(&mut self.waiting) {
                    self.house.metrics.recovered_total.of("unknown").inc();
                    self.refuse(
                        &ask,
                        Refusal::INTERNAL.because("the journal can't be read; try again"),
                    );
                }
                return;
            }
        };
        match read.asked {
            Asked::Top | Asked::Gap => {
                let verdict = self.door.page(&page);
                if self.delivered.is_none() {
                    self.delivered = self.door.at().cloned();
                }
                self.follow(verdict, ctx);
            }
            Asked::Missed(_) => self.merge(&page),
        }
        self.attend(ctx);
    }

    /// Answers everybody whom this page serves.
    fn merge(&mut self, page: &Page) {
        let Some(at) = self.door.at().cloned() else { return };
        self.ring.warm(&at, page, &self.channel);
        let from = page.publications.first().map_or(page.top + 1, |p| p.offset);
        for ask in std::mem::take(&mut self.waiting) {
            let served = ask
                .recover
                .as_ref()
                .filter(|stood| stood.offset + 1 <= from || stood.offset >= page.top);
            match served {
                None => self.waiting.push(ask),
                Some(stood) => {
                    let gap = catch_up::merge(&at, &self.ring, stood, page, self.house.recovery);
                    self.answer(*ask, gap);
                }
            }
        }
    }
}
