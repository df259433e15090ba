//! A server that follows the primary, asked first: believed only about the very state that the primary told.
//!
//! So whether it lags, stands still, is away or was never a copy of this primary costs time and nothing else: who has just
//! written is answered by the primary until the replica shows that write.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{
    Connections, Parts, Present, Stored, Wanted,
    dashboard::parts_of,
    postgres::Postgres,
    transact::{Purpose, Whose, Work},
};
use crate::{
    domain::portfolio::Refusal,
    ids::UserId,
    platform::{
        metrics::Metrics,
        postgres::{ConnectError, Options},
    },
};

#[cfg(test)]
mod tests;

/// After a failure it is left alone for so long; then one who asks finds out whether it is back.
const REST: Duration = Duration::from_secs(2);

/// The way to it.
pub struct Replica {
    postgres: Postgres,
    /// For people.
    place: String,
    /// Who is not answered by then asks the primary.
    deadline: Duration,
    rest: Mutex<Rest>,
    metrics: Arc<Metrics>,
}

impl Replica {
    /// Over at most so many connections. Opens none yet: a node starts without it.
    pub fn new(
        options: Options,
        connections: usize,
        deadline: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ConnectError> {
        let place = options.place();
        let connections = Connections { most: connections, wait: deadline };
        let postgres = Postgres::to_read(options, connections, deadline)?;
        Ok(Self { postgres, place, deadline, rest: Mutex::default(), metrics })
    }

    /// Parts in this very state, if it has them and says so in time.
    pub(super) async fn parts(
        &self,
        user: &UserId,
        wanted: Wanted,
        told: Present,
    ) -> Option<Stored<Parts>> {
        let now = Instant::now();
        let may_ask = self.rest().may_ask(now);
        let heard = if may_ask { self.ask(user, wanted, told, now).await } else { None };
        let from = match &heard {
            Some(Some(_)) => "replica",
            Some(None) => "primary_behind",
            None => "primary_failed",
        };
        self.metrics.replica_reads_total.of(from).inc();
        let value = heard.flatten()?;
        Some(Stored { generation: told.generation, value })
    }

    /// What it says: parts, or that it shows another state; none if it does not say.
    async fn ask(
        &self,
        user: &UserId,
        wanted: Wanted,
        told: Present,
        now: Instant,
    ) -> Option<Option<Parts>> {
        let owner = user.clone();
        let look: Work<Option<Parts>> = Box::new(move |session| {
            Box::pin(async move { parts_of(session, &owner, wanted, told).await })
        });
        let asked =
            timeout(self.deadline, self.postgres.run(Purpose::Read, Whose::Anybody, look)).await;
        let why = match asked {
            Ok(Ok(heard)) => {
                if self.rest().answered(now) {
                    log::info!("the replica ({}) answers again", self.place);
                }
                return Some(heard.value);
            }
            Ok(Err(Refusal::Unavailable(why))) => why,
            Ok(Err(why)) => why.to_string(),
            Err(_) => "it did not answer in time".into(),
        };
        if self.rest().failed(Instant::now()) {
            log::warn!("the primary is read instead of the replica ({}): {why}", self.place);
        }
        None
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is asked: not while it rests after a failure.
#[derive(Clone, Copy, Default, Debug)]
struct Rest(Option<Resting>);

#[derive(Clone, Copy, Debug)]
struct Resting {
    since: Instant,
    /// Then one may ask.
    until: Instant,
}

impl Rest {
    /// Whether it may be asked at `now`. Who may while it rests is the one who finds out.
    fn may_ask(&mut self, now: Instant) -> bool {
        match &mut self.0 {
            Some(resting) if now < resting.until => false,
            Some(resting) => {
                resting.until = now + REST;
                true
            }
            None => true,
        }
    }

    /// Who asked at `asked` was answered. Whether that is news: what was asked before it failed says nothing.
    fn answered(&mut self, asked: Instant) -> bool {
        self.0.take_if(|resting| resting.since <= asked).is_some()
    }

    /// It was not answered. Whether that is news.
    fn failed(&mut self, now: Instant) -> bool {
        let before = self.0.map(|resting| resting.since);
        self.0 = Some(Resting { since: before.unwrap_or(now), until: now + REST });
        before.is_none()
    }
}
