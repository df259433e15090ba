//! Publishing: down to the journal, and up again through the door.

use std::{sync::Arc, time::Instant};

use actix::Context;

use super::{
    super::{
        broadcast::Broadcast,
        door::Verdict,
        house::House,
        hub::ToHub,
        request::{Asked, Publish, unnumbered},
    },
    Room,
};
use crate::{
    fail_point,
    protocol::{Position, Publication},
    realtime::journal::{Append, Appended, writer::Committed},
};

impl Room {
    pub(super) fn publish(&mut self, publish: Publish) {
        self.busy = true;
        let Publish { publication, key, version, skip_history, answer } = publish;
        let Some(journal) = self.journal().filter(|_| !skip_history) else {
            answer.give(Ok(unnumbered()));
            self.fan_out(publication, Instant::now());
            return;
        };
        let append = Append { channel: self.channel.clone(), publication, key, version };
        if journal.append(append, answer, self.told.clone()).is_ok() {
            self.appends_under_way += 1;
        }
    }

    pub(super) fn committed(&mut self, committed: Committed, ctx: &mut Context<Self>) {
        self.appends_under_way = self.appends_under_way.saturating_sub(1);
        let Ok(Appended::New(position)) = committed.result else { return };
        let publication = Arc::new(Publication {
            offset: position.offset,
            ..Arc::unwrap_or_clone(committed.publication)
        });
        let verdict = self.door.arrive(&position.epoch, position.offset, Some(publication));
        self.follow(verdict, ctx);
    }

    pub(super) fn follow(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Deliver(next) => {
                fail_point!("room.handed_over");
                let since = Instant::now();
                for publication in next {
                    self.fan_out(publication, since);
                }
                if self.door.is_behind() {
                    self.read(Asked::Gap, ctx);
                }
            }
            Verdict::Read => self.read(Asked::Gap, ctx),
            Verdict::NewHistory => {
                self.ring.clear();
                self.delivered = None;
                for worker in self.people.workers() {
                    let channel = self.channel.clone();
                    self.house.must_tell(worker, ToHub::Expel { channel });
                }
                self.read(Asked::Top, ctx);
            }
        }
    }

    fn fan_out(&mut self, publication: Arc<Publication>, since: Instant) {
        let numbered = publication.offset > 0;
        let epoch = match self.door.at() {
            Some(at) => at.epoch.clone(),
            None => House::no_epoch(),
        };
        let offset = publication.offset;
        let previous = self.ring.last().filter(|b| b.publication.offset + 1 == offset);
        let broadcast = Arc::new(Broadcast::new(
            self.channel.clone(),
            publication,
            &epoch,
            previous.map(|b| &*b.publication),
            since,
        ));
        for worker in self.people.workers() {
            let taken = self.house.deliver(worker, ToHub::Deliver(broadcast.clone()));
            self.compare |= !taken;
        }
        if numbered {
            self.ring.push(broadcast);
            self.delivered = Some(Position { epoch, offset });
        }
    }
}
