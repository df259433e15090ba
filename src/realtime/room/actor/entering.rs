//! Entering and leaving.

use std::sync::Arc;

use actix::Context;

use super::{
    super::{
        catch_up::{self, Gap},
        hub::{Census, Enter, ToHub},
        request::{Asked, Leave, Subscribe},
    },
    Room,
};
use crate::{
    protocol::{
        Position, Publication,
        push::Event,
        refusal::Refusal,
        reply::{RecoveredPublication, SubscribeResult},
    },
    realtime::namespace::Storage,
};

impl Room {
    pub(super) fn subscribe(&mut self, ask: Box<Subscribe>, ctx: &mut Context<Self>) {
        if self.rules.storage == Storage::None {
            self.let_in(*ask, None, Vec::new(), false);
        } else {
            self.waiting.push(ask);
            self.attend(ctx);
        }
    }

    /// Lets in whoever can be answered now, and reads what the first of the others needs.
    pub(super) fn attend(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.door.at().cloned() else {
            self.read(Asked::Top, ctx);
            return;
        };
        let mut asking = Vec::new();
        for ask in std::mem::take(&mut self.waiting) {
            let mut ask = ask;
            if self.rules.cache && ask.wishes.recoverable {
                ask.recover = catch_up::before_last(&at, ask.recover.take());
            }
            let gap = match &ask.recover {
                None => {
                    self.let_in(*ask, Some(at.clone()), Vec::new(), false);
                    continue;
                }
                Some(stood) => catch_up::look(&at, &self.ring, stood, self.house.recovery),
            };
            match gap {
                Gap::Ask(_) => asking.push(ask),
                known => self.answer(*ask, known),
            }
        }
        self.waiting = asking;
        if !self.waiting.is_empty() {
            self.tickets += 1;
            self.read(Asked::Missed(self.tickets), ctx);
        }
    }

    pub(super) fn answer(&mut self, ask: Subscribe, gap: Gap) {
        match gap {
            Gap::Whole { missed, top } => self.let_in(ask, Some(top), missed, true),
            Gap::TooWide { top, from_nowhere } => {
                if from_nowhere {
                    self.house.metrics.positions_from_nowhere_total.inc();
                }
                self.house.metrics.recovered_total.of("not_recovered").inc();
                if ask.else_refuse {
                    self.refuse(&ask, Refusal::UNRECOVERABLE_POSITION);
                } else {
                    self.let_in(ask, Some(top), Vec::new(), false);
                }
            }
            Gap::Ask(_) => self.refuse(&ask, Refusal::INTERNAL),
        }
    }

    fn let_in(
        &mut self,
        ask: Subscribe,
        at: Option<Position>,
        missed: Vec<Arc<Publication>>,
        recovered: bool,
    ) {
        let Subscribe { who, wishes, recover, data, ttl, command, .. } = ask;
        if recovered {
            self.house.metrics.recovered_total.of("whole").inc();
        }
        let at = at.unwrap_or_default();
        let stood = recover.as_ref().map_or(at.offset, |stood| stood.offset);
        let positioned = wishes.positioned && self.rules.storage != Storage::None;
        let recoverable = wishes.recoverable && self.rules.storage != Storage::None;
        let result = SubscribeResult {
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            recoverable,
            positioned,
            offset: if recovered { stood } else { at.offset },
            epoch: at.epoch,
            publications: recovered_forms(missed, wishes.delta),
            recovered,
            was_recovering: recover.is_some(),
            data,
            delta: wishes.delta,
        };
        self.people.enter(&who, wishes.announced);
        let (worker, info, announced) = (who.seat.worker(), who.info.clone(), wishes.announced);
        let enter = Enter {
            channel: self.channel.clone(),
            who,
            wishes,
            position: at.offset,
            result,
            command,
        };
        self.house.must_tell(worker, ToHub::Enter(Box::new(enter)));
        if announced.join_leave {
            self.announce(Event::Join(info));
        }
    }

    pub(super) fn refuse(&self, ask: &Subscribe, refusal: Refusal) {
        let message = ToHub::Refuse {
            channel: self.channel.clone(),
            seat: ask.who.seat,
            number: ask.who.number,
            refusal,
        };
        self.house.must_tell(ask.who.seat.worker(), message);
    }

    pub(super) fn leave(&mut self, leave: Leave) {
        self.waiting.retain(|ask| ask.who.seat != leave.seat || ask.who.number != leave.number);
        let left = self.people.leave(leave.seat, leave.number);
        let worker = leave.seat.worker();
        self.house.must_tell(worker, ToHub::Leave { channel: self.channel.clone(), leave });
        if let Some((info, announced)) = left
            && announced.join_leave
        {
            self.announce(Event::Leave(info));
        }
    }

    fn announce(&self, event: Event) {
        for worker in self.people.workers() {
            let (channel, event) = (self.channel.clone(), event.clone());
            self.house.deliver(worker, ToHub::Announce { channel, event });
        }
    }

    pub(super) fn recount(&mut self, census: Census) {
        self.people.recount(census.worker, &census.members);
        if let Some(top) = self.delivered.as_ref().map(|at| at.offset) {
            // Twice: what is missing now stays missing, since deliveries come in the same queue.
            for _ in 0..2 {
                let channel = self.channel.clone();
                self.house.must_tell(census.worker, ToHub::Stand { channel, top });
            }
        }
    }
}

/// To a member that understands deltas the first goes whole and each further one as a delta.
fn recovered_forms(missed: Vec<Arc<Publication>>, delta: bool) -> Vec<RecoveredPublication> {
    let mut previous: Option<Arc<Publication>> = None;
    missed
        .into_iter()
        .map(|publication| {
            let before = previous.replace(publication.clone());
            let delta = before.filter(|_| delta && publication.delta).and_then(|before| {
                crate::protocol::delta::fossil(before.data.bytes(), publication.data.bytes())
            });
            RecoveredPublication { publication, delta }
        })
        .collect()
}
