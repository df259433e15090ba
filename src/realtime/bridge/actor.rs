//! The bridge's actor: which servers there are, what goes through which, and what to do when one breaks.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Supervised};
use bytes::Bytes;

use super::{
    Ears,
    beacon::Names,
    envelope,
    handle::{Options, Place},
    interest::{Interest, LinkId, Wish, Word},
    link::{Link, LinkLost, LinkOpened, Spoken, State, Surroundings, Wished},
};
use crate::{
    ids::Channel,
    platform::{
        metrics::Metrics,
        redis_client::{Shard, Unreachable, slot},
    },
};

/// How often it says that it lives, and looks whether others listen.
const TICK: Duration = Duration::from_secs(1);

/// How long a room waits for a server to confirm: after that the journal's feed has to do.
const CONFIRMS_WITHIN: Duration = Duration::from_secs(1);

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

/// Who the servers are.
#[derive(Message)]
#[rtype(result = "()")]
struct Found(Result<Vec<Shard>, Unreachable>);

impl Bridge {
    pub fn new(options: Options, metrics: Arc<Metrics>) -> Self {
        Self {
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
            true => {
                let slot = slot(with.names.channel(channel).as_bytes());
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
        let is_sharded = with.options.is_sharded();
        for link in &mut self.links {
            link.go_on_saying(is_sharded, ctx);
            let Some(most) = link.may_wish() else { continue };
            let wishes = self.interest.take(link.id, most);
            if wishes.is_empty() {
                continue;
            }
            let now = Instant::now();
            for wish in &wishes {
                if let Wish::Listen(channel, asking) = wish {
                    self.asked.push_back((now, channel.clone(), *asking));
                }
            }
            link.wish(wishes, with, ctx);
        }
    }

    /// Asks who the servers are, unless somebody does.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(with) = self.with.as_ref().filter(|_| !self.is_looking) else { return };
        self.is_looking = true;
        self.looked = Some(Instant::now());
        let (options, me) = (with.options.clone(), ctx.address());
        actix_rt::spawn(async move {
            let found = options.shards().await;
            #[allow(clippy::disallowed_methods, reason = "one at a time")]
            me.do_send(Found(found));
        });
    }

    /// The servers are these: links to those that stay are kept, the others go.
    fn adopt(&mut self, shards: Vec<Shard>, ctx: &mut Context<Self>) {
        let Some(with) = &self.with else { return };
        if self.links.iter().map(|link| &link.shard).eq(&shards) {
            return;
        }
        let mut old = std::mem::take(&mut self.links);
        for (index, shard) in shards.into_iter().enumerate() {
            let same = |it: &Link| {
                it.index == index && (&it.shard.host, it.shard.port) == (&shard.host, shard.port)
            };
            match old.iter().position(same) {
                Some(at) => {
                    let mut link = old.swap_remove(at);
                    link.shard = shard;
                    self.links.push(link);
                }
                None => {
                    self.last_id += 1;
                    let mut link = Link::new(self.last_id, shard, index);
                    link.open(with, ctx);
                    self.links.push(link);
                }
            }
        }
        with.ears.shards(self.links.len());
        log::info!("{} of {}", self.links.len(), with.options.place());
        for gone in old {
            let words = self.interest.down(gone.id);
            self.tell(words);
            self.interest.forget(gone.id);
        }
        let mut interest = std::mem::take(&mut self.interest);
        interest.moved(|channel| {
            let link = self.home(channel).and_then(|at| self.links.get(at))?;
            Some((link.id, link.is_up()))
        });
        self.interest = interest;
        self.go_on(ctx);
        self.count();
    }

    fn lose(&mut self, id: LinkId, why: &str, ctx: &mut Context<Self>) {
        let Some(link) = self.link(id) else { return };
        let was_up = link.is_up();
        let (pause, unsaid) = link.lost();
        let words = self.interest.down(id);
        self.tell(words);
        self.metrics.bridge_shed_total.of("unsaid").inc_by(unsaid as u64);
        if was_up {
            self.metrics.bridge_broken_total.inc();
        }
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!(
                "a server of Redis can't be reached, messages of other nodes come by the journal: {why}"
            );
        }
        self.count();
        ctx.run_later(pause, move |bridge, ctx| bridge.retry(id, ctx));
    }

    fn retry(&mut self, id: LinkId, ctx: &mut Context<Self>) {
        let Some(with) = &self.with else { return };
        let moves = with.options.moves();
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else { return };
        if matches!(link.state, State::Down) {
            link.open(with, ctx);
        }
        if moves {
            self.look(ctx);
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        while let Some((since, ..)) = self.asked.front()
            && now.duration_since(*since) >= CONFIRMS_WITHIN
            && let Some((_, channel, asking)) = self.asked.pop_front()
        {
            let word = self.interest.overdue(&channel, asking);
            self.tell(word);
        }
        let Some(with) = &self.with else { return };
        for link in self.links.iter_mut().filter(|link| link.is_up()) {
            let name = with.names.beacon(link.shard.slots.as_ref());
            link.say(name.into(), envelope::beacon(with.me), None);
            link.probe(ctx);
        }
        let is_due = self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK);
        if is_due && (self.links.is_empty() || with.options.moves()) {
            self.look(ctx);
        }
        self.go_on(ctx);
        self.count();
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

impl Handler<Say> for Bridge {
    type Result = ();

    fn handle(&mut self, Say { channel, envelope, place }: Say, ctx: &mut Self::Context) {
        let home = self.home(&channel).filter(|at| self.links[*at].is_up());
        let (Some(at), Some(with)) = (home, &self.with) else {
            self.metrics.bridge_shed_total.of("unsaid").inc();
            return;
        };
        self.metrics.bridge_sent_total.inc();
        let is_sharded = with.options.is_sharded();
        let link = &mut self.links[at];
        link.say(with.names.channel(&channel).into(), envelope, Some(place));
        link.go_on_saying(is_sharded, ctx);
    }
}

impl Handler<Found> for Bridge {
    type Result = ();

    fn handle(&mut self, Found(found): Found, ctx: &mut Self::Context) {
        self.is_looking = false;
        match found {
            Ok(shards) => self.adopt(shards, ctx),
            Err(why) if !std::mem::replace(&mut self.complained, true) => {
                log::warn!(
                    "Redis can't be reached, messages of other nodes come by the journal: {why}"
                );
            }
            Err(_) => {}
        }
    }
}

impl Handler<LinkOpened> for Bridge {
    type Result = ();

    fn handle(&mut self, opened: LinkOpened, ctx: &mut Self::Context) {
        let LinkOpened { link: id, generation, result } = opened;
        if !self.is_current(id, generation) {
            return;
        }
        match result {
            Ok(connections) => {
                if let Some(link) = self.link(id) {
                    link.opened(connections);
                }
                if std::mem::take(&mut self.complained) {
                    log::info!("Redis can be reached again");
                }
                // What was wished while it was opening had no link yet.
                let mut interest = std::mem::take(&mut self.interest);
                interest.moved(|channel| {
                    let link = self.home(channel).and_then(|at| self.links.get(at))?;
                    Some((link.id, false))
                });
                interest.up(id);
                self.interest = interest;
                self.go_on(ctx);
                self.count();
            }
            Err(why) => self.lose(id, &why.0, ctx),
        }
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

impl Handler<LinkLost> for Bridge {
    type Result = ();

    fn handle(&mut self, lost: LinkLost, ctx: &mut Self::Context) {
        if self.is_current(lost.link, lost.generation) {
            self.lose(lost.link, &lost.why, ctx);
        }
    }
}
