//! Entering and leaving.

use std::sync::Arc;

use actix::Context;

use super::{
    super::{
        catch_up::{self, Gap},
        hub::{Enter, ToHub},
        request::{Leave, Subscribe},
        seat::Identity,
    },
    Room, Waiting,
};
use crate::{
    platform::mutant::mutant,
    protocol::{
        Position, Publication,
        push::Event,
        refusal::Refusal,
        reply::{RecoveredPublication, SubscribeResult},
    },
    realtime::namespace::Storage,
};

impl Room {
    pub(super) fn subscribe(&mut self, mut ask: Box<Subscribe>, ctx: &mut Context<Self>) {
        if self.rules.storage == Storage::None {
            return self.let_in(*ask, None, Vec::new(), false);
        }
        // Who does not claim to have been here has nothing to refuse.
        ask.else_refuse &= ask.recover.is_some();
        let at = self.door.at().cloned();
        self.consider(Waiting { ask, is_fresh: false }, at.as_ref());
        self.look(ctx);
        self.read_missed(ctx);
    }

    /// Lets in whoever can be answered now, and reads what the room or the first of the others needs.
    pub(super) fn attend(&mut self, ctx: &mut Context<Self>) {
        if self.rules.storage == Storage::None {
            return;
        }
        if let Some(at) = self.door.at().cloned() {
            for _ in 0..self.waiting.len() {
                let Some(waiting) = self.waiting.pop_front() else { break };
                self.consider(waiting, Some(&at));
            }
        }
        self.look(ctx);
        self.read_missed(ctx);
    }

    /// Answers a member from the room's memory, or lets it wait.
    fn consider(&mut self, mut waiting: Waiting, at: Option<&Position>) {
        let Some(at) = at else { return self.waiting.push_back(waiting) };
        self.aim(&mut waiting.ask, at);
        let gap = match &waiting.ask.recover {
            None => return self.let_in(*waiting.ask, Some(at.clone()), Vec::new(), false),
            Some(stood) => catch_up::look(at, &self.ring, stood, self.house.recovery),
        };
        self.answer(waiting, gap);
    }

    /// In a channel that shows its latest publication, that is all a member has missed.
    pub(super) fn aim(&self, ask: &mut Subscribe, at: &Position) {
        if self.rules.cache && ask.wishes.recoverable {
            ask.recover = catch_up::before_last(at, ask.recover.take());
        }
    }

    pub(super) fn answer(&mut self, waiting: Waiting, gap: Gap) {
        let ask = waiting.ask;
        match gap {
            Gap::Whole { missed, top } => self.let_in(*ask, Some(top), missed, true),
            Gap::TooWide { top, from_nowhere } => {
                if from_nowhere {
                    self.house.metrics.positions_from_nowhere_total.inc();
                }
                self.house.metrics.recovered_total.of("not_recovered").inc();
                if ask.else_refuse {
                    self.refuse(&ask, Refusal::UNRECOVERABLE_POSITION);
                } else {
                    self.let_in(*ask, Some(top), Vec::new(), false);
                }
            }
            Gap::Ask => self.waiting.push_back(Waiting { ask, is_fresh: false }),
        }
    }

    fn let_in(
        &mut self,
        ask: Subscribe,
        at: Option<Position>,
        missed: Vec<Arc<Publication>>,
        recovered: bool,
    ) {
        let Subscribe { who, wishes, recover, data, ttl, told, .. } = ask;
        let recovered = recovered && !mutant!(NobodyRecovers);
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
        let enter =
            Enter { channel: self.channel.clone(), who, wishes, position: at.offset, result, told };
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
        let is_it = |who: &Identity| who.seat == leave.seat && who.number == leave.number;
        self.waiting.retain(|waiting| !is_it(&waiting.ask.who));
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
