//! Entering and leaving.

use std::{collections::HashSet, sync::Arc};

use actix::Context;

use super::{
    super::{
        flow::Recovery,
        hub::{Enter, ToHub},
        request::{Leave, Subscribe},
        seat::{Announced, Identity},
    },
    Room,
};
use crate::{
    platform::mutant::mutant,
    protocol::{
        ClientInfo, Position, Publication,
        push::Event,
        refusal::Refusal,
        reply::{RecoveredPublication, SubscribeResult},
    },
    realtime::{bridge::Arrived, namespace::Storage},
};

impl Room {
    /// Opens its ears and looks where it stands, so that who comes need not wait for that.
    pub(super) fn expect(&mut self, stood: Option<&Position>, ctx: &mut Context<Self>) {
        self.open_ears();
        if self.rules.storage != Storage::None {
            self.flow.expect(stood.filter(|_| !self.rules.cache));
            self.go_on(ctx);
        }
    }

    pub(super) fn subscribe(&mut self, mut ask: Box<Subscribe>, ctx: &mut Context<Self>) {
        let is_heard = self.open_ears();
        if self.rules.storage == Storage::None && !is_heard {
            return self.at_the_door.push(*ask);
        }
        let stood = ask.recover.take();
        if self.rules.storage == Storage::None {
            return self.let_in(*ask, stood, Position::default(), None);
        }
        // Who does not claim to have been here has nothing to refuse.
        ask.else_refuse &= stood.is_some();
        let wants_latest = self.rules.cache && ask.wishes.recoverable;
        self.flow.enter(ask, stood, wants_latest);
        self.go_on(ctx);
    }

    /// Lets in whoever can be answered now, and reads what the room or the first of the others needs.
    pub(super) fn attend(&mut self, ctx: &mut Context<Self>) {
        if self.rules.storage == Storage::None {
            return;
        }
        self.flow.attend();
        self.go_on(ctx);
    }

    pub(super) fn enter(
        &mut self,
        ask: Subscribe,
        stood: Option<Position>,
        top: Position,
        recovery: Recovery,
    ) {
        let missed = match recovery {
            Recovery::None => None,
            Recovery::Whole(missed) => Some(missed),
            Recovery::TooWide { from_nowhere } => {
                if from_nowhere {
                    self.house.metrics.positions_from_nowhere_total.inc();
                }
                self.house.metrics.recovered_total.of("not_recovered").inc();
                if ask.else_refuse {
                    return self.refuse(&ask, Refusal::UNRECOVERABLE_POSITION);
                }
                None
            }
        };
        self.let_in(ask, stood, top, missed);
    }

    /// A member enters at `at`; `missed` is all that lies between `stood` and there, if it recovers.
    fn let_in(
        &mut self,
        ask: Subscribe,
        stood: Option<Position>,
        at: Position,
        missed: Option<Vec<Arc<Publication>>>,
    ) {
        let Subscribe { who, wishes, data, ttl, told, .. } = ask;
        let missed = missed.filter(|_| !mutant!(NobodyRecovers));
        let recovered = missed.is_some();
        if recovered {
            self.house.metrics.recovered_total.of("whole").inc();
        }
        let from = stood.as_ref().filter(|_| recovered);
        let positioned = wishes.positioned && self.rules.storage != Storage::None;
        let recoverable = wishes.recoverable && self.rules.storage != Storage::None;
        let result = SubscribeResult {
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            recoverable,
            positioned,
            offset: from.map_or(at.offset, |stood| stood.offset),
            epoch: at.epoch,
            publications: recovered_forms(missed.unwrap_or_default(), wishes.delta),
            recovered,
            was_recovering: stood.is_some(),
            data,
            delta: wishes.delta,
        };
        self.people.enter(&who, wishes.announced);
        if wishes.announced.presence {
            self.write_down(&who.info, wishes.announced);
        }
        let (worker, info, announced) = (who.seat.worker(), who.info.clone(), wishes.announced);
        let enter =
            Enter { channel: self.channel.clone(), who, wishes, position: at.offset, result, told };
        self.house.must_tell(worker, ToHub::Enter(Box::new(enter)));
        self.house.entered(&self.channel);
        if announced.join_leave {
            self.announce_everywhere(Event::Join(info));
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
        self.flow.leave(|ask| is_it(&ask.who));
        self.at_the_door.retain(|ask| !is_it(&ask.who));
        let left = self.people.leave(leave.seat, leave.number);
        let worker = leave.seat.worker();
        self.house.must_tell(worker, ToHub::Leave { channel: self.channel.clone(), leave });
        let Some((info, announced)) = left else { return };
        if let Some(bridge) = self.house.bridge().filter(|_| announced.presence) {
            bridge.leave(&self.channel, &info.client);
        }
        if announced.join_leave {
            self.announce_everywhere(Event::Leave(info));
        }
    }

    /// For other nodes to see that somebody is here.
    fn write_down(&self, info: &Arc<ClientInfo>, announced: Announced) {
        if let Some(bridge) = self.house.bridge() {
            bridge.enter(&self.channel, info, announced.join_leave);
        }
    }

    /// Writes down who is here and was not, and strikes out who was and is not. What is on its way to Redis comes
    /// before, so the last word is that of this room.
    pub(super) fn written(&self, mut written: HashSet<String>) {
        let Some(bridge) = self.house.bridge() else { return };
        // After a fall it is not known yet who is here; when it is, all is compared again.
        if self.people.counting().next().is_some() {
            return;
        }
        for (info, announced) in self.people.shown() {
            if !written.remove(&info.client) {
                self.write_down(info, announced);
            }
        }
        written.iter().for_each(|gone| bridge.leave(&self.channel, gone));
    }

    fn announce_everywhere(&self, event: Event) {
        if let Some(bridge) = self.house.bridge() {
            bridge.mirror(&self.channel, &Arrived::Event(event.clone()));
        }
        self.announce(event);
    }

    /// To the members of this node who asked.
    pub(super) fn announce(&self, event: Event) {
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
