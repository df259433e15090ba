//! Connections at hand: a few, each knowing the generation it works under; who waits too long is told to try again.

use std::{future::Future, ops::DerefMut, pin::Pin, sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{
        self, Metrics, Object, PoolConfig, PoolError, RecycleError, RecycleResult, TimeoutType,
        Timeouts,
    },
};
use diesel::{QueryResult, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::{
    platform::{
        mutant::mutant,
        postgres::{ConnectError, Link, Options, the_one},
    },
    realtime::journal::{Unavailable, numbering},
};

/// Questions that wait for a connection, at most: more than that is a storm, and will ask again.
pub(super) const WAITING: usize = 1024;

/// Work for the engine's thread.
pub(super) type Spawned<T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'static>>;

diesel::define_sql_function! {
    /// The generation of the journal, drawn anew if this is another server than before.
    #[sql_name = "journal_generation_v1"]
    fn journal_generation(drawn: Text, system: Text, timeline: Text) -> Text;
}

/// A connection and the generation that it works under. Another server or timeline is another connection.
pub(super) struct Lease {
    pub link: Link,
    pub generation: Arc<str>,
}

pub(super) struct Manager(Options);

impl managed::Manager for Manager {
    type Type = Lease;
    type Error = ConnectError;

    async fn create(&self) -> Result<Lease, ConnectError> {
        let mut link = Link::open(&self.0).await?;
        let (system, timeline) = match mutant!(GenerationKept) {
            true => <(String, String)>::default(),
            false => (link.system.clone(), link.timeline.clone()),
        };
        let drawn = numbering::new_generation();
        let asked = diesel::select(journal_generation(drawn, system, timeline));
        let asked = asked.load::<String>(link.query());
        let asked = timeout(self.0.answer(), asked).await;
        let late = "it did not name the journal in time";
        let loaded = asked.map_err(|_| ConnectError::Unreachable(late.into()))?;
        let generation =
            the_one(loaded).map_err(|why| ConnectError::Unreachable(why.to_string()))?;
        Ok(Lease { link, generation: generation.into() })
    }

    async fn recycle(&self, lease: &mut Lease, _: &Metrics) -> RecycleResult<ConnectError> {
        match lease.link.is_closed() {
            true => Err(RecycleError::message("it was closed")),
            false => Ok(()),
        }
    }
}

/// Connections for one purpose.
pub(super) struct Pool {
    pool: managed::Pool<Manager>,
    answer: Duration,
    /// What the purpose is: `read the journal`.
    what: &'static str,
    /// Who may wait for a connection, at most.
    most_waiting: usize,
}

impl Pool {
    /// None is opened before it is needed.
    pub fn new(
        options: &Options,
        size: usize,
        wait: Duration,
        what: &'static str,
        most_waiting: usize,
    ) -> Result<Self, ConnectError> {
        let timeouts = Timeouts { wait: Some(wait), ..Timeouts::new() };
        let pool = managed::Pool::builder(Manager(options.clone()))
            .config(PoolConfig { timeouts, ..PoolConfig::new(size) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|why| ConnectError::Unreachable(why.to_string()))?;
        Ok(Self { pool, answer: options.answer(), what, most_waiting })
    }

    /// A connection, or why there is none at the moment.
    pub async fn get(&self) -> Result<Object<Manager>, String> {
        let what = self.what;
        if self.pool.status().waiting >= self.most_waiting {
            return Err(format!("too many want to {what}; try again"));
        }
        // Opening one has deadlines of its own, which add up to more than anybody waits.
        let got = timeout(self.answer, self.pool.get()).await;
        let late = format!("there was no connection to {what} in time; try again");
        got.map_err(|_| late)?.map_err(|why| match why {
            PoolError::Timeout(TimeoutType::Wait) => {
                format!("all connections that {what} are busy; try again")
            }
            PoolError::Backend(why) => why.to_string(),
            other => other.to_string(),
        })
    }

    /// Asks something on a connection, within a time. After anything but an answer the connection is dropped:
    /// what was asked may still be under way on it.
    pub async fn ask<T>(
        &self,
        question: impl for<'a> FnOnce(
            &'a mut AsyncPgConnection,
            Arc<str>,
        ) -> BoxFuture<'a, QueryResult<T>>,
    ) -> Result<T, Unavailable> {
        let lease = self.get().await.map_err(Unavailable)?;
        self.ask_on(lease, question).await
    }

    /// The same on a connection that was [got](Self::get).
    pub async fn ask_on<T>(
        &self,
        mut lease: Object<Manager>,
        question: impl for<'a> FnOnce(
            &'a mut AsyncPgConnection,
            Arc<str>,
        ) -> BoxFuture<'a, QueryResult<T>>,
    ) -> Result<T, Unavailable> {
        let generation = lease.generation.clone();
        let asked =
            timeout(self.answer, question(lease.deref_mut().link.query(), generation)).await;
        let why = match asked {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(why)) => why.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        drop(Object::take(lease));
        Err(Unavailable(format!("could not {}: {why}", self.what)))
    }
}
