//! What happens on a connection because time has passed: pings, and the ends that deadlines make.

use std::sync::atomic::Ordering;

use super::{
    connection::{Connection, Ctx, Stage},
    deadlines::{Fell, first_ping},
};
use crate::{protocol::Close, realtime::room::seat::Seat};

impl Connection {
    pub(super) fn file_deadlines(&mut self) {
        if let Some(at) = self.deadlines.next_to_file() {
            self.host.roster.wake(self.line.id(), at);
        }
    }

    /// The connection is open: from now on it is pinged.
    pub(super) fn start_pinging(&mut self) {
        let interval = self.host.node.settings.client.ping_interval;
        self.deadlines.clear(Fell::Stale);
        let first = first_ping(interval, rand::random());
        self.deadlines.set(Fell::Ping, self.host.roster.now() + first);
    }

    fn ping(&mut self, ctx: &mut Ctx) {
        let client = &self.host.node.settings.client;
        let now = self.host.roster.now();
        self.awaits_pong = true;
        if let Stage::Open(open) = &self.stage {
            open.answers.store(false, Ordering::Relaxed);
        }
        self.deadlines.set(Fell::Ping, now + client.ping_interval);
        self.deadlines.set(Fell::NoPong, now + client.pong_timeout);
        if self.native_ping {
            ctx.ping(b"");
        } else {
            self.line.push(self.line.encoding().ping());
        }
    }

    pub(super) fn on_due(&mut self, ctx: &mut Ctx) {
        let now = self.host.roster.now();
        while let Some(fell) = self.deadlines.fell(now) {
            match fell {
                Fell::Stale => self.close(Close::STALE, ctx),
                Fell::Ping => self.ping(ctx),
                Fell::NoPong => self.close(Close::NO_PONG, ctx),
                Fell::Expired => self.close(Close::EXPIRED, ctx),
                Fell::SubscriptionExpired => self.expire_subscriptions(ctx),
                Fell::Command => self.on_command_deadline(ctx),
                Fell::LookAgain => self.look_again(ctx),
            }
        }
        self.file_deadlines();
    }
}
