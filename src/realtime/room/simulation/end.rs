//! How a plan ends: what is under way arrives, and then everybody has to have everything.

use super::{MOST_TURNS, NODES, Step, World, Wrong};

impl World {
    /// Lets everything that is under way arrive, except what the bridge still has: that is lost.
    pub(super) fn come_to_rest(&mut self) {
        for node in 0..NODES {
            while !self.nodes[node].appends.is_empty() {
                self.step(Step::Commit(node));
            }
            while !self.nodes[node].committed.is_empty() {
                self.step(Step::Tell(node));
            }
            while !self.nodes[node].leaves.is_empty() {
                self.step(Step::GoodBye(node));
            }
            while !self.nodes[node].censuses.is_empty() {
                self.step(Step::Census(node));
            }
        }
        for (node, _) in std::mem::take(&mut self.bridge) {
            self.owed[node] = true;
        }
        for node in 0..NODES {
            if self.owed[node] && self.has_feed {
                self.feed(node);
            }
            for turn in 0.. {
                if self.nodes[node].reading.is_none() {
                    break;
                }
                if turn == MOST_TURNS {
                    self.wrong = Some(Wrong::Restless);
                    return;
                }
                self.answer(node);
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        let top = self.journal.len() as u64;
        for (number, member) in self.members.iter().enumerate() {
            if member.came != member.node {
                return Err(Wrong::LeftOut { member: number });
            }
            let Some(start) = member.start else { continue };
            let expected = self.journal.iter().skip(start as usize).take(member.record.len());
            if !member.record.iter().eq(expected) {
                let offsets = member.record.iter().map(|p| p.offset).collect();
                return Err(Wrong::Record { member: number, start, offsets });
            }
            let has = member.stands();
            if member.node.is_some() && has != top {
                return Err(Wrong::Short { member: number, has, top });
            }
        }
        let all_in = self.nodes.iter().all(|node| node.flow.is_idle());
        if all_in { Ok(()) } else { Err(Wrong::Restless) }
    }
}
