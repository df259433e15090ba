//! One room of the simulation: the real order of things, and a world that is told what follows.

use std::{collections::VecDeque, mem::size_of, sync::Arc, time::Instant};

use super::{LIMITS, World, Wrong, at};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{Position, Publication},
    realtime::{
        journal::Page,
        room::{
            broadcast::Broadcast,
            flow::{Flow, Recovery, Step},
            request::Asked,
        },
    },
};

pub(super) struct Node {
    /// Members by their number.
    pub flow: Flow<usize>,
    /// What the journal is asked, and its answer on the way.
    pub reading: Option<(Asked, Option<Page>)>,
    /// Sent to the journal.
    pub appends: VecDeque<Publication>,
    /// Committed, and the room does not know.
    pub committed: VecDeque<Arc<Publication>>,
    /// Deliveries that go well before it falls over one.
    pub trips_after: Option<usize>,
}

impl Node {
    pub fn new() -> Self {
        let three_publications = 3 * (size_of::<Broadcast>() + 8);
        Self {
            flow: Flow::new(Channel::trusted("x"), three_publications, LIMITS),
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
                    self.hand_out(node, &broadcast.publication);
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
        self.nodes[node].flow.fall();
        self.nodes[node].flow.attend();
    }

    fn trips(&mut self, node: usize) -> bool {
        let left = self.nodes[node].trips_after;
        self.nodes[node].trips_after = left.and_then(|left| left.checked_sub(1));
        left == Some(0)
    }

    /// The hub: members are in their order of entering, and nobody gets what is not above its entry.
    fn hand_out(&mut self, node: usize, publication: &Arc<Publication>) {
        for member in self.members.iter_mut().filter(|m| m.node == Some(node)) {
            if publication.offset > member.entered_at {
                member.record.push(publication.clone());
            }
        }
    }

    fn let_in(&mut self, node: usize, number: usize, top: &Position, recovery: Recovery) {
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
