//! Who is in a room, as the room knows it: for presence, counts, and whom to send what. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    request::PresenceStats,
    seat::{Announced, Identity, SeatId, SubscriptionNumber, WorkerIndex},
};
use crate::protocol::{ClientInfo, reply::PresenceResult};

/// Everybody who has entered and not left.
#[derive(Default, Debug)]
pub struct People {
    here: HashMap<SeatId, Person>,
    by_worker: Vec<u32>,
}

#[derive(Debug)]
struct Person {
    number: SubscriptionNumber,
    info: Arc<ClientInfo>,
    announced: Announced,
}

impl People {
    /// Somebody enters, or enters again under a newer number.
    pub fn enter(&mut self, who: &Identity, announced: Announced) {
        let person = Person { number: who.number, info: who.info.clone(), announced };
        if self.here.insert(who.seat, person).is_none() {
            let worker = who.seat.worker();
            if self.by_worker.len() <= worker {
                self.by_worker.resize(worker + 1, 0);
            }
            self.by_worker[worker] += 1;
        }
    }

    /// Somebody leaves, unless a newer subscription has taken the place. Says whom to announce.
    pub fn leave(
        &mut self,
        seat: SeatId,
        number: SubscriptionNumber,
    ) -> Option<(Arc<ClientInfo>, Announced)> {
        if self.here.get(&seat)?.number != number {
            return None;
        }
        let person = self.here.remove(&seat)?;
        self.by_worker[seat.worker()] -= 1;
        Some((person.info, person.announced))
    }

    /// Replaces all of one worker by what its hub says.
    pub fn recount(&mut self, worker: WorkerIndex, members: &[(Identity, Announced)]) {
        self.here.retain(|seat, _| seat.worker() != worker);
        if let Some(count) = self.by_worker.get_mut(worker) {
            *count = 0;
        }
        for (who, announced) in members {
            self.enter(who, *announced);
        }
    }

    /// Worker threads on which somebody is.
    pub fn workers(&self) -> impl Iterator<Item = WorkerIndex> + '_ {
        self.by_worker.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, _)| index)
    }

    pub fn is_empty(&self) -> bool {
        self.here.is_empty()
    }

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

    fn present(&self) -> impl Iterator<Item = &Arc<ClientInfo>> {
        self.here.values().filter(|p| p.announced.presence).map(|p| &p.info)
    }
}
