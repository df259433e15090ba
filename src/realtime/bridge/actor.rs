//! The bridge's actor: which servers there are, what goes through which, and what to do when one breaks.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Supervised};
use bytes::Bytes;

mod counting;
mod presence;
mod servers;

pub(super) use presence::{Ask, Note, Who};
use presence::{FIRST_SWEEP, SWEEP};

use super::{
    Arrived, Ears, envelope,
    handle::{Options, Place},
    interest::{Interest, LinkId, Wish, Word},
    link::{Link, Spoken, Surroundings, Wished, publish},
    listener::Heard,
    names::Names,
};
use crate::{
    ids::{Channel, NodeId},
    platform::{metrics::Metrics, redis_client::slot},
};

/// How often it says that it lives, and looks whether others listen.
const TICK: Duration = Duration::from_secs(1);

/// How long a room waits for a server to confirm: after that the journal's feed has to do. Many times what a server
/// takes that is well; a client that comes back to many channels waits so long several times.
const CONFIRMS_WITHIN: Duration = Duration::from_millis(250);

/// How often a Sentinel or Cluster is asked who its servers are, while they answer.
const LOOK: Duration = Duration::from_secs(5);

/// The actor. Others hold a [`BridgeHandle`](super::BridgeHandle).
pub(super) struct Bridge {
    options: Options,
    metrics: Arc<Metrics>,
    with: Option<Surroundings>,
    links: Vec<Link>,
    last_id: LinkId,
    interest: Interest,
    /// Askings that were made, with their time.
    asked: VecDeque<(Instant, Channel, u64)>,
    /// Somebody asks who the servers are.
    is_looking: bool,
    looked: Option<Instant>,
    /// It was said that something is wrong.
    complained: bool,
    /// What members of this node are written down under: the run as the others know it.
    me: NodeId,
    /// Other runs that live, by the feed.
    live: HashSet<NodeId>,
    /// Redis may not know who is here.
    is_census_due: bool,
    /// It knows that this run may have members.
    is_written: bool,
    ticks: u64,
}

/// Somebody hears.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Open(pub Arc<dyn Ears>);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Listen(pub Channel);

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Unlisten(pub Channel);

/// Something for other nodes.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Say {
    pub channel: Channel,
    pub envelope: Bytes,
    pub place: Place,
}

/// Other nodes shall look into the feed.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Nudge;

/// Something for other nodes, whatever else waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Tell(pub Channel, pub Arrived);

/// What a command costs of which nobody counts the bytes.
const SMALL: usize = 256;

impl Bridge {
    pub fn new(options: Options, metrics: Arc<Metrics>) -> Self {
        Self {
            me: options.me,
            live: HashSet::new(),
            is_census_due: true,
            is_written: false,
            ticks: 0,
            options,
            metrics,
            with: None,
            links: Vec::new(),
            last_id: 0,
            interest: Interest::default(),
            asked: VecDeque::new(),
            is_looking: false,
            looked: None,
            complained: false,
        }
    }

    /// The link through which a channel goes.
    fn home(&self, channel: &Channel) -> Option<usize> {
        let with = self.with.as_ref()?;
        match with.options.is_sharded() {
            false => (!self.links.is_empty()).then_some(0),
            true => self.server(&with.names.channel(channel)),
        }
    }

    /// The link to the server of a name.
    fn server(&self, name: &str) -> Option<usize> {
        match self.options.redis.is_sharded() {
            false => (!self.links.is_empty()).then_some(0),
            true => {
                let slot = slot(name.as_bytes());
                let is_home =
                    |link: &Link| link.shard.slots.as_ref().is_some_and(|it| it.contains(slot));
                self.links.iter().position(is_home)
            }
        }
    }

    fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    fn tell(&self, words: impl IntoIterator<Item = Word>) {
        let Some(with) = &self.with else { return };
        for word in words {
            match word {
                Word::Listening(channel) => with.ears.listening(&channel),
                Word::Missed(channel) => with.ears.missed(&channel),
            }
        }
    }

    /// Sends what waits and asks for what is wished, wherever that can be done now.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let Some(with) = &self.with else { return };
        for link in &mut self.links {
            link.go_on_saying(ctx);
            let Some(most) = link.may_wish() else { continue };
            let wishes = self.interest.take(link.id, most);
            if wishes.is_empty() {
                continue;
            }
            let now = Instant::now();
            for wish in &wishes {
                if let Wish::Listen(channel, asking) = wish {
                    if self.asked.is_empty() {
                        ctx.run_later(CONFIRMS_WITHIN, Self::look_for_overdue);
                    }
                    self.asked.push_back((now, channel.clone(), *asking));
                }
            }
            link.wish(wishes, with, ctx);
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let Some(with) = &self.with else { return };
        for link in self.links.iter_mut().filter(|link| link.is_up()) {
            link.say_beacon(with, false);
            link.probe(with, ctx);
        }
        self.ticks += 1;
        if self.ticks % SWEEP == FIRST_SWEEP {
            self.sweep(ctx);
        }
        let is_due = self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK);
        if is_due && (self.links.is_empty() || with.options.moves()) {
            self.look(ctx);
        }
        self.count_members(ctx);
        self.go_on(ctx);
        self.count();
    }

    /// Rooms whose channels were asked for that long ago wait no longer.
    fn look_for_overdue(&mut self, ctx: &mut Context<Self>) {
        while let Some((since, ..)) = self.asked.front() {
            if let Some(left) = CONFIRMS_WITHIN.checked_sub(since.elapsed())
                && !left.is_zero()
            {
                ctx.run_later(left, Self::look_for_overdue);
                return;
            }
            if let Some((_, channel, asking)) = self.asked.pop_front() {
                let words = self.interest.overdue(&channel, asking);
                self.tell(words);
            }
        }
    }

    fn count(&self) {
        let up = self.links.iter().filter(|link| link.is_up()).count();
        self.metrics.bridge_links_up.set(up as i64);
        self.metrics.bridge_channels.set(self.interest.len() as i64);
    }

    /// Whether a message of that generation of a link still counts.
    fn is_current(&self, id: LinkId, generation: u64) -> bool {
        self.links.iter().any(|link| link.id == id && link.generation == generation)
    }
}

