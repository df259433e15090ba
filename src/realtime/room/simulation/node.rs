//! One room of the simulation: the pure parts, put together as the actor does it.

use std::{collections::VecDeque, mem::size_of, sync::Arc, time::Instant};

use super::{LIMITS, World, Wrong, epoch};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::{Position, Publication},
    realtime::{
        journal::Page,
        room::{
            broadcast::Broadcast,
            catch_up::{self, Gap, Source},
            door::{Door, Verdict},
            ring::Ring,
        },
    },
};

pub(super) struct Node {
    pub door: Door,
    pub ring: Ring,
    pub waiting: VecDeque<Waiting>,
    pub reading: Option<Reading>,
    /// Sent to the journal.
    pub appends: VecDeque<Publication>,
    /// Committed, and the room does not know.
    pub committed: VecDeque<Arc<Publication>>,
}

pub(super) struct Waiting {
    pub member: usize,
    pub recover: Option<Position>,
    pub is_fresh: bool,
}

pub(super) struct Reading {
    pub asked: Asked,
    pub page: Option<Page>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Top,
    Gap(u64),
    Missed(u64),
}

impl Node {
    pub fn new() -> Self {
        Self {
            door: Door::default(),
            // Three publications.
            ring: Ring::new(3 * (size_of::<Broadcast>() + 8)),
            waiting: VecDeque::new(),
            reading: None,
            appends: VecDeque::new(),
            committed: VecDeque::new(),
        }
    }
}

impl World {
    pub(super) fn arrive(&mut self, node: usize, publication: Arc<Publication>) {
        let door = &mut self.nodes[node].door;
        let verdict = door.arrive(&epoch(), publication.offset, Some(publication));
        self.follow(node, verdict);
        self.look(node);
    }

    pub(super) fn follow(&mut self, node: usize, verdict: Verdict) {
        match verdict {
            Verdict::Deliver(next) => next.iter().for_each(|p| self.deliver(node, p)),
            Verdict::StartOver(_) => self.wrong = Some(Wrong::SentAway { node }),
            Verdict::Read | Verdict::Nothing => {}
        }
    }

    fn deliver(&mut self, node: usize, publication: &Arc<Publication>) {
        let (channel, now) = (Channel::trusted("x"), Instant::now());
        let broadcast = Broadcast::new(channel, publication.clone(), &epoch(), None, now);
        self.nodes[node].ring.push(Arc::new(broadcast));
        self.hand_out(node, publication);
    }

    pub(super) fn hand_out(&mut self, node: usize, publication: &Arc<Publication>) {
        for member in self.members.iter_mut().filter(|m| m.node == Some(node)) {
            if publication.offset > member.entered_at {
                member.record.push(publication.clone());
            }
        }
    }

    pub(super) fn look(&mut self, node: usize) {
        let door = &self.nodes[node].door;
        if door.is_behind() {
            let after = door.at().map(|at| at.offset);
            self.read(node, after.map_or(Asked::Top, Asked::Gap));
        }
    }

    fn read(&mut self, node: usize, asked: Asked) {
        let node = &mut self.nodes[node];
        if node.reading.is_none() {
            node.reading = Some(Reading { asked, page: None });
            node.door.asked();
            node.waiting.iter_mut().for_each(|waiting| waiting.is_fresh = true);
        }
    }

    pub(super) fn answer(&mut self, node: usize) {
        self.snapshot(node);
        let Some(Reading { asked, page: Some(mut page) }) = self.nodes[node].reading.take() else {
            return;
        };
        if mutant!(RowsThenTop) {
            page.top = self.journal.len() as u64;
        }
        let after = match asked {
            Asked::Top => None,
            Asked::Gap(after) | Asked::Missed(after) => Some(after),
        };
        let verdict = self.nodes[node].door.page(&page, after);
        self.follow(node, verdict);
        if let Asked::Missed(after) = asked {
            self.merge(node, &page, after);
        }
        self.attend(node);
    }

    fn merge(&mut self, node: usize, page: &Page, after: u64) {
        let Some(at) = self.nodes[node].door.at().cloned() else { return };
        self.nodes[node].ring.warm(&at, page, &Channel::trusted("x"));
        for _ in 0..self.nodes[node].waiting.len() {
            let Some(waiting) = self.nodes[node].waiting.pop_front() else { return };
            let source = Source { page, after, is_fresh: waiting.is_fresh };
            let ring = &self.nodes[node].ring;
            let stood = waiting.recover.as_ref();
            match stood.map(|stood| catch_up::merge(&at, ring, stood, source, LIMITS)) {
                Some(gap) => self.settle(node, waiting, gap),
                None => self.nodes[node].waiting.push_back(waiting),
            }
        }
    }

    pub(super) fn attend(&mut self, node: usize) {
        if let Some(at) = self.nodes[node].door.at().cloned() {
            for _ in 0..self.nodes[node].waiting.len() {
                let Some(waiting) = self.nodes[node].waiting.pop_front() else { break };
                let gap = match &waiting.recover {
                    None => {
                        self.members[waiting.member].start = Some(at.offset);
                        Gap::Whole { missed: Vec::new(), top: at.clone() }
                    }
                    Some(stood) => catch_up::look(&at, &self.nodes[node].ring, stood, LIMITS),
                };
                self.settle(node, waiting, gap);
            }
        }
        self.look(node);
        let stood = self.nodes[node].waiting.iter().filter_map(|w| w.recover.as_ref());
        if let Some(oldest) = stood.map(|at| at.offset).min() {
            self.read(node, Asked::Missed(oldest));
        }
    }

    fn settle(&mut self, node: usize, waiting: Waiting, gap: Gap) {
        match gap {
            Gap::Whole { missed, top } => {
                let member = &mut self.members[waiting.member];
                member.node = Some(node);
                member.entered_at = top.offset;
                member.record.extend(missed);
            }
            Gap::TooWide { .. } => {
                self.wrong = Some(Wrong::NotRecovered { member: waiting.member });
            }
            Gap::Ask => {
                self.nodes[node].waiting.push_back(Waiting { is_fresh: false, ..waiting });
            }
        }
    }
}
