//! The other nodes: which run lives, what each has read, and whether the bridge can be believed. Pure.
//!
//! Who lives is read from the journal's feed, where each run beats once a second. Whether the bridge delivers is
//! known by hearing: each run says its name on each shard of the bridge once a second, too, and a run that lives and
//! is not heard on one of them makes the bridge degraded, until it is heard again. (A node's own echo proves nothing:
//! left alone on the wrong server it hears itself and is heard by nobody.)

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use actix::Message;
use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
pub use places::Place;
use places::Places;

mod places;
#[cfg(test)]
mod tests;

/// A live run that was not heard on a shard for so long makes the bridge degraded: three of its calls.
pub const UNHEARD: Duration = Duration::from_secs(3);

/// Looks at the feed further apart than this were interrupted, whatever the reason: what was silent meanwhile
/// need not be dead.
const INTERRUPTED: Duration = Duration::from_secs(3);

/// How many leases a run that was declared dead is told so, should it beat again.
const EPITAPH: u32 = 6;

/// That run has said its name on that shard of the bridge.
#[derive(Message, Clone, Copy, PartialEq, Eq, Debug)]
#[rtype(result = "()")]
pub struct Heard {
    pub run: NodeId,
    pub shard: usize,
}

/// So many shards the bridge of this node has. 0: there is no bridge.
#[derive(Message, Clone, Copy, PartialEq, Eq, Debug)]
#[rtype(result = "()")]
pub struct Shards(pub usize);

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Info {
    /// `cluster.node_name`.
    pub name: String,
    pub version: String,
    /// A digest of its namespaces: nodes that differ treat the same channel differently.
    pub namespaces: String,
    /// Seconds since its start.
    pub uptime: u64,
    pub clients: u32,
    pub users: u32,
    pub subscriptions: u32,
    pub channels: u32,
}

/// What a run says once a second.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Beat {
    pub info: Info,
    /// The name that it has on the bridge; none: that of the run.
    pub voice: Option<NodeId>,
    /// It hears every live run on every shard of its bridge.
    pub trusts: bool,
    /// Of each run, the last note that it has read, and done what it says.
    pub passed: BTreeMap<NodeId, Place>,
    /// Runs that it has declared dead of late.
    pub buried: BTreeSet<NodeId>,
}

/// Another run that lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub run: NodeId,
    pub info: Info,
}

/// What follows from all that was heard.
#[derive(Message, Clone, PartialEq, Eq, Debug)]
#[rtype(result = "()")]
pub struct Outlook {
    /// The run that looks.
    pub me: NodeId,
    /// The others.
    pub live: Vec<Peer>,
    /// Those that died since the last look.
    pub died: Vec<NodeId>,
    pub bridge: Bridge,
    /// The feed has to be read often: somebody has no bridge that it can believe in.
    pub hurry: bool,
}

/// What the bridge is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bridge {
    /// There is none.
    Absent,
    /// Every live run is heard, and hears every other.
    Trusted,
    Degraded(Vec<Reason>),
}

/// Why the bridge is not believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    Unheard {
        name: String,
        shard: usize,
    },
    /// That node says so of its side.
    Distrusted {
        name: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unheard { name, shard } => {
                write!(f, "node {name} is not heard on shard {shard} of the bridge")
            }
            Self::Distrusted { name } => {
                write!(f, "node {name} does not hear every node on its bridge")
            }
        }
    }
}

/// All that is known of the others.
#[derive(Debug)]
pub struct Peers {
    me: NodeId,
    /// The name that this run had at first, and has on the bridge.
    voice: NodeId,
    lease: Duration,
    shards: usize,
    /// Since when there are so many.
    shards_since: Instant,
    runs: BTreeMap<NodeId, Run>,
    /// Declared dead, and when.
    buried: BTreeMap<NodeId, Instant>,
    /// Died, and nobody was told yet.
    died: Vec<NodeId>,
    /// Which notes were read here.
    places: Places,
    read_at: Option<Instant>,
    /// Since when the feed is read without interruption.
    reading_since: Option<Instant>,
}

#[derive(Debug)]
struct Run {
    beat: Beat,
    since: Instant,
    beat_at: Instant,
    heard: Vec<Option<Instant>>,
}

impl Peers {
    /// Knows nobody. A run that is silent for `lease` is dead.
    pub fn new(me: NodeId, lease: Duration, now: Instant) -> Self {
        Self {
            me,
            voice: me,
            lease,
            shards: 0,
            shards_since: now,
            runs: BTreeMap::new(),
            buried: BTreeMap::new(),
            died: Vec::new(),
            places: Places::default(),
            read_at: None,
            reading_since: None,
        }
    }

