//! One a worker thread: the members of every channel on this thread, and the tick that wakes deadlines.
//!
//! A room crosses to a worker once a message, not once a member; from here on everything stays on the
//! thread. Entering and leaving come in the same queue as deliveries, so a member gets exactly what
//! follows the position that its subscribe reply named.

use std::{collections::HashMap, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, Supervised};

use super::{
    broadcast::Broadcast,
    house::House,
    members::{Member, Members, announcement},
    people::CountNumber,
    request::{Leave, Request},
    roster::Roster,
    seat::{Identity, Notice, Seat, SeatId, SubscriptionNumber, Told, Wishes, WorkerIndex},
    wheel::TURN,
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{
        Close, NotJson, Outcome, Position, Push, Reply,
        push::{Event, Form},
        refusal::Refusal,
        reply::SubscribeResult,
    },
};

/// Messages a hub takes before rooms have to hold back. A room that is refused compares positions later.
pub const MAILBOX: usize = 64 * 1024;

/// How often a room compares its members with itself, and looks whether it can sleep.
const LOOK_AFTER: Duration = Duration::from_secs(15);

/// What rooms tell a hub.
#[derive(Message)]
#[rtype(result = "()")]
pub enum ToHub {
    /// A member enters, after its reply is queued.
    Enter(Box<Enter>),
    /// A subscription was refused.
    Refuse { channel: Channel, seat: SeatId, number: SubscriptionNumber, refusal: Refusal },
    /// A member leaves; `command` is the `unsubscribe` to reply to.
    Leave { channel: Channel, leave: Leave },
    /// A publication for all members.
    Deliver(Arc<Broadcast>),
    /// A join or leave, for those who asked.
    Announce { channel: Channel, event: Event },
    /// Where the room stands: members behind it for two such words in a row are told.
    Stand { channel: Channel, at: Position },
    /// What members know is not where the channel goes on: all who have a position must come back, the
    /// others go on from here.
    StartOver { channel: Channel, at: Position },
    /// Say who is here.
    Count { channel: Channel, number: CountNumber },
    /// Wake the room of this worker a while from now.
    WakeRoom { channel: Channel },
    /// Close all connections, so many at a time.
    Drain { batch: usize },
}

/// A member and its answer.
pub struct Enter {
    pub channel: Channel,
    pub who: Identity,
    pub wishes: Wishes,
    /// Where it stands once it has read `result`.
    pub position: u64,
    pub result: SubscribeResult,
    pub told: Told,
}

/// The members of one channel on one worker.
pub struct Census {
    pub worker: WorkerIndex,
    /// As it was asked with.
    pub number: CountNumber,
    pub members: Vec<(Identity, super::seat::Announced)>,
}

/// The actor.
pub struct Hub {
    house: Arc<House>,
    roster: Rc<Roster>,
    channels: HashMap<Channel, Members>,
}

impl Hub {
    /// For the thread that it is started on.
    pub fn new(house: Arc<House>, roster: Rc<Roster>) -> Self {
        Self { house, roster, channels: HashMap::new() }
    }

    fn keep_time(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(TURN, |hub, _| {
            let late = hub.roster.tick(|channel| hub.house.tick(&channel));
            let lag = hub.house.metrics.event_loop_lag_seconds.code(hub.roster.worker() as u32);
            lag.observe(late.as_secs_f64());
        });
    }

    fn enter(&mut self, enter: Enter) {
        let Enter { channel, who, wishes, position, result, told } = enter;
        let Identity { seat: id, number, info } = who;
        let good_bye = Leave { seat: id, number, command: None };
        let Some(seat) = self.roster.seat(id) else {
            self.house.good_bye(&channel, good_bye);
            return;
        };
        let knows_last = !result.publications.is_empty();
        let at = Position { epoch: result.epoch.clone(), offset: position };
        let (result, queued) = tell(&*seat, &channel, told, result);
        if queued.is_err() {
            seat.notice(Notice::Close(Close::INAPPROPRIATE_PROTOCOL));
            self.house.good_bye(&channel, good_bye);
            return;
        }
        let member = Member::new(seat.clone(), number, info, at, &wishes, knows_last);
        self.channels.entry(channel.clone()).or_default().enter(id, member);
        seat.notice(Notice::Entered { channel, number, result: Box::new(result) });
    }

    fn leave(&mut self, channel: Channel, leave: Leave) {
        let Leave { seat: id, number, command } = leave;
        self.remove(&channel, id, number);
        let Some(seat) = self.roster.seat(id) else { return };
        if let Some(command) = command
            && let Ok(bytes) =
                seat.encoding().reply(&Reply { id: command, outcome: Outcome::Unsubscribe })
        {
            seat.push(bytes);
        }
        seat.notice(Notice::Left { channel, number });
    }

