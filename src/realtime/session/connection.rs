//! One device at one socket, as an actor: takes its commands in order, hears its rooms, keeps its deadlines.

use std::{
    any::Any,
    collections::BTreeMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::{Actor, ActorContext, AsyncContext, Handler, Message, StreamHandler};
use actix_web_actors::ws::{self, WebsocketContext};

use super::{
    act::Act,
    connect::Connecting,
    deadlines::{Deadlines, Fell},
    entering::Entering,
    frames::{Frames, Incoming},
    host::Host,
    line::Line,
    window::Window,
};
use crate::{
    ids::{Channel, ClientId, UserId},
    platform::tokens::Papers,
    protocol::{ClientInfo, Close, Command, Commands, Request},
    realtime::{
        journal::{AppendError, Appended},
        rates::Device,
        room::{
            request::Leave,
            seat::{Notice, Seat, SubscriptionNumber},
            wheel::WorkerTime,
        },
    },
};

/// What happens on a connection happens in here.
pub(super) type Ctx = WebsocketContext<Connection>;

/// The actor.
pub struct Connection {
    pub(super) host: Rc<Host>,
    pub(super) line: Rc<Line>,
    pub(super) stage: Stage,
    /// The rest of a frame whose commands are not all done. While there is one, the socket is not read.
    inbox: Option<Box<Inbox>>,
    pub(super) deadlines: Deadlines,
    /// Whether the peer pings by WebSocket frames instead of messages.
    pub(super) native_ping: bool,
    pub(super) awaits_pong: bool,
    /// Until the actor has started.
    frames: Option<Frames>,
    /// Held until `connect` was answered.
    pub(super) handshake: Option<Box<dyn Any>>,
}

struct Inbox {
    commands: Commands,
    next: Option<Command>,
}

/// How far it has come.
pub(super) enum Stage {
    /// Waits for `connect`.
    New,
    /// `connect` is under way.
    Connecting(Box<Connecting>),
    Open(Box<Open>),
    /// `connect` was refused: only the client's next try, on another socket, helps.
    Refused,
    Closed,
}

/// A connection that has connected.
pub(super) struct Open {
    pub client: ClientId,
    pub user: UserId,
    pub info: Arc<ClientInfo>,
    pub answers: Arc<AtomicBool>,
    pub subs: BTreeMap<Channel, Sub>,
    /// Names of the server-side subscriptions that came with the token: a new token has to have the same.
    pub token_subs: Vec<String>,
    /// What its token showed of itself.
    pub papers: Papers,
    pub window: Window,
    /// What it has taken of its limits.
    pub device: Device,
    /// Subscribes under way.
    pub entering: Entering,
    /// The command that is under way, if it is none of these.
    pub busy: Option<Busy>,
    /// Counts subscriptions and commands under way.
    pub count: u32,
}

/// A command under way.
pub(super) struct Busy {
    /// Tells its answer from a late one of an earlier command.
    pub number: u32,
    pub command: u32,
    pub what: Doing,
}

pub(super) enum Doing {
    Unsubscribe(Channel, SubscriptionNumber),
    /// A question to somebody; the answer comes as a future.
    Ask,
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Sub {
    pub number: SubscriptionNumber,
    /// The room has let it in.
    pub live: bool,
    pub server_side: bool,
    /// Who speaks here: with the info of the subscription's own token, if it has one.
    pub info: Arc<ClientInfo>,
    /// When it ends unless its token is refreshed.
    pub expires_at: Option<WorkerTime>,
}

/// A deadline has come.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Due;

/// A room said something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Noticed(pub Notice);

/// A publish has its outcome.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Published {
    pub number: u64,
    pub by_rpc: bool,
    pub since: std::time::Instant,
    pub outcome: Result<Appended, AppendError>,
}

impl Connection {
    pub fn new(
        host: Rc<Host>,
        line: Rc<Line>,
        frames: Frames,
        native_ping: bool,
        handshake: Box<dyn Any>,
    ) -> Self {
        let mut deadlines = Deadlines::default();
        deadlines.set(Fell::Stale, host.roster.now() + host.node.settings.client.stale_close_delay);
        Self {
            host,
            line,
            stage: Stage::New,
            inbox: None,
            deadlines,
            native_ping,
            awaits_pong: false,
            frames: Some(frames),
            handshake: Some(handshake),
        }
    }

    /// Does what can be done of the frame at hand, then reads on.
    pub(super) fn pump(&mut self, ctx: &mut Ctx) {
        while let Some(command) = self.next_command(ctx) {
            self.host.books.messages_in.set(self.host.books.messages_in.get() + 1);
            self.on_command(command, ctx);
        }
        self.line.set_full(self.inbox.is_some());
        self.file_deadlines();
    }

    /// The next command that may begin now.
    fn next_command(&mut self, ctx: &mut Ctx) -> Option<Command> {
        let inbox = self.inbox.as_mut()?;
        if inbox.next.is_none() {
            match inbox.commands.next() {
                Some(Ok(command)) => inbox.next = Some(command),
                Some(Err(malformed)) => {
                    log::debug!("a client's frame can't be read: {}", malformed.0);
                    self.close(Close::BAD_REQUEST, ctx);
                    return None;
                }
                None => {
                    self.inbox = None;
                    return None;
                }
            }
        }
        let most = self.host.node.settings.client.publish_window;
        let may_publish = |open: &Open| open.window.len() < most;
        let may_begin = match &self.stage {
            Stage::New => true,
            Stage::Connecting(_) => false,
            Stage::Open(open) if open.busy.is_some() => false,
            Stage::Open(open) => match &inbox.next.as_ref()?.request {
                Request::Pong => true,
                Request::Subscribe(_) => open.window.is_empty(),
                _ if !open.entering.is_empty() => false,
                Request::Publish { .. } => may_publish(open),
                Request::Rpc { method, .. } if method == super::publish::RPC_METHOD => {
                    may_publish(open)
                }
                _ => open.window.is_empty(),
            },
            // What follows a refused connect in its frame is dropped; another frame is an error.
            Stage::Refused | Stage::Closed => {
                self.inbox = None;
                return None;
            }
        };
        may_begin.then(|| inbox.next.take()).flatten()
    }

    fn on_frame(&mut self, message: bytes::Bytes, ctx: &mut Ctx) {
        match self.stage {
            Stage::Refused => return self.close(Close::BAD_REQUEST, ctx),
            Stage::Closed => return,
            _ => {}
        }
        let commands = self.line.encoding().commands(message);
        self.inbox = Some(Box::new(Inbox { commands, next: None }));
        self.pump(ctx);
    }

    /// The pong to our ping; one that we did not ask for is an error.
    pub(super) fn pong(&mut self, ctx: &mut Ctx) {
        if !std::mem::take(&mut self.awaits_pong) {
            return self.close(Close::BAD_REQUEST, ctx);
        }
        self.deadlines.clear(Fell::NoPong);
        if let Stage::Open(open) = &self.stage {
            open.answers.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn close(&mut self, close: Close, ctx: &mut Ctx) {
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        self.host.node.metrics.closed_total.code(close.code.into()).inc();
        self.good_bye();
        self.line.shut(&close);
        if close != Close::GOING_AWAY {
            let description = Some(close.reason.into_owned());
            ctx.close(Some(ws::CloseReason { code: ws::CloseCode::from(close.code), description }));
        }
        ctx.stop();
    }

    /// Leaves rooms and user. Once.
    fn good_bye(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        self.inbox = None;
        let (user, client, subs) = match stage {
            Stage::Open(open) => (open.user, open.client, open.subs),
            Stage::Connecting(connecting) => connecting.into_parts(),
            _ => return,
        };
        self.host.node.metrics.subscriptions.sub(subs.values().filter(|s| s.live).count() as i64);
        for (channel, sub) in subs {
            let leave = Leave { seat: self.line.id(), number: sub.number, command: None };
            self.host.node.house.good_bye(&channel, leave);
        }
        self.host.node.users.leave(&user, client);
    }
}

impl Actor for Connection {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.line.belongs_to(ctx.address());
        if let Some(frames) = self.frames.take() {
            ctx.add_stream(frames);
        }
        self.file_deadlines();
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.good_bye();
    }
}

impl StreamHandler<Incoming> for Connection {
    fn handle(&mut self, incoming: Incoming, ctx: &mut Self::Context) {
        match incoming {
            Incoming::Message(message) => self.on_frame(message, ctx),
            Incoming::Ping(bytes) => ctx.pong(&bytes),
            Incoming::Pong if self.native_ping => self.pong(ctx),
            Incoming::Pong => {}
            Incoming::Close => {
                // The answer that RFC 6455 asks for; then the peer closes its socket.
                ctx.close(None);
                self.line.peer_went();
                self.good_bye();
                self.line.shut(&Close::GOING_AWAY);
                ctx.stop();
            }
            Incoming::TooBig => self.close(Close::MESSAGE_TOO_BIG, ctx),
            Incoming::Broken(why) => {
                log::debug!("a client broke the WebSocket protocol: {why}");
                self.close(Close { code: 1002, reason: why.into() }, ctx);
            }
        }
    }

    /// The peer is gone.
    fn finished(&mut self, ctx: &mut Self::Context) {
        if !matches!(self.stage, Stage::Closed) {
            self.line.peer_went();
            self.close(Close::GOING_AWAY, ctx);
        }
    }
}

/// The context's own reader is given nothing to read: see [`Frames`](super::frames::Frames).
impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Connection {
    fn handle(&mut self, _: Result<ws::Message, ws::ProtocolError>, _: &mut Self::Context) {}
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Due> for Connection {
    type Result = ();
    fn handle(&mut self, _: Due, ctx: &mut Self::Context) {
        self.on_due(ctx);
    }
}

impl Handler<Noticed> for Connection {
    type Result = ();
    fn handle(&mut self, Noticed(notice): Noticed, ctx: &mut Self::Context) {
        self.on_notice(notice, ctx);
        self.file_deadlines();
    }
}

impl Handler<Published> for Connection {
    type Result = ();
    fn handle(&mut self, published: Published, ctx: &mut Self::Context) {
        self.on_published(published, ctx);
    }
}

impl Handler<Act> for Connection {
    type Result = ();
    fn handle(&mut self, act: Act, ctx: &mut Self::Context) {
        self.on_act(act.deed, ctx);
        self.file_deadlines();
    }
}
