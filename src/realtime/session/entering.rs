//! Subscribes of one connection that were admitted and are not answered. Rooms are asked one after the other, since all
//! that one recovers has to find room in the connection's queue; those of the next comers hear that somebody will come,
//! and open their ears and look where they stand meanwhile. So who comes back to a hundred channels does not wait for
//! Redis and the journal a hundred times.

use std::{collections::VecDeque, time::Duration};

use super::{
    connection::{Connection, Ctx, Stage},
    deadlines::Fell,
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::Refusal,
    realtime::room::{
        busy::Busy,
        request::{Request, Subscribe},
        seat::SubscriptionNumber,
    },
};

/// How long a recovery that found no room waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Rooms of one connection that are told ahead that somebody comes: enough that the rounds of Redis and the journal are
/// hardly felt, and few enough that one client does not hold up the others.
const AHEAD: usize = 16;

/// In the order of their commands; bounded by `client.channel_limit`, since each has its place among the subscriptions.
#[derive(Default)]
pub(super) struct Entering(VecDeque<Comer>);

struct Comer {
    command: u32,
    channel: Channel,
    number: SubscriptionNumber,
    /// None once the room was asked: its refusal is ours to write, its reply the hub's.
    request: Option<Box<Subscribe>>,
}

impl Entering {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is the room of this subscription that was asked.
    pub fn awaits(&self, channel: &Channel, number: SubscriptionNumber) -> bool {
        self.0.front().is_some_and(|first| {
            first.request.is_none() && first.number == number && first.channel == *channel
        })
    }
}

impl Connection {
    /// A subscribe was admitted.
    pub(super) fn line_up(
        &mut self,
        command: u32,
        channel: Channel,
        request: Subscribe,
        ctx: &mut Ctx,
    ) {
        let Stage::Open(open) = &mut self.stage else { return };
        let number = request.who.number;
        let request = Some(Box::new(request));
        open.entering.0.push_back(Comer { command, channel, number, request });
        match open.entering.0.len() - 1 {
            0 => self.begin_with_first(ctx),
            ahead if ahead <= AHEAD => self.prepare(ahead),
            _ => {}
        }
    }

    /// Has the room of who is so far behind the first get ready, if anybody is.
    fn prepare(&self, ahead: usize) {
        let Stage::Open(open) = &self.stage else { return };
        let Some(comer) = open.entering.0.get(ahead) else { return };
        let Some(request) = &comer.request else { return };
        let expected = Request::Expect(request.recover.clone());
        // A room that is too busy to hear it is awake.
        let _ = self.host.node.house.ask(&comer.channel, expected);
    }

    /// Somebody else is the first now, who has to be answered in time.
    fn begin_with_first(&mut self, ctx: &mut Ctx) {
        let patience = self.host.node.settings.client.command_timeout;
        while matches!(&self.stage, Stage::Open(open) if !open.entering.is_empty()) {
            self.deadlines.set(Fell::Command, self.host.roster.now() + patience);
            let Err(refusal) = self.ask_first_room() else { return };
            self.turn_first_away(refusal, ctx);
        }
    }

    /// Asks the room of the first, if there is one, once there is space for what it may bring.
    fn ask_first_room(&mut self) -> Result<(), Refusal> {
        let has_space = self.has_room_to_recover();
        let Stage::Open(open) = &mut self.stage else { return Ok(()) };
        let Some(first) = open.entering.0.front_mut() else { return Ok(()) };
        let recovers = first.request.as_ref().is_some_and(|ask| ask.recover.is_some());
        if recovers && !has_space {
            self.deadlines.set(Fell::LookAgain, self.host.roster.now() + LOOK_AGAIN);
            return Ok(());
        }
        let Some(request) = first.request.take() else { return Ok(()) };
        if open.subs.get(&first.channel).is_none_or(|sub| sub.number != first.number) {
            // The time of its token was over while it waited.
            return Err(Refusal::TOKEN_EXPIRED);
        }
        let asked = self.host.node.house.ask(&first.channel, Request::Subscribe(request));
        asked.map_err(|Busy| Refusal::TOO_MANY_REQUESTS.because("the room is full of requests"))
    }

    /// Perhaps there is space by now.
    pub(super) fn look_again(&mut self, ctx: &mut Ctx) {
        if let Err(refusal) = self.ask_first_room() {
            self.refuse_first(refusal, ctx);
        }
    }

    /// The first does not get in, and is told so: the next one's turn.
    pub(super) fn refuse_first(&mut self, refusal: Refusal, ctx: &mut Ctx) {
        self.turn_first_away(refusal, ctx);
        self.begin_with_first(ctx);
        self.pump(ctx);
    }

    /// The first has its answer: the next one's turn.
    pub(super) fn end_first(&mut self, ctx: &mut Ctx) {
        self.take_first();
        self.begin_with_first(ctx);
        self.pump(ctx);
    }

    fn turn_first_away(&mut self, refusal: Refusal, ctx: &mut Ctx) {
        let Some(Comer { command, channel, number, .. }) = self.take_first() else { return };
        let Stage::Open(open) = &self.stage else { return };
        if open.subs.get(&channel).is_some_and(|sub| sub.number == number) {
            self.leave(&channel);
        }
        self.refuse(command, refusal, ctx);
    }

    fn take_first(&mut self) -> Option<Comer> {
        self.deadlines.clear(Fell::Command);
        self.deadlines.clear(Fell::LookAgain);
        let Stage::Open(open) = &mut self.stage else { return None };
        let first = open.entering.0.pop_front();
        self.prepare(AHEAD);
        let Stage::Open(open) = &mut self.stage else { return None };
        if open.entering.is_empty() {
            // Most connections never subscribe again.
            open.entering = Entering::default();
        }
        first
    }

    /// Recovered bytes wait for room in this connection's queue and in the node's budget.
    fn has_room_to_recover(&self) -> bool {
        let half = self.host.node.settings.client.queue_max_size.bytes() / 2;
        self.line.waiting() < half && self.host.node.may_recover()
            || mutant!(RecoversIntoAFullQueue)
    }
}
