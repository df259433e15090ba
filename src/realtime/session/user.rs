//! A user who has a connection on this node: knows the devices, enforces how many there may be.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, Handler,
    Message, Recipient, Supervised, WrapFuture,
};
use tokio::{sync::oneshot, time::sleep};

use super::{
    act::Act,
    elsewhere::{Elsewhere, RECOUNT, RETRY},
};
use crate::{
    ids::{ClientId, UserId},
    realtime::directory::{Absent, Directory, Life},
    supervisor,
};

/// Requests that a user's actor takes before it says "try again".
const MAILBOX: usize = 1024;

/// Users that are counted anew at a time, and the pause after them.
const COUNTED_AT_A_TIME: usize = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// All users of this node.
pub struct Users {
    directory: Directory<UserId, User, Request>,
    arbiters: OnceLock<Vec<ArbiterHandle>>,
    /// Connections of one user at a time; 0: any number.
    most_devices: usize,
    /// Where other nodes tell of theirs, if there is a limit and a way to them.
    elsewhere: Option<Elsewhere>,
}

/// One connection of a user.
pub struct Device {
    pub client: ClientId,
    pub session: Recipient<Act>,
    /// Whether it has answered its last ping. One that has not does not count against the limit: a
    /// device that lost its network comes back before its old connection is missed.
    pub answers: Arc<AtomicBool>,
}

/// What a user's actor is asked.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Request {
    /// A device connects; the answer says whether it may.
    Join {
        device: Device,
        may: Option<oneshot::Sender<bool>>,
    },
    Leave(ClientId),
    /// Tell the other nodes how many devices there are.
    Count,
    /// Something that the server does to one or all of its connections.
    Act(Act),
}

impl Users {
    /// A user may have `most_devices`, 0: any number; together with those `elsewhere`.
    pub fn new(most_devices: usize, elsewhere: Option<Elsewhere>) -> Arc<Self> {
        let elsewhere = elsewhere.filter(|_| most_devices > 0);
        let (directory, arbiters) = (Directory::new(), OnceLock::new());
        Arc::new(Self { directory, arbiters, most_devices, elsewhere })
    }

    /// Tells the other nodes again and again how many devices everybody has here, if they are to know.
    pub async fn keep_counting(self: Arc<Self>) {
        let Some(elsewhere) = self.elsewhere.clone() else { return };
        for turn in 1u64.. {
            sleep(RETRY).await;
            for user in elsewhere.untold() {
                if let Err(Absent::NotThere(_)) =
                    self.directory.send_if_there(&user, Request::Count)
                {
                    elsewhere.tell(&user, 0);
                }
            }
            let everybody = if turn % RECOUNT == 0 { self.directory.names() } else { Vec::new() };
            for users in everybody.chunks(COUNTED_AT_A_TIME) {
                for user in users.iter().filter(|user| !user.is_anonymous()) {
                    // One that has no room for it is busy with people who come and go, and tells of those.
                    let _ = self.directory.send_if_there(user, Request::Count);
                }
                sleep(PAUSE).await;
            }
        }
    }

    /// How many devices a user may have, if there is a limit. All who are nobody are not one user.
    fn most(&self, user: &UserId) -> Option<usize> {
        (self.most_devices > 0 && !user.is_anonymous()).then_some(self.most_devices)
    }

    /// The worker threads have started.
    pub fn open(&self, arbiters: Vec<ArbiterHandle>) {
        drop(self.arbiters.set(arbiters));
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.directory.len()
    }

    /// Requests that wait for users, all together.
    pub fn waiting(&self) -> usize {
        self.directory.unheard()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.directory.is_empty()
    }

    /// A device connects. None: it may, at once. Some: an answer will come. Err: the user's actor is too busy.
    pub fn join(
        self: &Arc<Self>,
        user: &UserId,
        device: Device,
    ) -> Result<Option<oneshot::Receiver<bool>>, TooBusy> {
        let (may, answer) = self.most(user).map(|_| oneshot::channel()).unzip();
        self.directory
            .send(user, Request::Join { device, may }, |life| self.start(user, life))
            .map_err(|_| TooBusy)?;
        Ok(answer)
    }

    /// A device is gone.
    pub fn leave(&self, user: &UserId, client: ClientId) {
        self.directory.must_send_if_there(user, Request::Leave(client));
    }

    /// Does something to the connections of a user. Nobody there: nothing to do.
    pub fn act(&self, user: &UserId, act: Act) {
        self.directory.must_send_if_there(user, Request::Act(act));
    }

    /// Does something to the connections of everybody: one message a user.
    pub fn act_on_all(&self, act: &Act) {
        self.directory.names().iter().for_each(|user| self.act(user, act.clone()));
    }

