//! The journal in one SQLite file: acknowledged after an fsync, one fsync a batch.
//!
//! One thread commits, a few read. What a commit touches and how failures are handled:
//! `docs/JOURNAL.md`.

use std::{path::Path, sync::Arc, time::Instant};

use diesel::Connection;
use tokio::sync::oneshot;

use super::{
    AppendError, Appended, Batch, Changes, Clock, Cursor, Journal, Page, Pending, Range,
    RetentionOf, Settled, Trimmed, Unavailable, WriterId, system_clock,
};
use crate::{
    ids::Channel,
    platform::database::{Database, OpenError},
    protocol::Position,
};

mod alongside;
mod append;
mod birth;
mod commits;
mod committer;
mod fault;
mod feed;
mod heads;
mod read;
mod readers;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod trim;

pub use alongside::Alongside;
pub use birth::backup;
use commits::{Command, Commits};
use committer::Committer;
use fault::Faults;
use readers::Readers;

/// Threads that read: enough that one slow page does not hold up the others; a disk gains nothing from more.
const READERS: u32 = 4;

/// A journal in a file. Dropping it waits until what is under way is committed.
pub struct SqliteJournal {
    commits: Commits,
    readers: Readers,
    generation: Arc<str>,
    retention: RetentionOf,
    clock: Clock,
    database: Arc<Database>,
}

impl SqliteJournal {
    /// Opens the journal at `path`, creating it if there is none. Its folder must exist.
    pub fn open(path: &Path, retention: RetentionOf) -> Result<Self, OpenError> {
        Self::on(Arc::new(Database::open(path)?), retention, system_clock())
    }

    /// The journal in a file that others share, by another clock.
    pub fn on(
        database: Arc<Database>,
        retention: RetentionOf,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::with_faults(database, retention, clock, Faults::default())
    }

    fn with_faults(
        database: Arc<Database>,
        retention: RetentionOf,
        clock: Clock,
        faults: Faults,
    ) -> Result<Self, OpenError> {
        let failed =
            |doing, why: String| OpenError::Failed { path: database.path().to_owned(), doing, why };
        let mut connection = database.connect()?;
        let generation = birth::generation(&database, &mut connection)
            .map_err(|why| failed("name the journal in", why.to_string()))?;
        let generation: Arc<str> = generation.into();
        let committer = Committer {
            database: database.clone(),
            generation: generation.clone(),
            retention: retention.clone(),
            clock: clock.clone(),
            faults,
            connection: Some(connection),
            heads: Default::default(),
            trimmer: Default::default(),
            closed: Vec::new(),
            unknown: None,
            rewrites: database.rewrites(),
            looked_at_log: Instant::now(),
            complaint: Default::default(),
        };
        let threads = |why: std::io::Error| failed("start threads for", why.to_string());
        let readers = Readers::start(&database.readers(READERS)?, READERS).map_err(threads)?;
        let commits = Commits::start(committer).map_err(threads)?;
        Ok(Self { commits, readers, generation, retention, clock, database })
    }

    /// For those who write into the same file what their publications are about.
    pub fn alongside(&self) -> Alongside {
        let (database, generation) = (self.database.clone(), self.generation.clone());
        Alongside { database, generation, clock: self.clock.clone() }
    }

    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Unavailable>>) -> Command,
    ) -> Pending<'_, Result<T, Unavailable>> {
        let (answer, answered) = oneshot::channel();
        let asked = self.commits.ask(command(answer));
        Box::pin(async move {
            asked.map_err(Unavailable)?;
            answered
                .await
                .unwrap_or_else(|_| Err(Unavailable("the journal's thread has ended".into())))
        })
    }
}

impl Journal for SqliteJournal {
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>> {
        let (answer, answered) = oneshot::channel();
        let asked = self.commits.ask(Command::Append(batch, answer));
        Box::pin(async move {
            asked.map_err(AppendError::Refused)?;
            answered.await.unwrap_or_else(|_| {
                Err(AppendError::Unknown("the journal's thread has ended".into()))
            })
        })
    }

    fn read(&self, channel: &Channel, range: Range) -> Pending<'_, Result<Page, Unavailable>> {
        let (channel, generation) = (channel.clone(), self.generation.clone());
        let (retention, clock) = (self.retention.clone(), self.clock.clone());
        self.readers.ask(move |connection| {
            let retention = retention(&channel);
            read::page(connection, &generation, &channel, range, &retention, clock())
        })
    }

    fn changes(&self, cursor: Cursor) -> Pending<'_, Result<Changes, Unavailable>> {
        let generation = self.generation.clone();
        self.readers.ask(move |connection| {
            connection.transaction(|connection| feed::changes(connection, &generation, cursor))
        })
    }

    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>> {
        self.readers.ask(|connection| connection.transaction(feed::cursor))
    }

    fn heads(&self, channels: Vec<Channel>) -> Pending<'_, Result<Vec<Position>, Unavailable>> {
        let generation = self.generation.clone();
        self.readers.ask(move |connection| {
            connection.transaction(|connection| read::heads(connection, &generation, &channels))
        })
    }

    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>> {
        self.ask(|answer| Command::Settle(writer, seq, answer))
    }

    fn remove(&self, channel: &Channel) -> Pending<'_, Result<(), Unavailable>> {
        self.ask(|answer| Command::Remove(channel.clone(), answer))
    }

    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>> {
        self.ask(Command::Trim)
    }
}
