//! What is being loaded at the moment: who asks for the same waits for it.

use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::{Asked, Entry};
use crate::ids::UserId;

/// How a flight ended.
pub(super) type Outcome<V, E> = Arc<Result<Vec<Entry<V>>, E>>;

/// Somebody's data in one generation.
type Key = (UserId, i64);

struct Flight<V, E> {
    asked: Vec<Asked>,
    outcome: watch::Receiver<Option<Outcome<V, E>>>,
}

/// All flights of this node; at most one for an owner and a generation.
pub(super) struct Flights<V, E>(Mutex<HashMap<Key, Flight<V, E>>>);

/// A flight that is under way.
pub(super) struct Joined<V, E> {
    /// Whether all that was asked for comes with it.
    pub covers: bool,
    outcome: watch::Receiver<Option<Outcome<V, E>>>,
}

/// A flight that begins; whoever holds this flies it. Dropped, it is over: the next who asks begins another.
pub(super) struct Pilot<V, E> {
    flights: Arc<Flights<V, E>>,
    key: Key,
    outcome: Option<watch::Sender<Option<Outcome<V, E>>>>,
}

impl<V, E> Flights<V, E> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::new())))
    }

    /// Joins the flight for this owner and generation, or begins it: then there is a pilot.
    pub fn join(
        self: &Arc<Self>,
        owner: &UserId,
        asked: &[Asked],
    ) -> (Joined<V, E>, Option<Pilot<V, E>>) {
        let generation = asked.iter().map(|asked| asked.version.generation).max();
        let key = (owner.clone(), generation.unwrap_or_default());
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match flights.entry(key.clone()) {
            hash_map::Entry::Occupied(flight) => {
                let flight = flight.get();
                let comes = |one: &Asked| {
                    let same = |theirs: &&Asked| theirs.part.name == one.part.name;
                    flight.asked.iter().find(same).is_some_and(|it| it.version >= one.version)
                };
                let covers = asked.iter().all(comes);
                (Joined { covers, outcome: flight.outcome.clone() }, None)
            }
            hash_map::Entry::Vacant(free) => {
                let (tell, outcome) = watch::channel(None);
                free.insert(Flight { asked: asked.to_vec(), outcome: outcome.clone() });
                let pilot = Pilot { flights: self.clone(), key, outcome: Some(tell) };
                (Joined { covers: true, outcome }, Some(pilot))
            }
        }
    }
}

impl<V, E> Joined<V, E> {
    /// How it ended; none if it fell.
    pub async fn end(mut self) -> Option<Outcome<V, E>> {
        self.outcome.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V, E> Pilot<V, E> {
    /// Tells all who wait.
    pub fn land(mut self, outcome: Result<Vec<Entry<V>>, E>) {
        let tell = self.outcome.take();
        // Over first: who did not join is not to find a flight that has ended.
        drop(self);
        if let Some(tell) = tell {
            // Those who waited may have gone.
            let _ = tell.send(Some(Arc::new(outcome)));
        }
    }
}

impl<V, E> Drop for Pilot<V, E> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
