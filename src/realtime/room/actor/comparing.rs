//! Comparing what the room knows with what its hubs have: who is there, and up to where.

use super::{
    super::{
        hub::{Census, ToHub},
        seat::WorkerIndex,
    },
    Room,
};

impl Room {
    /// Asks a hub who is there. Until it has answered, it is sent everything.
    pub(super) fn count(&mut self, worker: WorkerIndex) {
        let (channel, number) = (self.channel.clone(), self.people.count(worker));
        self.house.must_tell(worker, ToHub::Count { channel, number });
    }

    /// Asks those who have not answered: a hub that fell over the question has lost it.
    pub(super) fn count_again(&self) {
        for (worker, number) in self.people.counting() {
            self.house.must_tell(worker, ToHub::Count { channel: self.channel.clone(), number });
        }
    }

    pub(super) fn recount(&mut self, census: &Census) {
        if self.people.recount(census.worker, census.number, &census.members) {
            self.compare_twice(census.worker);
            // Who left while this was not known is still written down.
            if let Some(bridge) = self.house.bridge() {
                bridge.compare();
            }
        }
    }

    /// Says where the room stands.
    pub(super) fn compare(&self, worker: WorkerIndex) {
        if let Some(at) = self.flow.delivered().cloned() {
            self.house.must_tell(worker, ToHub::Stand { channel: self.channel.clone(), at });
        }
    }

    /// What is missing now stays missing, since deliveries come in the same queue: no need to wait.
    pub(super) fn compare_twice(&self, worker: WorkerIndex) {
        self.compare(worker);
        self.compare(worker);
    }
}
