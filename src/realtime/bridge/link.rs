//! The way to one Redis server: a connection that says and one that listens, and what they carry.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actix::{Addr, AsyncContext, Context, Message};
use redis::{Cmd, Pipeline, PushInfo, PushKind, Value, aio::MultiplexedConnection, cmd};

use super::{
    Ears,
    actor::Bridge,
    envelope,
    handle::Place,
    interest::{LinkId, Wish},
    listener::{Heard, Listener},
    names::Names,
    registry,
};
use crate::{
    fail_point,
    ids::NodeId,
    platform::{
        metrics::Metrics,
        redis_client::{Options, Shard, Unreachable},
    },
};

/// Messages in one write to Redis, at most.
const MOST_SAID: usize = 1024;

/// Bytes of them, at most: what Redis takes in about a millisecond. One always fits.
const MOST_SAID_BYTES: usize = 1024 * 1024;

/// Channels that are asked for in one write.
const MOST_WISHES: usize = 1024;

/// The first pause before a server is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One life of a link's connections: what an older one still says does not count.
pub(super) type Generation = u64;

/// A server and the way to it.
pub(super) struct Link {
    pub id: LinkId,
    pub shard: Shard,
    /// Which of the servers it is, in the order of their slots.
    pub index: usize,
    pub generation: Generation,
    pub state: State,
    /// What the data of the server was marked with when it was looked at last.
    mark: Option<String>,
    waiting: VecDeque<Waiting>,
    is_saying: bool,
    is_wishing: bool,
    pause: Duration,
}

/// A command that waits to be sent; its bytes are those of its arguments.
struct Waiting {
    command: Cmd,
    bytes: usize,
    _place: Option<Place>,
}

pub(super) enum State {
    Down,
    Opening,
    Up(Connections),
}

/// Both ways of one link.
pub(super) struct Connections {
    say: MultiplexedConnection,
    listen: MultiplexedConnection,
}

/// A link was opened, or not.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkOpened {
    pub link: LinkId,
    pub generation: Generation,
    pub result: Result<Connections, Unreachable>,
}

/// Redis took what was said, or did not.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Spoken {
    pub link: LinkId,
    pub generation: Generation,
    pub result: Result<(), Broken>,
}

/// It does what was asked of it, or does not.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Wished {
    pub link: LinkId,
    pub generation: Generation,
    pub wishes: Vec<Wish>,
    pub result: Result<(), Broken>,
}

/// A connection of the link is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkLost {
    pub link: LinkId,
    pub generation: Generation,
    pub why: String,
}

/// What the data of a server is marked with.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkMarked {
    pub link: LinkId,
    pub generation: Generation,
    pub mark: Option<String>,
}

/// Why a link is of no more use as it is.
#[derive(Debug)]
pub(super) struct Broken(pub String);

/// The command that says something to all who listen.
pub(super) fn publish(options: &Options, name: &str, envelope: &[u8]) -> Cmd {
    let mut command = cmd(if options.is_sharded() { "SPUBLISH" } else { "PUBLISH" });
    command.arg(name).arg(envelope);
    command
}

