//! Three rooms of one channel, as on three nodes, over one journal and a bridge that loses, doubles and reorders.
//!
//! Each room has the real [`Flow`](super::flow::Flow) and [`People`](super::people::People), and a hub the real
//! [`Members`](super::members::Members). Plans of random steps drive them, and shrink when they fail. One property:
//! when all is quiet, each member's record is start + 1 .. top, each once, equal to the journal; nobody was sent away,
//! since nothing is ever removed here.
//!
//! The parts come with their mutants. A simulation that does not find one of those proves nothing.

use std::{sync::Arc, time::Instant};

use node::Node;

use super::{catch_up::Limits, request::Asked, seat::SubscriptionNumber};
use crate::{
    platform::mutant::mutant,
    protocol::{Epoch, Payload, Position, Publication},
    realtime::journal::{Direction, Page, Range},
};

mod end;
mod node;
mod plan;

const NODES: usize = 3;
const MEMBERS: usize = 6;

/// More than any plan can miss: who is told that it missed too much was told wrong.
const LIMITS: Limits = Limits { publications: 1_000, bytes: 1 << 20 };

/// Publications from before the plan.
const SAID_BEFORE: u64 = 8;

/// Small, so that gaps take more than one page.
const PAGE: usize = 3;

/// So many turns are enough for any plan to come to rest.
const MOST_TURNS: usize = 1_000;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody publishes through that node.
    Publish(usize),
    /// The journal commits what that node sent first.
    Commit(usize),
    /// The writer tells that node's room of its first commit.
    Tell(usize),
    /// The bridge delivers one message, in any order; it may keep it to deliver it again.
    Arrive {
        which: usize,
        again: bool,
    },
    /// The bridge loses one.
    Lose(usize),
    /// The feed tells a node the journal's top.
    Feed(usize),
    /// The read of that node takes its snapshot.
    Snapshot(usize),
    /// Its page reaches the room.
    Answer(usize),
    /// A member enters at the top, if it never did; else it comes back to that node with its position.
    Come {
        member: usize,
        node: usize,
    },
    /// A room is told that a member will come back.
    Expect {
        member: usize,
        node: usize,
    },
    Leave(usize),
    /// The good-bye of one that was in reaches the room; until then it may have come back.
    GoodBye(usize),
    /// A hub's word of who is there reaches a room that fell.
    Census(usize),
    /// A room falls over what it is told first, and is restarted.
    Fall(usize),
    /// A room will fall over a delivery, after so many that go well.
    Trip {
        node: usize,
        after: usize,
    },
}

/// What must never be.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// A member's record is not what the journal has from its start on.
    Record { member: usize, start: u64, offsets: Vec<u64> },
    /// Something at its end is missing.
    Short { member: usize, has: u64, top: u64 },
    /// A member was told that it can't be recovered.
    NotRecovered { member: usize },
    /// A room said that a part of its history is gone.
    SentAway { node: usize },
    /// Something went out that is not what a member has to hear next.
    OutOfOrder { member: usize, offset: u64 },
    /// A member came and was forgotten.
    LeftOut { member: usize },
    /// It does not come to rest.
    Restless,
}

struct World {
    /// A node alone has none: nobody else publishes.
    has_feed: bool,
    journal: Vec<Arc<Publication>>,
    nodes: Vec<Node>,
    members: Vec<Member>,
    /// (to, what).
    bridge: Vec<(usize, Arc<Publication>)>,
    /// The bridge lost something for that node: the feed has to tell it.
    owed: [bool; NODES],
    published: u64,
    wrong: Option<Wrong>,
}

#[derive(Default)]
struct Member {
    /// The node that it came to and did not leave.
    came: Option<usize>,
    /// Counts its subscriptions.
    number: SubscriptionNumber,
    /// The node that it is in.
    node: Option<usize>,
    start: Option<u64>,
    /// Where it was let in last: its hub drops what is not above.
    entered_at: u64,
    record: Vec<Arc<Publication>>,
}

impl Member {
    /// Offset of the last publication that it has.
    fn stands(&self) -> u64 {
        self.start.unwrap_or(0) + self.record.len() as u64
    }
}

fn epoch() -> Epoch {
    Epoch::new("e")
}

fn at(offset: u64) -> Position {
    Position { epoch: epoch(), offset }
}

