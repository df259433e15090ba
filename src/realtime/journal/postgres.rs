//! The journal in PostgreSQL, shared by all nodes: acknowledged after the commit, one call a batch.
//!
//! What the call does stands in `migrations/postgres`; how failures are handled in `docs/JOURNAL.md`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    AppendError, Appended, Batch, Changes, Clock, Cursor, Journal, Page, Pending, Range,
    RetentionOf, Settled, Trimmed, Unavailable, WriterId, complaint::Complaint,
};
use crate::{
    ids::Channel,
    platform::postgres::{ConnectError, Engine, Options, migrate},
    protocol::Position,
};

mod alongside;
mod append;
mod changes;
mod page;
mod pool;
mod settle;
#[cfg(test)]
mod tests;
mod text;
mod trim;

pub use alongside::append_alongside;
use pool::{Pool, Spawned};

/// How many connections a journal opens, and how long somebody waits for one.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// That append; each has one batch under way.
    pub appending: usize,
    /// That read.
    pub reading: usize,
    /// For a connection while all are busy.
    pub wait: Duration,
}

/// A journal in a database. Dropping it waits until what is under way is committed.
pub struct PostgresJournal {
    shared: Arc<Shared>,
    /// Last: its thread ends when nothing is left to do.
    engine: Engine,
}

/// What the work on the engine's thread needs.
struct Shared {
    options: Options,
    /// For batches, and for what the fate of one depends on.
    appending: Pool,
    reading: Pool,
    /// Pages that wait for a connection.
    waiting: page::Waiting,
    /// One connection, so that reads can't blind whoever follows the feed.
    following: Pool,
    /// One connection, so that retention takes none from anybody.
    trimming: Pool,
    retention: RetentionOf,
    /// The database's own, unless a test sets another.
    clock: Option<Clock>,
    walk: tokio::sync::Mutex<trim::Walk>,
    complaint: Mutex<Complaint>,
}

impl Shared {
    /// For operators: a publisher is told less.
    fn complain(&self, of: &AppendError) {
        let (AppendError::Refused(why) | AppendError::Unknown(why)) = of;
        let why = format!("the journal could not append: {why}");
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).say(&why);
    }

    fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| i64::try_from(clock()).unwrap_or(i64::MAX))
    }
}

impl PostgresJournal {
    /// Opens the journal in a database, creating its tables if there are none. Blocks until a connection
    /// stands and has proven that its commits stay.
    pub fn open(
        options: Options,
        connections: Connections,
        retention: RetentionOf,
    ) -> Result<Self, ConnectError> {
        Self::with_clock(options, connections, retention, None)
    }

    pub(super) fn with_clock(
        options: Options,
        connections: Connections,
        retention: RetentionOf,
        clock: Option<Clock>,
    ) -> Result<Self, ConnectError> {
        let failed = |why: String| ConnectError::Unreachable(why);
        let engine = Engine::start("journal-postgres").map_err(|why| failed(why.to_string()))?;
        let pool = |size, what, most| Pool::new(&options, size, connections.wait, what, most);
        let shared = Arc::new(Shared {
            appending: pool(connections.appending, "append to the journal", pool::WAITING)?,
            reading: pool(connections.reading, "read the journal", page::WAITING)?,
            waiting: page::Waiting::default(),
            following: pool(1, "follow the journal", pool::WAITING)?,
            trimming: pool(1, "trim the journal", pool::WAITING)?,
            options,
            retention,
            clock,
            walk: tokio::sync::Mutex::default(),
            complaint: Mutex::default(),
        });
        let first = shared.clone();
        let opened = engine.block_on(async move {
            let steps = migrate(&first.options).await?;
            if steps > 0 {
                log::info!("the database was migrated by {steps} steps");
            }
            Ok(())
        });
        opened.unwrap_or_else(|| Err(failed("the first connection fell".into())))?;
        Ok(Self { shared, engine })
    }

    /// Runs `work` where the connections live.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Shared>) -> Spawned<T>,
    ) -> Pending<'_, Result<T, Unavailable>> {
        let done = self.engine.run(work(self.shared.clone()));
        let fell = || Err(Unavailable("a question to the journal fell".into()));
        Box::pin(async move { done.await.unwrap_or_else(fell) })
    }
}

impl Journal for PostgresJournal {
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>> {
        let shared = self.shared.clone();
        let done = self.engine.run(async move {
            let appended = append::append(&shared, batch).await;
            appended.inspect_err(|why| shared.complain(why))
        });
        let fell = || Err(AppendError::Unknown("the append fell".into()));
        Box::pin(async move { done.await.unwrap_or_else(fell) })
    }

    fn read(&self, channel: &Channel, range: Range) -> Pending<'_, Result<Page, Unavailable>> {
        let channel = channel.clone();
        self.ask(|shared| Box::pin(async move { page::read(&shared, channel, range).await }))
    }

    fn changes(&self, cursor: Cursor) -> Pending<'_, Result<Changes, Unavailable>> {
        self.ask(|shared| Box::pin(async move { changes::changes(&shared, cursor).await }))
    }

    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>> {
        self.ask(|shared| Box::pin(async move { changes::cursor(&shared).await }))
    }

    fn heads(&self, channels: Vec<Channel>) -> Pending<'_, Result<Vec<Position>, Unavailable>> {
        self.ask(|shared| Box::pin(async move { changes::heads(&shared, channels).await }))
    }

    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>> {
        self.ask(move |shared| Box::pin(async move { settle::settle(&shared, writer, seq).await }))
    }

    fn remove(&self, channel: &Channel) -> Pending<'_, Result<(), Unavailable>> {
        let channel = channel.clone();
        self.ask(|shared| Box::pin(async move { trim::remove(&shared, channel).await }))
    }

    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>> {
        self.ask(|shared| Box::pin(async move { trim::step(&shared).await }))
    }
}
