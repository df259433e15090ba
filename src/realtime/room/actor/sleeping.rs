//! Going to sleep: when nobody is here and nothing is under way, asked at each tick.

use actix::{ActorContext, AsyncContext, Context};

use super::{
    super::{hub::ToHub, request::End},
    Room,
};
use crate::{fail_point, platform::mutant::mutant};

impl Room {
    fn is_idle(&self) -> bool {
        self.people.is_empty()
            && self.at_the_door.is_empty()
            && self.flow.is_idle()
            && (self.appends_under_way == 0 || mutant!(ClosesWithACommitUnderWay))
    }

    /// Files the next tick, unless one is filed.
    pub(super) fn wake_later(&mut self) {
        if !std::mem::replace(&mut self.will_wake, true) {
            self.house.must_tell(self.home, ToHub::WakeRoom { channel: self.channel.clone() });
        }
    }

    pub(super) fn tick(&mut self, ctx: &mut Context<Self>) {
        self.will_wake = false;
        let was_busy = std::mem::take(&mut self.busy);
        if !was_busy {
            self.flow.rest();
        }
        if self.is_idle() && !was_busy && self.house.closing(&self.channel, self.life) {
            self.closing = true;
            fail_point!("room.closing");
            self.end_later(ctx);
            return;
        }
        self.rest_ears(was_busy, ctx);
        self.count_again();
        for worker in self.people.workers() {
            self.compare(worker);
        }
        self.attend(ctx);
        self.wake_later();
    }

    /// Comes behind all that was sent before the directory held back what is new.
    pub(super) fn end_later(&self, ctx: &mut Context<Self>) {
        // Once a life, or twice if the room falls meanwhile.
        #[allow(clippy::disallowed_methods)]
        ctx.address().do_send(End);
    }

    pub(super) fn end(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::take(&mut self.closing) {
            return;
        }
        if self.is_idle() && !self.busy {
            ctx.stop();
        } else {
            self.house.keep(&self.channel, self.life);
            self.wake_later();
        }
    }
}