    /// This run.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// A look at the feed has come to its end: what was in it was said before. `whole`: nothing was left out of it.
    pub fn read(&mut self, whole: bool, now: Instant) {
        if whole {
            self.places.pass();
        }
        let on_time = self.read_at.is_some_and(|at| now.duration_since(at) < INTERRUPTED);
        if !on_time || self.reading_since.is_none() {
            self.reading_since = Some(now);
        }
        self.read_at = Some(now);
    }

    /// The feed could not be read: nobody's silence counts.
    pub fn read_failed(&mut self) {
        self.reading_since = None;
    }

    /// A run has beaten. True if it says that this run is dead: go on under `another` name then, since whoever
    /// buried it has done what follows a death.
    pub fn beat(&mut self, run: NodeId, beat: Beat, another: NodeId, now: Instant) -> bool {
        if run == self.me {
            return false;
        }
        self.buried.remove(&run);
        let renamed = beat.buried.contains(&self.me);
        if renamed {
            self.me = another;
        }
        match self.runs.get_mut(&run) {
            Some(known) => (known.beat, known.beat_at) = (beat, now),
            None => {
                let heard = Vec::new();
                self.runs.insert(run, Run { beat, since: now, beat_at: now, heard });
            }
        }
        renamed
    }

    /// A run has ended in good order.
    pub fn farewell(&mut self, run: NodeId) {
        if self.runs.remove(&run).is_some() {
            self.places.forget(run);
            self.died.push(run);
        }
    }

    /// A run was heard on a shard of the bridge. One that never beat is no peer.
    pub fn heard(&mut self, Heard { run, shard }: Heard, now: Instant) {
        let speaks = |(id, it): &(&NodeId, &mut Run)| it.beat.voice.unwrap_or(**id) == run;
        let found = self.runs.iter_mut().find(speaks).filter(|_| shard < self.shards);
        let Some((_, run)) = found else { return };
        if run.heard.len() <= shard {
            run.heard.resize(shard + 1, None);
        }
        run.heard[shard] = Some(now);
    }

    /// The bridge of this node has so many shards. They were told anew, so nothing was heard on them yet.
    pub fn shards(&mut self, Shards(shards): Shards, now: Instant) {
        if shards != self.shards {
            (self.shards, self.shards_since) = (shards, now);
            self.runs.values_mut().for_each(|run| run.heard.clear());
        }
    }

    /// What this run has to say of the others.
    pub fn say(&self, info: Info, now: Instant) -> Beat {
        let trusts = self.shards > 0 && self.unheard(now).next().is_none();
        let buried = self.buried.keys().copied().collect();
        let voice = (self.voice != self.me).then_some(self.voice);
        Beat { info, voice, trusts, passed: self.places.passed().clone(), buried }
    }

    /// What follows, as of now.
    pub fn look(&mut self, now: Instant) -> Outlook {
        self.bury(now);
        let live = self.runs.iter().map(|(run, it)| Peer { run: *run, info: it.beat.info.clone() });
        let distrusting = self.runs.values().filter(|run| !run.beat.trusts);
        let reasons: Vec<_> = self
            .unheard(now)
            .chain(distrusting.map(|run| Reason::Distrusted { name: run.beat.info.name.clone() }))
            .collect();
        let hurry = !reasons.is_empty();
        let bridge = match (self.shards, hurry) {
            (0, _) => Bridge::Absent,
            (_, false) => Bridge::Trusted,
            (_, true) => Bridge::Degraded(reasons),
        };
        let (live, died) = (live.collect(), std::mem::take(&mut self.died));
        Outlook { me: self.me, live, died, bridge, hurry }
    }

    /// Who should have been heard and was not.
    fn unheard(&self, now: Instant) -> impl Iterator<Item = Reason> + '_ {
        self.runs.values().flat_map(move |run| {
            let begun = run.since.max(self.shards_since);
            let last = move |shard: usize| run.heard.get(shard).copied().flatten().unwrap_or(begun);
            (0..self.shards)
                .filter(move |shard| now.saturating_duration_since(last(*shard)) >= UNHEARD)
                .map(|shard| Reason::Unheard { name: run.beat.info.name.clone(), shard })
        })
    }

    /// Declares dead who was silent for a lease, in the feed and on the bridge, while the feed was read.
    fn bury(&mut self, now: Instant) {
        let lease = self.lease;
        self.buried.retain(|_, at| now.saturating_duration_since(*at) < lease * EPITAPH);
        let Some(reading_since) = self.reading_since else { return };
        let silent = |run: &Run| {
            let heard = run.heard.iter().flatten().max().copied();
            let last = heard.unwrap_or(run.beat_at).max(run.beat_at).max(reading_since);
            now.saturating_duration_since(last) >= lease
        };
        let dead = self.runs.iter().filter(|(_, run)| silent(run)).map(|(run, _)| *run);
        for run in dead.collect::<Vec<_>>() {
            self.runs.remove(&run);
            self.places.forget(run);
            self.buried.insert(run, now);
            self.died.push(run);
        }
    }
}