impl Actor for Bridge {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |bridge, ctx| bridge.tick(ctx));
        self.look(ctx);
    }
}

impl Supervised for Bridge {
    /// Which channels are wanted stands in the struct; all links are made anew.
    fn restarting(&mut self, _: &mut Self::Context) {
        for link in std::mem::take(&mut self.links) {
            let words = self.interest.down(link.id);
            self.tell(words);
            self.interest.forget(link.id);
        }
        // What waited was told just now.
        self.asked.clear();
        self.is_looking = false;
    }
}

impl Handler<Open> for Bridge {
    type Result = ();

    fn handle(&mut self, Open(ears): Open, ctx: &mut Self::Context) {
        self.with = Some(Surroundings {
            options: self.options.redis.clone(),
            names: Names::new(&self.options.prefix),
            me: self.options.me,
            ears,
            metrics: self.metrics.clone(),
            heard: Arc::new(Heard::default()),
        });
        self.look(ctx);
    }
}

impl Handler<Listen> for Bridge {
    type Result = ();

    fn handle(&mut self, Listen(channel): Listen, ctx: &mut Self::Context) {
        let link = self.home(&channel).and_then(|at| self.links.get(at));
        let link = link.filter(|link| link.is_up()).map(|link| link.id);
        let word = self.interest.listen(&channel, link);
        self.tell(word);
        self.go_on(ctx);
    }
}

impl Handler<Unlisten> for Bridge {
    type Result = ();

    fn handle(&mut self, Unlisten(channel): Unlisten, ctx: &mut Self::Context) {
        self.interest.unlisten(&channel);
        self.go_on(ctx);
    }
}

impl Handler<Nudge> for Bridge {
    type Result = ();

    fn handle(&mut self, _: Nudge, ctx: &mut Self::Context) {
        let Some(with) = &self.with else { return };
        // All hear all servers, so one of them does.
        if let Some(link) = self.links.iter_mut().find(|link| link.is_up()) {
            link.say_beacon(with, true);
        }
        self.go_on(ctx);
    }
}

impl Handler<Say> for Bridge {
    type Result = ();

    fn handle(&mut self, Say { channel, envelope, place }: Say, ctx: &mut Self::Context) {
        let home = self.home(&channel).filter(|at| self.links[*at].is_up());
        let (Some(at), Some(with)) = (home, &self.with) else {
            self.metrics.bridge_shed_total.of("unsaid").inc();
            return;
        };
        self.metrics.bridge_sent_total.inc();
        let command = publish(&with.options, &with.names.channel(&channel), &envelope);
        let link = &mut self.links[at];
        link.say(command, envelope.len(), Some(place));
        link.go_on_saying(ctx);
    }
}

impl Handler<Spoken> for Bridge {
    type Result = ();

    fn handle(&mut self, spoken: Spoken, ctx: &mut Self::Context) {
        if !self.is_current(spoken.link, spoken.generation) {
            return;
        }
        match spoken.result {
            Ok(()) => {
                if let Some(link) = self.link(spoken.link) {
                    link.spoken();
                }
                self.go_on(ctx);
            }
            Err(why) => self.lose(spoken.link, &why.0, ctx),
        }
    }
}

impl Handler<Wished> for Bridge {
    type Result = ();

    fn handle(&mut self, wished: Wished, ctx: &mut Self::Context) {
        if !self.is_current(wished.link, wished.generation) {
            return;
        }
        match wished.result {
            Ok(()) => {
                if let Some(link) = self.link(wished.link) {
                    link.wished();
                }
                let words = self.interest.confirmed(wished.wishes);
                self.tell(words);
                self.go_on(ctx);
            }
            Err(why) => self.lose(wished.link, &why.0, ctx),
        }
    }
}

impl Handler<Tell> for Bridge {
    type Result = ();

    fn handle(&mut self, Tell(channel, what): Tell, ctx: &mut Self::Context) {
        let home = self.home(&channel).filter(|at| self.links[*at].is_up());
        let (Some(at), Some(with)) = (home, &self.with) else { return };
        let envelope = envelope::seal(with.me, &what);
        let command = publish(&with.options, &with.names.channel(&channel), &envelope);
        self.links[at].say(command, envelope.len(), None);
        self.go_on(ctx);
    }
}