    fn start(self: &Arc<Self>, user: &UserId, life: Life) -> Addr<User> {
        let arbiters = self.arbiters.get().map_or(&[][..], |all| all);
        let home = self.directory.spread(user) % arbiters.len().max(1);
        let (users, id) = (self.clone(), user.clone());
        supervisor::start("user", MAILBOX, &arbiters[home], move |_| User {
            users,
            id,
            life,
            devices: HashMap::new(),
            asking: 0,
            told: 0,
            closing: false,
        })
    }
}

/// The user's actor has no room for another request.
#[derive(Debug)]
pub struct TooBusy;

/// The actor.
pub struct User {
    users: Arc<Users>,
    id: UserId,
    life: Life,
    devices: HashMap<ClientId, Device>,
    /// Devices of which the other nodes have not said yet whether they may come.
    asking: usize,
    /// What the other nodes were told last.
    told: usize,
    closing: bool,
}

impl User {
    /// Devices that have answered their last ping.
    fn answering(&self) -> usize {
        self.devices.values().filter(|device| device.answers.load(Ordering::Relaxed)).count()
    }

    /// A device wants to come in: decided here if it can be, else by what the other nodes say.
    fn join(
        &mut self,
        device: Device,
        may: Option<oneshot::Sender<bool>>,
        ctx: &mut Context<Self>,
    ) {
        let (client, most) = (device.client, self.users.most(&self.id));
        let here = most.map_or(0, |_| self.answering());
        let has_room = most.is_none_or(|most| here < most);
        if has_room {
            // It counts from now on: the next must not come in on the same place.
            self.devices.insert(client, device);
        }
        let Some(may) = may else { return };
        let (true, Some(elsewhere), Some(most)) = (has_room, &self.users.elsewhere, most) else {
            let _ = may.send(has_room);
            return;
        };
        let answer = elsewhere.may_come(&self.id, here, most);
        (self.asking, self.told) = (self.asking + 1, here + 1);
        ctx.spawn(answer.into_actor(self).map(move |has_room, user, ctx| {
            user.asking -= 1;
            if !has_room {
                user.devices.remove(&client);
                // It was not counted.
                user.told = user.told.saturating_sub(1);
            }
            let _ = may.send(has_room);
            user.tell_if_changed();
            user.rest_if_alone(ctx);
        }));
    }

    /// Tells the other nodes how many are here, if that is not what they know; those who wait to come in are told of first.
    fn tell_if_changed(&mut self) {
        let is_told = self.users.elsewhere.is_some() && self.asking == 0;
        if is_told && self.answering() != self.told {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if let Some(elsewhere) = self.users.elsewhere.as_ref().filter(|_| !self.id.is_anonymous()) {
            self.told = self.answering();
            elsewhere.tell(&self.id, self.told);
        }
    }

    /// Nobody is left: the user sleeps.
    fn rest_if_alone(&mut self, ctx: &mut Context<Self>) {
        let is_alone = self.devices.is_empty() && self.asking == 0;
        if is_alone && self.users.directory.closing(&self.id, self.life) {
            self.closing = true;
            ctx.notify(End);
        }
    }
}

impl Actor for User {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        let users = self.users.clone();
        let id = self.id.clone();
        self.users.directory.gone(&self.id, self.life, move |life| users.start(&id, life));
    }
}

impl Supervised for User {
    /// Its devices are what it knows; those that have gone meanwhile have said so in the mailbox.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.devices.retain(|_, device| device.session.connected());
        // What was asked is forgotten, and who waited for it is told to try again.
        self.asking = 0;
        self.tell_if_changed();
        if self.closing {
            ctx.notify(End);
        } else {
            self.rest_if_alone(ctx);
        }
    }
}

impl Handler<Request> for User {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        self.users.directory.heard();
        match request {
            Request::Join { device, may } => {
                self.join(device, may, ctx);
                self.rest_if_alone(ctx);
            }
            Request::Leave(client) => {
                self.devices.remove(&client);
                self.tell_if_changed();
                self.rest_if_alone(ctx);
            }
            Request::Count if self.asking == 0 => self.tell(),
            Request::Count => {}
            Request::Act(act) => {
                for device in self.devices.values().filter(|d| act.is_for(d.client)) {
                    // One for each device of one call of the server's API.
                    #[allow(clippy::disallowed_methods)]
                    device.session.do_send(act.clone());
                }
            }
        }
    }
}

/// Nothing comes after this in the mailbox.
#[derive(Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for User {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        self.closing = false;
        if self.devices.is_empty() && self.asking == 0 {
            ctx.stop();
        } else {
            self.users.directory.keep(&self.id, self.life);
        }
    }
}
