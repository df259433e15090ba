//! A user who has a connection on this node: knows the devices, enforces how many there may be.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, Supervised};
use actix::{Addr, ArbiterHandle};
use tokio::sync::oneshot;

use super::act::Act;
use crate::{
    ids::{ClientId, UserId},
    realtime::directory::{Directory, Life},
    supervisor,
};

/// Requests that a user's actor takes before it says "try again".
const MAILBOX: usize = 1024;

/// All users of this node.
pub struct Users {
    directory: Directory<UserId, User, Request>,
    arbiters: OnceLock<Vec<ArbiterHandle>>,
    /// Connections of one user at a time; 0: any number.
    most_devices: usize,
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
    /// Something that the server does to one or all of its connections.
    Act(Act),
}

impl Users {
    pub fn new(most_devices: usize) -> Arc<Self> {
        Arc::new(Self { directory: Directory::new(), arbiters: OnceLock::new(), most_devices })
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
        let (may, answer) = match self.most_devices {
            0 => (None, None),
            _ => {
                let (may, answer) = oneshot::channel();
                (Some(may), Some(answer))
            }
        };
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
    closing: bool,
}

impl User {
    fn has_room(&self) -> bool {
        let most = self.users.most_devices;
        most == 0
            || self.devices.values().filter(|d| d.answers.load(Ordering::Relaxed)).count() < most
    }

    /// Nobody is left: the user sleeps.
    fn rest_if_alone(&mut self, ctx: &mut Context<Self>) {
        if self.devices.is_empty() && self.users.directory.closing(&self.id, self.life) {
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
                let has_room = self.has_room();
                if has_room {
                    self.devices.insert(device.client, device);
                }
                if let Some(may) = may {
                    let _ = may.send(has_room);
                }
                self.rest_if_alone(ctx);
            }
            Request::Leave(client) => {
                self.devices.remove(&client);
                self.rest_if_alone(ctx);
            }
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
        if self.devices.is_empty() {
            ctx.stop();
        } else {
            self.users.directory.keep(&self.id, self.life);
        }
    }
}
