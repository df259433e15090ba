//! How a connection answers: at once, when somebody else has answered, or too late.

use actix::{ActorFutureExt, AsyncContext, WrapFuture};

use super::{
    connection::{Busy, Connection, Ctx, Doing, Stage},
    deadlines::Fell,
};
use crate::{
    protocol::{Close, Outcome, Push, Refusal, Reply},
    realtime::room::seat::Seat,
};

impl Connection {
    pub(super) fn reply(&mut self, id: u32, outcome: Outcome, ctx: &mut Ctx) {
        if let Outcome::Refused(refusal) = &outcome {
            self.host.node.metrics.refused_total.code(refusal.code).inc();
        }
        match self.line.encoding().reply(&Reply { id, outcome }) {
            Ok(bytes) => self.send(bytes),
            Err(_) => self.close(Close::INAPPROPRIATE_PROTOCOL, ctx),
        }
    }

    pub(super) fn refuse(&mut self, id: u32, refusal: Refusal, ctx: &mut Ctx) {
        self.reply(id, Outcome::Refused(refusal), ctx);
    }

    pub(super) fn push(&mut self, push: &Push, ctx: &mut Ctx) {
        match self.line.encoding().push(push) {
            Ok(bytes) => self.send(bytes),
            Err(_) => self.close(Close::INAPPROPRIATE_PROTOCOL, ctx),
        }
    }

    fn send(&self, bytes: bytes::Bytes) {
        self.host.books.messages_out.set(self.host.books.messages_out.get() + 1);
        self.line.push(bytes);
    }

    /// A command that is neither publish nor subscribe begins; it has to be answered in time.
    pub(super) fn begin(&mut self, command: u32, what: Doing) -> u32 {
        let Stage::Open(open) = &mut self.stage else { return 0 };
        open.count += 1;
        let number = open.count;
        open.busy = Some(Busy { number, command, what });
        let by = self.host.roster.now() + self.host.node.settings.client.command_timeout;
        self.deadlines.set(Fell::Command, by);
        number
    }

    /// It has ended.
    pub(super) fn done(&mut self, ctx: &mut Ctx) {
        if let Stage::Open(open) = &mut self.stage {
            open.busy = None;
        }
        self.deadlines.clear(Fell::Command);
        self.pump(ctx);
    }

    /// Asks somebody and replies with what comes back, unless the deadline came first.
    pub(super) fn ask(
        &mut self,
        command: u32,
        answer: impl Future<Output = Outcome> + 'static,
        ctx: &mut Ctx,
    ) {
        let number = self.begin(command, Doing::Ask);
        let answer = answer.into_actor(self).map(move |outcome, connection, ctx| {
            if connection.is_doing(number) {
                connection.reply(command, outcome, ctx);
                connection.done(ctx);
            }
        });
        ctx.spawn(answer);
    }

    pub(super) fn is_doing(&self, number: u32) -> bool {
        matches!(&self.stage, Stage::Open(open) if open.busy.as_ref().is_some_and(|b| b.number == number))
    }
}