impl Link {
    pub fn new(id: LinkId, shard: Shard, index: usize) -> Self {
        Self {
            id,
            shard,
            index,
            generation: 0,
            state: State::Down,
            mark: None,
            waiting: VecDeque::new(),
            is_saying: false,
            is_wishing: false,
            pause: FIRST_PAUSE,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Opens both connections, in a task that comes back as a [`LinkOpened`].
    pub fn open(&mut self, with: &Surroundings, ctx: &mut Context<Bridge>) {
        self.generation += 1;
        self.state = State::Opening;
        let (link, generation) = (self.id, self.generation);
        let (options, shard, me) = (with.options.clone(), self.shard.clone(), ctx.address());
        let ear = Listener {
            ears: with.ears.clone(),
            names: with.names.clone(),
            metrics: with.metrics.clone(),
            heard: with.heard.clone(),
            me: with.me,
            index: self.index,
        };
        let bridge = me.clone();
        let lost = move |push: &PushInfo| {
            if push.kind == PushKind::Disconnection {
                let why = "the connection was closed".into();
                tell(&bridge, LinkLost { link, generation, why });
            }
        };
        let beacon = with.names.beacon(self.shard.slots.as_ref());
        actix_rt::spawn(async move {
            let opening = async {
                let lost_too = lost.clone();
                let say = options.connect(&shard, move |push| lost(&push)).await?;
                let hear = move |push: PushInfo| {
                    lost_too(&push);
                    ear.hear(push);
                };
                let mut listen = options.connect(&shard, hear).await?;
                let command = if options.is_sharded() { "SSUBSCRIBE" } else { "SUBSCRIBE" };
                cmd(command).arg(beacon).query_async::<Value>(&mut listen).await?;
                Ok(Connections { say, listen })
            };
            let result = opening.await;
            tell(&me, LinkOpened { link, generation, result });
        });
    }

    /// Both connections stand.
    pub fn opened(&mut self, connections: Connections) {
        self.state = State::Up(connections);
        self.pause = FIRST_PAUSE;
        (self.is_saying, self.is_wishing) = (false, false);
    }

    /// They do not any more; how long to wait before they are tried again. Who was spoken to last may not have heard.
    pub fn lost(&mut self) -> (Duration, usize) {
        self.state = State::Down;
        // What is still on its way belongs to the generation that is gone.
        self.generation += 1;
        let pause = self.pause.mul_f64(0.5 + rand::random::<f64>());
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let unsaid = self.waiting.len();
        self.waiting.clear();
        (pause, unsaid)
    }

    /// Puts a command behind what waits.
    pub fn say(&mut self, command: Cmd, bytes: usize, place: Option<Place>) {
        self.waiting.push_back(Waiting { command, bytes, _place: place });
    }

    /// Puts a sign of life behind what waits.
    pub fn say_beacon(&mut self, with: &Surroundings, look: bool) {
        let name = with.names.beacon(self.shard.slots.as_ref());
        let beacon = envelope::beacon(with.me, look);
        self.say(publish(&with.options, &name, &beacon), beacon.len(), None);
    }

    /// Sends what waits, unless something is under way: then more gathers meanwhile.
    pub fn go_on_saying(&mut self, ctx: &mut Context<Bridge>) {
        let State::Up(connections) = &self.state else { return };
        if self.is_saying || self.waiting.is_empty() {
            return;
        }
        self.is_saying = true;
        let mut pipeline = redis::pipe();
        let mut said = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front()
            && (said.is_empty()
                || (said.len() < MOST_SAID && bytes + next.bytes <= MOST_SAID_BYTES))
            && let Some(mut next) = self.waiting.pop_front()
        {
            bytes += next.bytes;
            pipeline.add_command(std::mem::take(&mut next.command)).ignore();
            said.push(next);
        }
        let mut say = connections.say.clone();
        let (link, generation, me) = (self.id, self.generation, ctx.address());
        actix_rt::spawn(async move {
            let result = run(&pipeline, &mut say).await;
            fail_point!("bridge.sent");
            drop(said);
            tell(&me, Spoken { link, generation, result });
        });
    }

    /// Asks the server something, past what waits.
    pub fn ask(&self, command: Cmd) -> impl Future<Output = Option<Value>> + use<> {
        let say = match &self.state {
            State::Up(connections) => Some(connections.say.clone()),
            _ => None,
        };
        async move {
            let answer = command.query_async::<Value>(&mut say?).await;
            answer.inspect_err(|why| log::debug!("Redis did not answer: {why}")).ok()
        }
    }

    /// The server answered to what was said.
    pub fn spoken(&mut self) {
        self.is_saying = false;
    }

    /// Whether it can be asked for more channels.
    pub fn may_wish(&self) -> Option<usize> {
        (self.is_up() && !self.is_wishing).then_some(MOST_WISHES)
    }

    /// Asks the server to listen to these, or to stop.
    pub fn wish(&mut self, wishes: Vec<Wish>, with: &Surroundings, ctx: &mut Context<Bridge>) {
        let State::Up(connections) = &self.state else { return };
        self.is_wishing = true;
        let is_sharded = with.options.is_sharded();
        let mut pipeline = redis::pipe();
        for wish in &wishes {
            let (command, channel) = match (wish, is_sharded) {
                (Wish::Listen(channel, _), false) => ("SUBSCRIBE", channel),
                (Wish::Listen(channel, _), true) => ("SSUBSCRIBE", channel),
                (Wish::Unlisten(channel), false) => ("UNSUBSCRIBE", channel),
                (Wish::Unlisten(channel), true) => ("SUNSUBSCRIBE", channel),
            };
            pipeline.cmd(command).arg(with.names.channel(channel)).ignore();
        }
        let mut listen = connections.listen.clone();
        let (link, generation, me) = (self.id, self.generation, ctx.address());
        actix_rt::spawn(async move {
            let result = run(&pipeline, &mut listen).await;
            tell(&me, Wished { link, generation, wishes, result });
        });
    }

    /// The server answered to what was wished.
    pub fn wished(&mut self) {
        self.is_wishing = false;
    }

    /// Asks whether both ways still lead somewhere, which nothing else would show, and what its data is marked with.
    pub fn probe(&self, with: &Surroundings, ctx: &mut Context<Bridge>) {
        let State::Up(connections) = &self.state else { return };
        let mut listen = connections.listen.clone();
        let mut say = connections.say.clone();
        let (link, generation, me) = (self.id, self.generation, ctx.address());
        let slots = self.shard.slots.as_ref();
        let mark = registry::mark(&with.names, slots, NodeId::new()).command;
        let marked = registry::marked(&with.names, slots).command;
        actix_rt::spawn(async move {
            let probe = async {
                cmd("PING").query_async::<Value>(&mut listen).await?;
                let mut pipeline = redis::pipe();
                pipeline.add_command(mark).ignore().add_command(marked);
                pipeline.query_async::<(Option<String>,)>(&mut say).await
            };
            match probe.await {
                Ok((mark,)) => tell(&me, LinkMarked { link, generation, mark }),
                Err(why) => tell(&me, LinkLost { link, generation, why: why.to_string() }),
            }
        });
    }

    /// The mark was read. True if the data is not that which was written to before.
    pub fn marked(&mut self, mark: Option<String>) -> bool {
        let is_another = self.mark != mark;
        self.mark = mark;
        is_another
    }
}

/// What links need of the bridge.
pub(super) struct Surroundings {
    pub options: Options,
    pub names: Names,
    pub me: NodeId,
    pub ears: Arc<dyn Ears>,
    pub metrics: Arc<Metrics>,
    pub heard: Arc<Heard>,
}

async fn run(pipeline: &Pipeline, on: &mut MultiplexedConnection) -> Result<(), Broken> {
    pipeline.query_async::<()>(on).await.map_err(|why| Broken(why.to_string()))
}

fn tell<M>(bridge: &Addr<Bridge>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
    Bridge: actix::Handler<M>,
{
    #[allow(clippy::disallowed_methods, reason = "at most a few of each kind for each link")]
    bridge.do_send(message);
}
