//! Following the feed: what other nodes have committed reaches rooms here, and who they are is known.
//!
//! An actor that looks each second, or more often while the bridge is not to be believed, and that beats each
//! second: a batch of its own in the journal, so that others see that this run lives and the node that it can commit.
//! What it has seen it tells the rooms as notices; a room that knew already does nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, SpawnHandle, Supervised};

use crate::{
    fail_point,
    ids::{Channel, NodeId},
    realtime::{
        barred::BarStore,
        bridge::Arrived,
        journal::{Changes, Cursor, HEADS_PAGE, Journal, writer::JournalHandle},
        namespace::Storage,
        peers::{Bridge, Peers, Place},
        session::{everywhere, host::Node},
    },
    supervisor,
};

mod about;
mod asking;
mod beating;
mod cluster;
mod handle;
mod hearing;
mod look;
mod telling;
mod words;

pub use about::About;
use asking::Asked;
pub use cluster::{Cluster, Condition};
pub use handle::FeedHandle;
use look::{Looked, Question, Seen, Stores};
use telling::Follower;
use words::{Note, Word};

/// How often a run says that it lives, and for what it trusts.
const BEAT: Duration = Duration::from_secs(1);

/// After a look that failed: a database that is back is found soon, and one that is not is not stormed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// What the bridge hears comes here by `try_send`: a word a second of each run and shard.
const MAILBOX: usize = 1024;

/// How often it looks, and when it takes another run for dead.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub usual: Duration,
    /// While the bridge is not trusted.
    pub hurried: Duration,
    pub lease: Duration,
}

/// The actor. Others hold a [`FeedHandle`].
pub struct Feed {
    node: Arc<Node>,
    journal: JournalHandle,
    pace: Pace,
    about: About,
    peers: Peers,
    cluster: Arc<Cluster>,
    cursor: Cursor,
    /// Of the journal, as of the last look.
    generation: Option<Arc<str>>,
    /// Rooms that have to be compared with the journal.
    compares: VecDeque<Channel>,
    /// More of them, of which the bridge says that it may have missed something.
    missed: BTreeSet<Channel>,
    /// Counts looks, so that one which was under way while the actor fell does not go on beside the next.
    looks: u64,
    /// When the last one that succeeded began.
    looked: Option<Instant>,
    /// The pause before the next look; none while one is under way.
    resting: Option<SpawnHandle>,
    /// The look under way began before something that has to be seen.
    looks_again: bool,
    /// Somebody waits for what the next look finds.
    hastens: bool,
    /// Counts beats, for the same reason.
    beats: u64,
    beating: bool,
    /// The one under way does not say what has to be said.
    beats_again: bool,
    /// Another node waits for the next one.
    is_awaited: bool,
    leaving: bool,
    failing: bool,
    followers: Vec<Follower>,
    asked: Asked,
    bars: Arc<dyn BarStore>,
    /// Something may have been barred of which nothing was heard.
    reloads: bool,
}

impl Feed {
    /// Starts to follow from a cursor that was taken before any room was opened.
    pub fn start(
        node: Arc<Node>,
        journal: &JournalHandle,
        bars: Arc<dyn BarStore>,
        (run, cursor): (NodeId, Cursor),
        arbiter: &ArbiterHandle,
    ) -> FeedHandle {
        let now = Instant::now();
        let settings = &node.settings.cluster;
        let pace = Pace {
            usual: settings.feed_interval,
            hurried: settings.feed_interval_degraded,
            lease: settings.lease,
        };
        let mut peers = Peers::new(run, pace.lease, now);
        let cluster = Cluster::new(peers.look(now), now);
        let feed = Self {
            about: About::of(&node.settings),
            node,
            journal: journal.clone(),
            pace,
            peers,
            cluster: cluster.clone(),
            cursor,
            generation: None,
            compares: VecDeque::new(),
            missed: BTreeSet::new(),
            looks: 0,
            looked: None,
            resting: None,
            looks_again: false,
            hastens: false,
            beats: 0,
            beating: false,
            beats_again: false,
            is_awaited: false,
            leaving: false,
            failing: false,
            followers: Vec::new(),
            asked: Asked::default(),
            bars,
            reloads: false,
        };
        let feed = supervisor::start("feed", MAILBOX, arbiter, move |_| feed);
        FeedHandle::new(feed, cluster)
    }

    // Looking.

    fn look(&mut self, me: Addr<Self>) {
        self.looks += 1;
        self.resting = None;
        let bars = self.reloads.then(|| (self.bars.clone(), self.node.now()));
        if self.compares.is_empty() {
            self.compares.extend(std::mem::take(&mut self.missed));
        }
        let compare: Vec<_> = self.compares.iter().take(HEADS_PAGE).cloned().collect();
        let journal: Arc<dyn Journal> = self.journal.journal().clone();
        let stores = Stores { journal, bars };
        let hastens = std::mem::take(&mut self.hastens);
        let patience = match self.cluster.outlook().bridge {
            Bridge::Absent => look::COMMIT_FIRST,
            _ if hastens => look::COMMIT_FIRST,
            Bridge::Degraded(_) => look::DOUBTED_FIRST,
            Bridge::Trusted => look::BRIDGE_FIRST,
        };
        let question = Question { cursor: self.cursor.clone(), compare, patience };
        actix_rt::spawn(look::look(stores, question, self.looks, me));
    }

    /// Something is in the feed that somebody waits for.
    fn look_soon(&mut self, ctx: &mut Context<Self>) {
        match self.resting {
            Some(rest) => {
                ctx.cancel_future(rest);
                self.look(ctx.address());
            }
            None => self.looks_again = true,
        }
    }

