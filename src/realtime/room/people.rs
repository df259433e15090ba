//! Who is in a room, as the room knows it: for presence, counts, and whom to send what. Pure.
//!
//! After a fall of the room or of a hub the two may differ, so the hub is asked who is there. Its answer
//! shows the moment at which it handled the question: who entered or left after the question was sent
//! stays as the room knows it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{
    request::PresenceStats,
    seat::{Announced, Identity, SeatId, SubscriptionNumber, WorkerIndex},
};
use crate::{
    platform::mutant::mutant,
    protocol::{ClientInfo, reply::PresenceResult},
};

#[cfg(test)]
mod tests;

/// Numbers the questions that a room asks hubs.
pub type CountNumber = u64;

/// Everybody who has entered and not left.
#[derive(Default, Debug)]
pub struct People {
    here: HashMap<SeatId, Person>,
    by_worker: BTreeMap<WorkerIndex, u32>,
    /// Workers that were asked and have not answered.
    counting: BTreeMap<WorkerIndex, Count>,
    counts: CountNumber,
}

#[derive(Debug)]
struct Person {
    number: SubscriptionNumber,
    info: Arc<ClientInfo>,
    announced: Announced,
    /// The last question that was asked before it entered.
    since: CountNumber,
}

#[derive(Debug)]
struct Count {
    number: CountNumber,
    /// Who left since the question.
    left: HashSet<(SeatId, SubscriptionNumber)>,
}

impl People {
    /// Somebody enters, or enters again under a newer number.
    pub fn enter(&mut self, who: &Identity, announced: Announced) {
        self.insert(who, announced, self.counts);
    }

    /// Removes somebody, if this is still the subscription that is meant.
    pub fn leave(
        &mut self,
        seat: SeatId,
        number: SubscriptionNumber,
    ) -> Option<(Arc<ClientInfo>, Announced)> {
        if let Some(count) = self.counting.get_mut(&seat.worker()) {
            count.left.insert((seat, number));
        }
        if self.here.get(&seat)?.number != number && !mutant!(LeaveWithoutNumber) {
            return None;
        }
        self.remove(seat).map(|person| (person.info, person.announced))
    }

    /// A question to the hub of that worker: the number to ask it with.
    pub fn count(&mut self, worker: WorkerIndex) -> CountNumber {
        self.counts += 1;
        let count = Count { number: self.counts, left: HashSet::new() };
        self.counting.insert(worker, count);
        self.counts
    }

    /// Workers whose hubs have not answered.
    pub fn counting(&self) -> impl Iterator<Item = (WorkerIndex, CountNumber)> + '_ {
        self.counting.iter().map(|(worker, count)| (*worker, count.number))
    }

    /// A hub's answer. False if the question was asked anew since.
    pub fn recount(
        &mut self,
        worker: WorkerIndex,
        number: CountNumber,
        members: &[(Identity, Announced)],
    ) -> bool {
        if self.counting.get(&worker).is_none_or(|count| count.number != number) {
            return false;
        }
        let left = self.counting.remove(&worker).map(|count| count.left).unwrap_or_default();
        let there: HashSet<_> = members.iter().map(|(who, _)| (who.seat, who.number)).collect();
        let gone = |(seat, person): (&SeatId, &Person)| {
            let is_gone = seat.worker() == worker
                && person.since < number
                && !there.contains(&(*seat, person.number));
            is_gone.then_some(*seat)
        };
        for seat in self.here.iter().filter_map(gone).collect::<Vec<_>>() {
            self.remove(seat);
        }
        for (who, announced) in members {
            if !self.here.contains_key(&who.seat) && !left.contains(&(who.seat, who.number)) {
                self.insert(who, *announced, 0);
            }
        }
        true
    }

    /// Worker threads on which somebody is, or may be.
    pub fn workers(&self) -> Vec<WorkerIndex> {
        let known = self.by_worker.keys().copied();
        let unknown = self.counting.keys().copied();
        known.chain(unknown.filter(|worker| !self.by_worker.contains_key(worker))).collect()
    }

    /// True if it is certain that nobody is here.
    pub fn is_empty(&self) -> bool {
        self.here.is_empty() && self.counting.is_empty()
    }

    /// How many are known to be here.
    pub fn len(&self) -> usize {
        self.here.len()
    }

    /// Who shows up in presence, by client id.
    pub fn presence(&self) -> PresenceResult {
        self.present().map(|info| (info.client.clone(), info.clone())).collect()
    }

    /// How many show up in presence.
    pub fn stats(&self) -> PresenceStats {
        let users: BTreeSet<&str> = self.present().map(|info| info.user.as_str()).collect();
        PresenceStats { clients: self.present().count() as u32, users: users.len() as u32 }
    }

    /// Who shows up in presence, and how.
    pub fn shown(&self) -> impl Iterator<Item = (&Arc<ClientInfo>, Announced)> {
        let present = self.here.values().filter(|person| person.announced.presence);
        present.map(|person| (&person.info, person.announced))
    }

    fn present(&self) -> impl Iterator<Item = &Arc<ClientInfo>> {
        self.here.values().filter(|p| p.announced.presence).map(|p| &p.info)
    }

    fn insert(&mut self, who: &Identity, announced: Announced, since: CountNumber) {
        let person = Person { number: who.number, info: who.info.clone(), announced, since };
        if self.here.insert(who.seat, person).is_none() {
            *self.by_worker.entry(who.seat.worker()).or_default() += 1;
        }
    }

    fn remove(&mut self, seat: SeatId) -> Option<Person> {
        let person = self.here.remove(&seat)?;
        if let Some(count) = self.by_worker.get_mut(&seat.worker()) {
            *count -= 1;
            if *count == 0 {
                self.by_worker.remove(&seat.worker());
            }
        }
        Some(person)
    }
}
