//! One room of the simulation: the real order of things, and a world that is told what follows.

use std::{collections::VecDeque, mem::size_of, rc::Rc, sync::Arc, time::Instant};

use super::{LIMITS, MEMBERS, Member, World, Wrong, at};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{ClientInfo, Encoding, Position, Publication},
    realtime::{
        journal::Page,
        room::{
            broadcast::Broadcast,
            flow::{Flow, Recovery, Step},
            members::{self as hub, Members},
            people::{CountNumber, People},
            request::Asked,
            seat::{Announced, Identity, SeatId, SubscriptionNumber, Wishes, WorkerIndex},
            tests::fake::{Ear, FakeSeat},
        },
    },
};

pub(super) struct Node {
    pub flow: Flow<Comer>,
    pub people: People,
    /// The one hub of this node.
    pub hub: Members,
    seats: [Option<(Rc<FakeSeat>, Ear)>; MEMBERS],
    /// Who the hub said is there, on the way to a room that fell.
    pub censuses: VecDeque<(CountNumber, Vec<(Identity, Announced)>)>,
    /// Good-byes of those who were in, on their way.
    pub leaves: VecDeque<Comer>,
    /// What the journal is asked, and its answer on the way.
    pub reading: Option<(Asked, Option<Page>)>,
    /// Sent to the journal.
    pub appends: VecDeque<Publication>,
    /// Committed, and the room does not know.
    pub committed: VecDeque<Arc<Publication>>,
    /// Deliveries that go well before it falls over one.
    pub trips_after: Option<usize>,
}

/// A member and the number of its subscription.
pub(super) type Comer = (usize, SubscriptionNumber);

/// The one worker thread of each node.
const WORKER: WorkerIndex = 0;

fn seat(member: usize) -> SeatId {
    SeatId::new(WORKER, member as u64)
}

impl Node {
    pub fn new() -> Self {
        let three_publications = 3 * (size_of::<Broadcast>() + 8);
        Self {
            flow: Flow::new(Channel::trusted("x"), three_publications, LIMITS),
            people: People::default(),
            hub: Members::default(),
            seats: Default::default(),
            censuses: VecDeque::new(),
            leaves: VecDeque::new(),
            reading: None,
            appends: VecDeque::new(),
            committed: VecDeque::new(),
            trips_after: None,
        }
    }
}

impl World {
    pub(super) fn arrive(&mut self, node: usize, publication: Arc<Publication>) {
        let offset = publication.offset;
        self.nodes[node].flow.arrive(&at(offset), Some(publication), Instant::now());
        self.go_on(node);
    }

    /// As the actor does it.
    pub(super) fn go_on(&mut self, node: usize) {
        while let Some(step) = self.nodes[node].flow.next() {
            match step {
                Step::Deliver { .. } if self.trips(node) => self.restart(node),
                Step::Deliver { broadcast, reaches } => {
                    self.hand_out(node, &broadcast);
                    if let Some(at) = reaches {
                        self.nodes[node].flow.reached(at);
                    }
                }
                Step::StartOver(_) => self.wrong = Some(Wrong::SentAway { node }),
                Step::Enter { comer, top, recovery, .. } => {
                    self.let_in(node, comer, &top, recovery)
                }
            }
        }
        if let Some(asked) = self.nodes[node].flow.wants() {
            self.nodes[node].reading = Some((asked, None));
            self.nodes[node].flow.asked();
        }
    }

    pub(super) fn restart(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.flow.fall();
        let there = node.hub.iter().map(|(seat, member)| {
            let (number, info) = (member.number, member.info.clone());
            (Identity { seat, number, info }, member.announced)
        });
        node.censuses.push_back((node.people.count(WORKER), there.collect()));
        node.flow.attend();
    }

    /// The hub's answer reaches the room.
    pub(super) fn census(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some((number, there)) = node.censuses.pop_front() {
            node.people.recount(WORKER, number, &there);
        }
    }

    /// A good-bye reaches the room.
    pub(super) fn good_bye(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some((member, number)) = node.leaves.pop_front() {
            node.people.leave(seat(member), number);
            node.hub.leave(seat(member), number);
        }
    }

    fn trips(&mut self, node: usize) -> bool {
        let left = self.nodes[node].trips_after;
        self.nodes[node].trips_after = left.and_then(|left| left.checked_sub(1));
        left == Some(0)
    }

    /// What goes out is next for everybody, or below where a member entered.
    fn hand_out(&mut self, node: usize, broadcast: &Broadcast) {
        let offset = broadcast.publication.offset;
        let here = |member: &Member| member.node == Some(node);
        for (number, member) in self.members.iter().enumerate().filter(|(_, m)| here(m)) {
            if offset > member.entered_at && offset != member.stands() + 1 {
                self.wrong.get_or_insert(Wrong::OutOfOrder { member: number, offset });
            }
        }
        let to = &mut self.nodes[node];
        if to.people.workers().is_empty() {
            return;
        }
        to.hub.deliver(broadcast, &Arc::default());
        for (member, place) in self.members.iter_mut().zip(&mut to.seats) {
            let heard = place.as_mut().map(|(_, ear)| ear.raw()).unwrap_or_default();
            if here(member) && !heard.is_empty() {
                member.record.push(broadcast.publication.clone());
            }
        }
    }

    fn let_in(&mut self, node: usize, (number, sub): Comer, top: &Position, recovery: Recovery) {
        let member = &mut self.members[number];
        match recovery {
            Recovery::None => member.start = Some(top.offset),
            Recovery::Whole(missed) => member.record.extend(missed),
            Recovery::TooWide { .. } => {
                self.wrong = Some(Wrong::NotRecovered { member: number });
                return;
            }
        }
        member.node = Some(node);
        member.entered_at = top.offset;
        let (node, info) = (&mut self.nodes[node], Arc::new(ClientInfo::default()));
        let who = Identity { seat: seat(number), number: sub, info: info.clone() };
        node.people.enter(&who, Announced::default());
        let wishes = Wishes { positioned: true, ..Wishes::default() };
        let place = node.seats[number].get_or_insert_with(|| FakeSeat::new(Encoding::Json));
        let to = place.0.clone();
        node.hub.enter(who.seat, hub::Member::new(to, sub, info, top.clone(), &wishes, false));
    }

    pub(super) fn answer(&mut self, node: usize) {
        self.snapshot(node);
        let Some((asked, Some(mut page))) = self.nodes[node].reading.take() else { return };
        if mutant!(RowsThenTop) {
            page.top = self.journal.len() as u64;
        }
        self.nodes[node].flow.page(asked, page, Instant::now());
        self.go_on(node);
    }
}
