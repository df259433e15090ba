//! Publishing: down to the journal, and up again through the door.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{AsyncContext, Context, WrapFuture};

use super::{
    super::{
        broadcast::Broadcast,
        door::Verdict,
        house::House,
        hub::ToHub,
        request::{Publish, unnumbered},
    },
    Room,
};
use crate::{
    fail_point,
    platform::mutant::mutant,
    protocol::{Position, Publication},
    realtime::journal::{
        Append, AppendError, Appended,
        writer::{Answer, Committed},
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
            let publication = Publication { offset: 0, ..Arc::unwrap_or_clone(publication) };
            self.fan_out(Arc::new(publication), Instant::now(), ctx);
            return;
        };
        let early = mutant!(DeliveredBeforeCommit).then(|| (*publication).clone());
        let answer = match mutant!(AnswerInTheRoomsFuture) {
            true => self.passed_on(answer, ctx),
            false => answer,
        };
        let append = Append { channel: self.channel.clone(), publication, key, version };
        if journal.append(append, answer, self.told.clone()).is_ok() {
            self.appends_under_way += 1;
        }
        if let Some(early) = early {
            let offset = self.door.at().map_or(0, |at| at.offset) + 1;
            self.fan_out(Arc::new(Publication { offset, ..early }), Instant::now(), ctx);
        }
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
                self.door.doubt();
                return self.look(ctx);
            }
        };
        if mutant!(OwnCommitPastTheDoor)
            && let Some(publication) = &publication
        {
            return self.deliver(vec![publication.clone()], ctx);
        }
        let verdict = self.door.arrive(&position.epoch, position.offset, publication);
        self.follow(verdict, ctx);
        self.look(ctx);
    }

    /// What the door let through goes out. (To look for the rest is the caller's.)
    pub(super) fn follow(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::Nothing | Verdict::Read => {}
            Verdict::Deliver(next) => self.deliver(next, ctx),
            Verdict::StartOver(next) => {
                self.start_over(next.len() as u64);
                self.deliver(next, ctx);
            }
        }
    }

    /// Whoever has a position must come back; the others go on `ahead` before where the door stands now.
    fn start_over(&mut self, ahead: u64) {
        self.ring.clear();
        let Some(at) = self.door.at().cloned() else { return };
        let at = Position { offset: at.offset - ahead, ..at };
        for worker in self.people.workers() {
            let (channel, at) = (self.channel.clone(), at.clone());
            self.house.must_tell(worker, ToHub::StartOver { channel, at });
        }
        self.delivered = Some(at);
    }

    fn deliver(&mut self, next: Vec<Arc<Publication>>, ctx: &mut Context<Self>) {
        fail_point!("room.handed_over");
        let since = Instant::now();
        for publication in next {
            #[cfg(test)]
            self.house.trap.step_on(&publication);
            self.fan_out(publication, since, ctx);
        }
    }

    fn fan_out(&mut self, publication: Arc<Publication>, since: Instant, ctx: &mut Context<Self>) {
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
            if !self.house.deliver(worker, ToHub::Deliver(broadcast.clone())) {
                self.compare_soon(ctx);
            }
        }
        if numbered {
            self.ring.push(broadcast);
            self.delivered = Some(Position { epoch, offset });
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
