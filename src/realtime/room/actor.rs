//! One channel on this node: who is in it, where it stands, what goes to whom.

mod entering;
mod publishing;
mod reading;
mod sleeping;

use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, Supervised};

use super::{
    door::Door,
    house::{House, Rules},
    hub::ToHub,
    people::People,
    request::{Asked, End, PageRead, Request, Subscribe},
    ring::Ring,
    seat::WorkerIndex,
};
use crate::{
    ids::Channel,
    protocol::Position,
    realtime::{
        directory::Life,
        journal::writer::{Committed, JournalHandle},
        namespace::Storage,
    },
};

/// Requests that a room takes before it says "try again". A room of 10,000 that all come back at once fits.
pub(super) const MAILBOX: usize = 32 * 1024;

/// The actor.
pub struct Room {
    house: Arc<House>,
    channel: Channel,
    life: Life,
    home: WorkerIndex,
    rules: Rules,
    told: Recipient<Committed>,
    people: People,
    door: Door,
    ring: Ring,
    /// Up to where the hubs were given everything.
    delivered: Option<Position>,
    /// Members that come in once the room knows where it stands, or what they missed.
    waiting: Vec<Box<Subscribe>>,
    /// A page is being read.
    reading: Option<Asked>,
    tickets: u64,
    appends_under_way: usize,
    /// Something was published since the last tick.
    busy: bool,
    /// A hub refused a delivery: compare positions at the next tick.
    compare: bool,
    closing: bool,
}

impl Room {
    pub(super) fn new(
        house: Arc<House>,
        channel: Channel,
        life: Life,
        home: WorkerIndex,
        ctx: &mut Context<Self>,
    ) -> Self {
        Self {
            rules: house.rules(&channel),
            ring: Ring::new(house.ring_bytes),
            told: ctx.address().recipient(),
            house,
            channel,
            life,
            home,
            people: People::default(),
            door: Door::default(),
            delivered: None,
            waiting: Vec::new(),
            reading: None,
            tickets: 0,
            appends_under_way: 0,
            busy: false,
            compare: false,
            closing: false,
        }
    }

    fn journal(&self) -> Option<&JournalHandle> {
        self.house.journal(&self.channel)
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wake_later();
        if self.rules.storage != Storage::None {
            self.read(Asked::Top, ctx);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.house.gone(&self.channel, self.life);
    }
}

impl Supervised for Room {
    /// Its people come from the hubs; it goes on from what the hubs were given last.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.people = People::default();
        self.ring.clear();
        self.door = Door::standing(self.delivered.clone());
        self.reading = None;
        self.appends_under_way = 0;
        for worker in 0..self.house.workers().len() {
            let channel = self.channel.clone();
            self.house.must_tell(worker, ToHub::Count { channel });
        }
        if self.closing {
            ctx.notify(End);
        }
        self.wake_later();
        if self.rules.storage != Storage::None {
            let asked = if self.delivered.is_some() { Asked::Gap } else { Asked::Top };
            self.read(asked, ctx);
        }
    }
}

impl Handler<Request> for Room {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        match request {
            Request::Subscribe(ask) => self.subscribe(ask, ctx),
            Request::Leave(leave) => self.leave(leave),
            Request::Publish(publish) => self.publish(*publish),
            // Who asks may have gone away meanwhile.
            Request::Presence(answer) => drop(answer.send(self.people.presence())),
            Request::PresenceStats(answer) => {
                let _ = answer.send(self.people.stats());
            }
            Request::Members(answer) => {
                let _ = answer.send(self.people.len() as u32);
            }
            Request::Census(census) => self.recount(census),
            Request::Tick => self.tick(ctx),
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
        self.closing = false;
        if self.is_idle() && !self.busy {
            ctx.stop();
        } else {
            self.house.keep(&self.channel, self.life);
            self.wake_later();
        }
    }
}
