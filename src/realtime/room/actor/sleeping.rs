//! Going to sleep.

use actix::{AsyncContext, Context};

use super::{
    super::{hub::ToHub, request::End},
    Room,
};
use crate::fail_point;

impl Room {
    pub(super) fn is_idle(&self) -> bool {
        self.people.is_empty()
            && self.waiting.is_empty()
            && self.appends_under_way == 0
            && self.reading.is_none()
    }

    pub(super) fn wake_later(&self) {
        self.house.must_tell(self.home, ToHub::WakeRoom { channel: self.channel.clone() });
    }

    pub(super) fn tick(&mut self, ctx: &mut Context<Self>) {
        let was_busy = std::mem::take(&mut self.busy);
        if !was_busy {
            self.ring.clear();
        }
        if self.is_idle() && !was_busy && self.house.closing(&self.channel, self.life) {
            self.closing = true;
            fail_point!("room.closing");
            ctx.notify(End);
            return;
        }
        if let Some(top) = self.delivered.as_ref().map(|at| at.offset) {
            let words = if std::mem::take(&mut self.compare) { 2 } else { 1 };
            for worker in self.people.workers() {
                for _ in 0..words {
                    let channel = self.channel.clone();
                    self.house.must_tell(worker, ToHub::Stand { channel, top });
                }
            }
        }
        self.wake_later();
    }
}
