//! Where transactions run in PostgreSQL: on a thread of its own, on a few connections.

use std::{sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolConfig, RecycleError, RecycleResult, Timeouts},
};
use tokio::time::timeout;

use super::{
    session::Session,
    transact::{Ended, Purpose, Stored, Whose, Work, transact},
};
use crate::{
    domain::portfolio::Refusal,
    platform::postgres::{ConnectError, Engine, Link, Options, migrate},
};

/// Transactions that wait for a connection, at most: more than that is a storm, and will come again.
const WAITING: usize = 1024;

/// How long a transaction may take in all. Each of its statements has a shorter deadline.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many connections a store opens, and how long a transaction waits for one.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub most: usize,
    pub wait: Duration,
}

pub(super) struct Manager(Options);

impl managed::Manager for Manager {
    type Type = Link;
    type Error = ConnectError;

    async fn create(&self) -> Result<Link, ConnectError> {
        Link::open(&self.0).await
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<ConnectError> {
        match link.is_closed() {
            true => Err(RecycleError::message("it was closed")),
            false => Ok(()),
        }
    }
}

/// The connections and their thread.
pub(super) struct Postgres {
    pool: Arc<managed::Pool<Manager>>,
    /// A transaction is over by then, or is given up with its connection.
    deadline: Duration,
    /// Last: its thread ends when nothing is left to do.
    engine: Engine,
}

impl Postgres {
    /// Blocks until the tables are there.
    pub fn open(options: Options, connections: Connections) -> Result<Self, ConnectError> {
        let engine = Engine::start("store-postgres").map_err(unreachable)?;
        let first = options.clone();
        let migrated = engine.block_on(async move { migrate(&first).await });
        migrated.unwrap_or_else(|| Err(unreachable("the first connection fell")))?;
        Self::on(engine, options, connections, DEADLINE)
    }

    /// A server that is only read from, and need not be there yet. An answer takes up to `deadline`.
    pub fn to_read(
        options: Options,
        connections: Connections,
        deadline: Duration,
    ) -> Result<Self, ConnectError> {
        let engine = Engine::start("store-replica").map_err(unreachable)?;
        Self::on(engine, options.read_only(), connections, deadline)
    }

    fn on(
        engine: Engine,
        options: Options,
        connections: Connections,
        deadline: Duration,
    ) -> Result<Self, ConnectError> {
        let timeouts = Timeouts { wait: Some(connections.wait), ..Timeouts::new() };
        let pool = managed::Pool::builder(Manager(options))
            .config(PoolConfig { timeouts, ..PoolConfig::new(connections.most) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(unreachable)?;
        Ok(Self { pool: Arc::new(pool), deadline, engine })
    }

    /// Runs a transaction to its end, also if nobody waits for that.
    pub async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        whose: Whose,
        work: Work<T>,
    ) -> Result<Stored<T>, Refusal> {
        let (pool, deadline) = (self.pool.clone(), self.deadline);
        let done = self.engine.run(async move {
            let link = get(&pool).await.map_err(Refusal::Unavailable)?;
            let mut session = Session::Postgres(Box::new(link));
            let done = timeout(deadline, transact(&mut session, purpose, &whose, work)).await;
            let late = "it did not come to its end in time";
            let done = done.unwrap_or_else(|_| Err(Ended::unheard(purpose, late)));
            if matches!(done, Err(Ended::Broken(_) | Ended::Unknown(_))) {
                discard(session);
            }
            done.map_err(Refusal::from)
        });
        let fell = || Err(Ended::unheard(purpose, "it fell").into());
        done.await.unwrap_or_else(fell)
    }
}

fn unreachable(why: impl ToString) -> ConnectError {
    ConnectError::Unreachable(why.to_string())
}

async fn get(pool: &managed::Pool<Manager>) -> Result<Object<Manager>, String> {
    if pool.status().waiting >= WAITING {
        return Err("too many wait for a connection to PostgreSQL".into());
    }
    pool.get().await.map_err(|why| why.to_string())
}

/// What was said may still be under way on it.
fn discard(session: Session) {
    if let Session::Postgres(link) = session {
        drop(Object::take(*link));
    }
}
