//! One channel on this node: who is in it, where it stands, what goes to whom.

mod arriving;
mod comparing;
mod entering;
mod listening;
mod publishing;
mod reading;
mod sleeping;

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Recipient, Supervised};

use super::{
    flow::Flow,
    house::{House, Rules},
    people::People,
    request::{End, PageRead, Request, Subscribe},
    seat::WorkerIndex,
};
use crate::{
    ids::Channel,
    realtime::{
        directory::Life,
        journal::writer::{Committed, JournalHandle},
    },
};

/// Requests that a room takes before it says "try again". A room of 10,000 that all come back at once fits.
pub(super) const MAILBOX: usize = 32 * 1024;

/// The first pause before the journal is asked again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The actor.
pub struct Room {
    house: Arc<House>,
    channel: Channel,
    life: Life,
    home: WorkerIndex,
    rules: Rules,
    told: Recipient<Committed>,
    people: People,
    flow: Flow<Box<Subscribe>>,
    /// How long to wait after a page that could not be read.
    pause: Duration,
    /// Each of them will be told; survives a restart as the journal's word does.
    appends_under_way: usize,
    /// How the room hears what other nodes say.
    ears: Ears,
    /// Who comes before they are open, to a channel without a history.
    at_the_door: Vec<Subscribe>,
    /// Something was published since the last tick.
    busy: bool,
    /// A hub refused a delivery; positions will be compared soon.
    compares_soon: bool,
    /// A tick will come.
    will_wake: bool,
    closing: bool,
}

/// Whether other nodes are listened to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Ears {
    /// Nobody is here for whom it would be.
    #[default]
    Closed,
    /// The bridge was asked to, and will say so in any case.
    Opening,
    Open,
}

impl Room {
    pub(super) fn new(
        house: Arc<House>,
        channel: Channel,
        life: Life,
        home: WorkerIndex,
        ctx: &mut Context<Self>,
    ) -> Self {
        let mut flow = Flow::new(channel.clone(), house.ring_bytes, house.recovery);
        if house.bridge().is_some() {
            flow.deafen();
        }
        Self {
            rules: house.rules(&channel),
            flow,
            told: ctx.address().recipient(),
            house,
            channel,
            life,
            home,
            people: People::default(),
            pause: FIRST_PAUSE,
            appends_under_way: 0,
            ears: Ears::default(),
            at_the_door: Vec::new(),
            busy: false,
            compares_soon: false,
            will_wake: false,
            closing: false,
        }
    }

    fn journal(&self) -> Option<&JournalHandle> {
        self.house.journal(&self.channel)
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    /// At the start, and again after each fall.
    fn started(&mut self, ctx: &mut Self::Context) {
        self.wake_later();
        self.attend(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.close_ears();
        self.house.gone(&self.channel, self.life);
    }
}

impl Supervised for Room {
    /// Its people come from the hubs; it goes on from what the hubs were given last. What is under way
    /// (appends, a page, members who wait) stands in the struct and stays.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.flow.fall();
        self.compares_soon = false;
        for worker in 0..self.house.workers().len() {
            self.count(worker);
        }
        if self.closing {
            self.end_later(ctx);
        }
    }
}

impl Handler<Request> for Room {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        self.house.heard();
        match request {
            Request::Subscribe(ask) => self.subscribe(ask, ctx),
            Request::Expect(stood) => self.expect(stood.as_ref(), ctx),
            Request::Leave(leave) => self.leave(leave),
            Request::Publish(publish) => self.publish(*publish, ctx),
            // Who asks may have gone away meanwhile.
            Request::Presence(answer) => drop(answer.send(self.people.presence())),
            Request::PresenceStats(answer) => {
                let _ = answer.send(self.people.stats());
            }
            Request::Members(answer) => {
                let _ = answer.send(self.people.len() as u32);
            }
            Request::Recount(worker) => self.count(worker),
            Request::Census(census) => self.recount(&census),
            Request::Removed => self.flow.removed(),
            Request::Arrived(arrived) => self.arrived(arrived, ctx),
            Request::Stands(at) => self.stands(at, ctx),
            Request::Written(clients) => self.written(clients),
            Request::Listening => self.listening(ctx),
            Request::Missed => self.missed(ctx),
            Request::Tick => self.tick(ctx),
            #[cfg(test)]
            Request::Fall => panic!("a test lets the room fall"),
        }
    }
}

impl Handler<Committed> for Room {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        self.committed(committed, ctx);
    }
}

impl Handler<PageRead> for Room {
    type Result = ();

    fn handle(&mut self, read: PageRead, ctx: &mut Self::Context) {
        self.page_read(read, ctx);
    }
}

impl Handler<End> for Room {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        self.end(ctx);
    }
}
