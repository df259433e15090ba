//! Publishing: down to the journal, and up again through the door.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{AsyncContext, Context, WrapFuture};

use super::{
    super::{
        broadcast::Broadcast,
        flow::Step,
        hub::ToHub,
        request::{Publish, unnumbered},
    },
    Room,
};
use crate::{
    fail_point,
    platform::mutant::mutant,
    protocol::{Position, Publication},
    realtime::{
        bridge::Arrived,
        journal::{
            Append, AppendError, Appended,
            writer::{Answer, Committed},
        },
        namespace::Storage,
    },
};

/// How long a hub that refused a delivery may take to get on before its members are compared.
const COMPARE_AFTER: Duration = Duration::from_millis(250);

impl Room {
    pub(super) fn publish(&mut self, publish: Publish, ctx: &mut Context<Self>) {
        self.busy = true;
        let Publish { publication, key, version, skip_history, answer } = publish;
        let Some(journal) = self.journal().filter(|_| !skip_history) else {
            answer.give(Ok(unnumbered()));
            // Nobody can claim a place for it, whoever filled the field.
            let publication =
                Arc::new(Publication { offset: 0, ..Arc::unwrap_or_clone(publication) });
            if let Some(bridge) = self.house.bridge() {
                let said = Arrived::Said { publication: publication.clone(), keep: false };
                bridge.mirror(&self.channel, &said);
            }
            self.flow.deliver(publication, Instant::now());
            return self.carry_out(ctx);
        };
        let early = mutant!(DeliveredBeforeCommit).then(|| (*publication).clone());
        let answer = match mutant!(AnswerInTheRoomsFuture) {
            true => self.passed_on(answer, ctx),
            false => answer,
        };
        let answer = self.mirrored(answer, &publication);
        let append = Append { channel: self.channel.clone(), publication, key, version };
        if journal.append(append, answer, self.told.clone()).is_ok() {
            self.appends_under_way += 1;
        }
        if let Some(early) = early {
            let offset = self.flow.at().map_or(0, |at| at.offset) + 1;
            self.flow.deliver(Arc::new(Publication { offset, ..early }), Instant::now());
            self.carry_out(ctx);
        }
    }

    /// An answer that tells other nodes, too: on the writer's thread, as soon as it is committed.
    fn mirrored(&self, answer: Answer, publication: &Arc<Publication>) -> Answer {
        let Some(bridge) = self.house.bridge().cloned() else { return answer };
        let (channel, publication) = (self.channel.clone(), publication.clone());
        let is_shared = self.rules.storage == Storage::Durable;
        Answer::new(move |result| {
            if let Ok(Appended::New(at)) = &result {
                let what = match is_shared {
                    true => {
                        let publication = Publication::clone(&publication);
                        let publication = Publication { offset: at.offset, ..publication };
                        Arrived::Committed(at.clone(), Some(Arc::new(publication)))
                    }
                    false => Arrived::Said { publication, keep: true },
                };
                bridge.mirror(&channel, &what);
            }
            answer.give(result);
        })
    }

    pub(super) fn committed(&mut self, committed: Committed, ctx: &mut Context<Self>) {
        self.appends_under_way = self.appends_under_way.saturating_sub(1);
        let (position, publication) = match committed.result {
            Ok(Appended::New(position)) => {
                let publication = Arc::unwrap_or_clone(committed.publication);
                let publication = Publication { offset: position.offset, ..publication };
                (position, Some(Arc::new(publication)))
            }
            Ok(Appended::Duplicate(position) | Appended::Superseded(position)) => (position, None),
            Ok(Appended::KeyReused) | Err(AppendError::Refused(_)) => return,
            Err(AppendError::Unknown(_)) => {
                self.flow.doubt();
                return self.go_on(ctx);
            }
        };
        self.flow.committed(&position, publication, Instant::now());
        self.go_on(ctx);
    }

    /// Does what follows from what was heard, and asks the journal for what is missing.
    pub(super) fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.carry_out(ctx);
        self.read(ctx);
    }

    fn carry_out(&mut self, ctx: &mut Context<Self>) {
        while let Some(step) = self.flow.next() {
            match step {
                Step::Deliver { broadcast, reaches } => self.deliver(&broadcast, reaches, ctx),
                Step::StartOver(at) => self.start_over(at),
                Step::Enter { comer, stood, top, recovery } => {
                    self.enter(*comer, stood, top, recovery);
                }
            }
        }
    }

    fn start_over(&mut self, at: Position) {
        for worker in self.people.workers() {
            let (channel, at) = (self.channel.clone(), at.clone());
            self.house.must_tell(worker, ToHub::StartOver { channel, at });
        }
        self.flow.reached(at);
    }

    fn deliver(
        &mut self,
        broadcast: &Arc<Broadcast>,
        reaches: Option<Position>,
        ctx: &mut Context<Self>,
    ) {
        if reaches.is_some() {
            fail_point!("room.handed_over");
        }
        #[cfg(test)]
        self.house.trap.step_on(&broadcast.publication);
        for worker in self.people.workers() {
            if !self.house.deliver(worker, ToHub::Deliver(broadcast.clone())) {
                self.compare_soon(ctx);
            }
        }
        if let Some(at) = reaches {
            self.flow.reached(at);
        }
    }

    /// A hub refused something: its members are behind, and shall not wait for the next tick to learn it.
    fn compare_soon(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.compares_soon, true) {
            return;
        }
        // A restart drops this, and compares after it has counted.
        ctx.run_later(COMPARE_AFTER, |room, _| {
            room.compares_soon = false;
            for worker in room.people.workers() {
                room.compare_twice(worker);
            }
        });
    }

    /// The same answer, by way of a future of this room: a mutant's.
    fn passed_on(&self, answer: Answer, ctx: &mut Context<Self>) -> Answer {
        let (tell, told) = tokio::sync::oneshot::channel();
        let passed_on = async move {
            if let Ok(result) = told.await {
                answer.give(result);
            }
        };
        ctx.spawn(passed_on.into_actor(self));
        Answer::new(move |result| drop(tell.send(result)))
    }
}
