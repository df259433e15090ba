//! When a room listens to other nodes: while somebody is here, and before anybody gets in.
//!
//! First the bridge confirms, then the journal says where the channel stands: what is said between the two comes
//! through the bridge. Without a bridge the journal's feed tells all rooms, and there is nothing to wait for.

use actix::Context;

use super::{Ears, Room};
use crate::realtime::namespace::Storage;

impl Room {
    /// Somebody wants in. False: not before the ears are open.
    pub(super) fn open_ears(&mut self) -> bool {
        let Some(bridge) = self.house.bridge() else { return true };
        if self.ears == Ears::Closed {
            self.ears = Ears::Opening;
            bridge.listen(&self.channel);
        }
        self.ears == Ears::Open
    }

    /// The bridge listens, or it can't and the feed has to do.
    pub(super) fn listening(&mut self, ctx: &mut Context<Self>) {
        if self.ears != Ears::Opening {
            return;
        }
        self.ears = Ears::Open;
        for ask in std::mem::take(&mut self.at_the_door) {
            self.subscribe(Box::new(ask), ctx);
        }
        if self.rules.storage != Storage::None {
            self.flow.hear();
            self.go_on(ctx);
        }
    }

    /// At each tick: if nobody has been here for a while and nobody is on the way in, the ears can rest.
    pub(super) fn rest_ears(&mut self, was_busy: bool, ctx: &mut Context<Self>) {
        // The bridge fell over the question.
        if self.ears == Ears::Opening {
            return self.listening(ctx);
        }
        let nobody = self.people.is_empty() && self.at_the_door.is_empty();
        if self.ears == Ears::Open && !was_busy && nobody && self.flow.deafen() {
            self.close_ears();
        }
    }

    pub(super) fn close_ears(&mut self) {
        if let Some(bridge) = self.house.bridge()
            && std::mem::take(&mut self.ears) != Ears::Closed
        {
            bridge.empty(&self.channel);
            bridge.unlisten(&self.channel);
        }
    }
}