    /// The same, without waiting for the bridge to tell rooms first.
    fn look_now(&mut self, ctx: &mut Context<Self>) {
        self.hastens = true;
        self.look_soon(ctx);
    }

    /// The other nodes need not wait for their next look to see what was noted here.
    fn nudge(&self) {
        if let Some(bridge) = self.node.house.bridge() {
            bridge.nudge();
        }
    }

    /// Everything is told before the cursor moves: who falls over it tells it again.
    fn seen(&mut self, seen: Seen, now: Instant, me: &Addr<Self>) -> bool {
        let Seen { changes, compared, bars } = seen;
        let Changes { heads, notes, cursor, generation, hole } = changes;
        // They were read before the notes, which may change them.
        if let Some(bars) = bars {
            self.node.barred.replace(bars);
            self.node.users.act_on_all(&everywhere::recheck());
            self.reloads = false;
        }
        for noted in &notes {
            match Note::decode(&noted.note) {
                Some(note) => {
                    self.peers.noted(note.run, Place { writer: noted.writer, seq: noted.seq });
                    self.hear(note, now, me);
                }
                None => log::debug!("a note in the feed is of a kind that is not known here"),
            }
        }
        fail_point!("feed.seen");
        let compared_now = compared.len();
        for (channel, at) in heads {
            self.node.house.arrived(&channel, Arrived::Committed(at, None));
        }
        for (channel, at) in compared {
            self.node.house.stands(&channel, at);
        }
        self.compares.drain(..compared_now);
        let another = self.generation.as_ref().is_some_and(|before| *before != generation);
        if another {
            log::warn!("the journal has another history than before: every room looks into it");
        }
        if hole {
            log::warn!("a part of the feed is gone: every room looks into the journal");
        }
        if another || hole {
            self.compares = self.rooms();
            self.reloads = true;
        }
        let whole = !cursor.is_far_from(&self.cursor);
        self.peers.read(whole, now);
        let more = !whole || !self.compares.is_empty() || !self.missed.is_empty();
        (self.cursor, self.generation) = (cursor, Some(generation));
        more
    }

    /// Rooms of channels that are in the journal that is shared.
    fn rooms(&self) -> VecDeque<Channel> {
        let durable = |channel: &Channel| {
            let namespace = self.node.namespaces.resolve(channel);
            namespace.is_ok_and(|namespace| namespace.storage() == Storage::Durable)
        };
        self.node.house.channels().into_iter().filter(durable).collect()
    }

    fn hear(&mut self, Note { run, word }: Note, now: Instant, me: &Addr<Self>) {
        match word {
            Word::Order(order) => {
                order.carry_out(&self.node);
                self.beats_again = true;
                self.is_awaited |= run != self.peers.me();
            }
            Word::Question { number, pattern } if run != self.peers.me() => {
                self.answer(run, number, pattern, me.clone());
            }
            Word::Answer { to, number, found } if to == self.peers.me() => {
                self.asked.found(number, run, found);
            }
            Word::Question { .. } | Word::Answer { .. } => {}
            Word::Beat(beat) => {
                if self.peers.beat(run, beat, NodeId::new(), now) {
                    let name = self.peers.me();
                    log::warn!("other nodes took this one for dead: it goes on as run {name}");
                    self.beats_again = true;
                }
            }
            Word::Farewell if run == self.peers.me() => {}
            Word::Farewell => self.peers.farewell(run),
        }
    }

    fn failed(&mut self, why: &str) {
        self.node.metrics.feed_failures_total.inc();
        // Once, until it goes well again.
        if !std::mem::replace(&mut self.failing, true) {
            log::warn!("other nodes can't be followed at the moment: {why}");
        }
    }
}

impl Actor for Feed {
    type Context = Context<Self>;

    /// Also after a fall, which drops the timers and the message that would have gone on.
    fn started(&mut self, ctx: &mut Self::Context) {
        self.beating = false;
        self.look(ctx.address());
        self.beat(ctx.address());
        ctx.run_interval(BEAT, |feed, ctx| {
            feed.publish(Instant::now());
            feed.asked.settle(&feed.peers, Instant::now());
            feed.beat(ctx.address());
        });
    }
}

impl Supervised for Feed {}

impl Handler<Looked> for Feed {
    type Result = ();

    fn handle(&mut self, Looked { number, begun, seen }: Looked, ctx: &mut Self::Context) {
        if number != self.looks {
            return;
        }
        let now = Instant::now();
        let more = match seen {
            Ok(seen) => {
                let more = self.seen(seen, now, &ctx.address());
                self.cluster.has_read(now);
                self.failing = false;
                if let Some(before) = self.looked.replace(begun) {
                    let lag = now.saturating_duration_since(before);
                    self.node.metrics.feed_lag_seconds.observe(lag.as_secs_f64());
                }
                Some(more)
            }
            Err(why) => {
                self.peers.read_failed();
                self.failed(&why.0);
                None
            }
        };
        let outlook = self.publish(now);
        self.asked.settle(&self.peers, now);
        let looks_again = std::mem::take(&mut self.looks_again);
        let pause = match more {
            None => AFTER_FAILURE,
            Some(more) if more || looks_again => Duration::ZERO,
            Some(_) if outlook.hurry || self.asked.is_waiting() => self.pace.hurried,
            Some(_) => self.pace.usual,
        };
        if std::mem::take(&mut self.beats_again) {
            self.beat(ctx.address());
        }
        let rest = pause.saturating_sub(begun.elapsed());
        self.resting = Some(ctx.run_later(rest, |feed, ctx| feed.look(ctx.address())));
    }
}