impl World {
    fn new(nodes: usize) -> Self {
        let mut world = Self {
            has_feed: nodes > 1 && !mutant!(LastWordDropped),
            journal: Vec::new(),
            nodes: Vec::new(),
            members: (0..MEMBERS).map(|_| Member::default()).collect(),
            bridge: Vec::new(),
            owed: [false; NODES],
            published: 0,
            wrong: None,
        };
        // Something was said before, and some were there and left again.
        for _ in 0..SAID_BEFORE {
            let publication = world.said();
            world.commit(publication);
        }
        for (start, member) in (0..SAID_BEFORE).step_by(3).zip(&mut world.members) {
            member.start = Some(start);
        }
        for node in 0..NODES {
            world.nodes.push(Node::new());
            world.go_on(node);
        }
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(node) => {
                let publication = self.said();
                self.nodes[node].appends.push_back(publication);
            }
            Step::Commit(node) => {
                let Some(publication) = self.nodes[node].appends.pop_front() else { return };
                let publication = self.commit(publication);
                self.nodes[node].committed.push_back(publication);
            }
            Step::Tell(node) => self.tell(node),
            Step::Arrive { which, again } => {
                let Some(which) = which.checked_rem(self.bridge.len()) else { return };
                let (node, publication) = self.bridge[which].clone();
                if !again {
                    self.bridge.remove(which);
                }
                self.arrive(node, publication);
            }
            Step::Lose(which) => {
                let Some(which) = which.checked_rem(self.bridge.len()) else { return };
                let (node, _) = self.bridge.remove(which);
                self.owed[node] = true;
            }
            Step::Feed(node) if self.has_feed => self.feed(node),
            Step::Feed(_) => {}
            Step::Snapshot(node) => self.snapshot(node),
            Step::Answer(node) => self.answer(node),
            Step::Come { member, node } => self.come(member, node),
            Step::Expect { member, node } => self.expect(member, node),
            Step::Leave(member) => self.leave(member),
            Step::GoodBye(node) => self.good_bye(node),
            Step::Census(node) => self.census(node),
            Step::Fall(node) => self.fall(node),
            Step::Trip { node, after } => self.nodes[node].trips_after = Some(after),
        }
    }

    // The world around a room.

    fn said(&mut self) -> Publication {
        self.published += 1;
        // Eight bytes.
        let data = Payload::json(format!("\"{:06}\"", self.published).into());
        Publication { data, ..Publication::default() }
    }

    fn commit(&mut self, publication: Publication) -> Arc<Publication> {
        let offset = self.journal.len() as u64 + 1;
        let publication = Arc::new(Publication { offset, ..publication });
        self.journal.push(publication.clone());
        publication
    }

    /// It falls over the first of its commits: neither it nor the other nodes hear of that.
    fn fall(&mut self, node: usize) {
        if self.nodes[node].committed.pop_front().is_some() {
            (0..NODES).filter(|other| *other != node).for_each(|other| self.owed[other] = true);
        }
        self.restart(node);
        self.go_on(node);
    }

    fn tell(&mut self, node: usize) {
        let Some(publication) = self.nodes[node].committed.pop_front() else { return };
        for other in (0..NODES).filter(|other| *other != node) {
            self.bridge.push((other, publication.clone()));
        }
        let position = at(publication.offset);
        self.nodes[node].flow.committed(&position, Some(publication), Instant::now());
        self.go_on(node);
    }

    fn feed(&mut self, node: usize) {
        let top = self.journal.len() as u64;
        if top > 0 {
            self.nodes[node].flow.arrive(&at(top), None, Instant::now());
            self.go_on(node);
        }
    }

    fn page(&self, after: u64, limit: usize, top: u64) -> Page {
        let rows = self.journal.iter().filter(|p| p.offset > after).take(limit);
        Page { epoch: epoch(), top, publications: rows.cloned().collect() }
    }

    fn snapshot(&mut self, node: usize) {
        let Some((asked, _)) = self.nodes[node].reading else { return };
        let range = match asked {
            Asked::Top => Range { limit: 0, ..LIMITS.range(0) },
            Asked::Gap(after) => Range { limit: PAGE, ..LIMITS.range(after) },
            Asked::Missed(after) => LIMITS.range(after),
        };
        let Direction::After(after) = range.direction else { return };
        let page = self.page(after, range.limit, self.journal.len() as u64);
        if let Some((_, answer)) = &mut self.nodes[node].reading {
            answer.get_or_insert(page);
        }
    }

    fn come(&mut self, member: usize, node: usize) {
        self.leave(member);
        let it = &mut self.members[member];
        let stood = it.start.map(|_| at(it.stands()));
        it.came = Some(node);
        it.number += 1;
        self.nodes[node].flow.enter((member, it.number), stood, false);
        self.go_on(node);
    }

    fn expect(&mut self, member: usize, node: usize) {
        let it = &self.members[member];
        let stood = it.start.map(|_| at(it.stands()));
        self.nodes[node].flow.expect(stood.as_ref());
        self.go_on(node);
    }

    fn leave(&mut self, member: usize) {
        let it = &mut self.members[member];
        let (came, was_in) = (it.came.take(), it.node.take().is_some());
        let Some(node) = came else { return };
        let who = (member, it.number);
        self.nodes[node].flow.leave(|waiting| *waiting == who);
        if was_in {
            self.nodes[node].leaves.push_back(who);
        }
    }
}

/// Plays a plan of that many nodes to its end.
fn play(plan: &[Step], nodes: usize) -> Result<(), Wrong> {
    let mut world = World::new(nodes);
    for step in plan {
        world.step(*step);
    }
    world.come_to_rest();
    match world.wrong.take() {
        Some(wrong) => Err(wrong),
        None => world.check(),
    }
}