    fn remove(&mut self, channel: &Channel, id: SeatId, number: SubscriptionNumber) {
        if let Some(members) = self.channels.get_mut(channel) {
            members.leave(id, number);
            if members.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    fn deliver(&mut self, broadcast: &Broadcast) {
        let Some(members) = self.channels.get_mut(&broadcast.channel) else { return };
        let done = members.deliver(broadcast, &self.house.scales);
        let metrics = &self.house.metrics;
        metrics.messages_out_total.inc_by(done.copies);
        metrics.fan_out_seconds.observe(broadcast.since.elapsed().as_secs_f64());
        for id in done.unable {
            if let Some(seat) = self.roster.seat(id) {
                seat.notice(Notice::Close(Close::INAPPROPRIATE_PROTOCOL));
            }
        }
        if !done.broken.is_empty() {
            self.house.metrics.order_broken_total.inc_by(done.broken.len() as u64);
            self.send_back(&broadcast.channel, done.broken);
        }
    }

    /// These members have to come back and recover.
    fn send_back(&mut self, channel: &Channel, ids: Vec<SeatId>) {
        for id in ids {
            let Some(member) = self.channels.get(channel).and_then(|m| m.get(id)) else { continue };
            let (seat, number) = (member.seat.clone(), member.number);
            self.remove(channel, id, number);
            seat.notice(Notice::Behind { channel: channel.clone(), number });
            self.house.good_bye(channel, Leave { seat: id, number, command: None });
        }
    }

    fn start_over(&mut self, channel: &Channel, at: &Position) {
        let Some(members) = self.channels.get_mut(channel) else { return };
        let positioned = members.start_over(at);
        self.send_back(channel, positioned);
    }

    fn compare(&mut self, channel: &Channel, at: &Position) {
        let Some(members) = self.channels.get_mut(channel) else { return };
        let behind = members.behind(at);
        self.house.metrics.member_behind_total.inc_by(behind.len() as u64);
        self.send_back(channel, behind);
    }

    fn count(&self, channel: Channel, number: CountNumber) {
        let members = self.channels.get(&channel).map_or_else(Vec::new, |members| {
            members
                .iter()
                .map(|(seat, m)| {
                    (Identity { seat, number: m.number, info: m.info.clone() }, m.announced)
                })
                .collect()
        });
        let census = Census { worker: self.roster.worker(), number, members };
        self.house.tell(&channel, Request::Census(census));
    }

    fn drain(&self, batch: usize) {
        let all = self.roster.ids().into_iter().filter_map(|id| self.roster.seat(id));
        for seat in all.filter(|seat| seat.is_open()).take(batch) {
            seat.notice(Notice::Close(Close::SHUTDOWN));
        }
    }
}

/// Tells a member that it has entered. Gives back what its session needs to know of the result.
fn tell(
    seat: &dyn Seat,
    channel: &Channel,
    told: Told,
    mut result: SubscribeResult,
) -> (SubscribeResult, Result<(), NotJson>) {
    let encoding = seat.encoding();
    match told {
        Told::Connect => (result, Ok(())),
        Told::Reply(id) => {
            let reply = Reply { id, outcome: Outcome::Subscribe(Box::new(result)) };
            let queued = encoding.reply(&reply).map(|bytes| seat.push_recovered(bytes));
            let Outcome::Subscribe(mut result) = reply.outcome else {
                return (SubscribeResult::default(), queued);
            };
            result.publications.clear();
            (*result, queued)
        }
        Told::Push => {
            let missed = std::mem::take(&mut result.publications);
            let position = result
                .positioned
                .then(|| Position { epoch: result.epoch.clone(), offset: result.offset });
            let subscribed = Event::Subscribe {
                position,
                recoverable: result.recoverable,
                positioned: result.positioned,
                data: result.data.clone(),
            };
            let said = missed.into_iter().map(|said| Event::Publication {
                publication: said.publication,
                epoch: None,
                form: Form::Plain,
            });
            let queued = std::iter::once(subscribed).chain(said).try_for_each(|event| {
                let push = Push { channel: channel.clone(), event };
                encoding.push(&push).map(|bytes| seat.push_recovered(bytes))
            });
            (result, queued)
        }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.keep_time(ctx);
    }
}

impl Supervised for Hub {
    /// Its members stay. What it was handling is lost, so each room compares. (`started` comes again.)
    fn restarting(&mut self, _: &mut Self::Context) {
        for channel in self.channels.keys().filter(|_| !mutant!(HubNotAudited)) {
            self.house.tell(channel, Request::Recount(self.roster.worker()));
        }
    }
}

impl Handler<ToHub> for Hub {
    type Result = ();

    fn handle(&mut self, message: ToHub, _: &mut Self::Context) {
        if let Some(worker) = self.house.workers().get(self.roster.worker()) {
            worker.taken();
        }
        match message {
            ToHub::Enter(enter) => self.enter(*enter),
            ToHub::Refuse { channel, seat, number, refusal } => {
                if let Some(seat) = self.roster.seat(seat) {
                    seat.notice(Notice::Refused { channel, number, refusal });
                }
            }
            ToHub::Leave { channel, leave } => self.leave(channel, leave),
            ToHub::Deliver(broadcast) => self.deliver(&broadcast),
            ToHub::Announce { channel, event } => {
                if let Some(members) = self.channels.get(&channel) {
                    members.announce(&announcement(channel, event), &self.house.scales);
                }
            }
            ToHub::Stand { channel, at } => self.compare(&channel, &at),
            ToHub::StartOver { channel, at } => self.start_over(&channel, &at),
            ToHub::Count { channel, number } => self.count(channel, number),
            ToHub::WakeRoom { channel } => self.roster.wake_room(channel, LOOK_AFTER),
            ToHub::Drain { batch } => self.drain(batch),
        }
    }
}
