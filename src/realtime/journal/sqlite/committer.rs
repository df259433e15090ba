//! The committing thread: one connection, one command after the other, nothing half done.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
    prelude::*,
};

use super::{
    append::{Stop, Work},
    commits::Command,
    fault::Faults,
    feed,
    heads::Heads,
    schema::journal_channels,
    trim::Trimmer,
};
use crate::{
    ids::Channel,
    platform::{database::Database, mutant::mutant},
    realtime::journal::{
        AppendError, Appended, Batch, Clock, RetentionOf, Settled, Trimmed, Unavailable, WriterId,
        complaint::Complaint,
    },
};

/// Bytes of log from which readers are made to let go of it: four times what a checkpoint leaves.
const LOG_LIMIT: u64 = 32 * 1024 * 1024;

/// How often the log's length is looked at, and at most forced back, while readers hold it.
const LOG_LOOK: Duration = Duration::from_secs(5);

/// Writers that are closed only in memory, because the disk was full, at most.
const CLOSED: usize = 1024;

/// What the thread works with.
pub(super) struct Committer {
    pub database: Arc<Database>,
    pub generation: Arc<str>,
    pub retention: RetentionOf,
    pub clock: Clock,
    pub faults: Faults,
    pub connection: Option<SqliteConnection>,
    pub heads: Heads,
    pub trimmer: Trimmer,
    pub closed: Vec<WriterId>,
    /// The last batch that this thread could not tell the fate of.
    pub unknown: Option<(WriterId, u64)>,
    /// What others had written when it was remembered where channels stand.
    pub rewrites: u64,
    pub looked_at_log: Instant,
    pub complaint: Complaint,
}

/// Why a transaction has no result.
enum Failed {
    /// Nothing was committed.
    Before(String),
    /// COMMIT was begun: only a look can tell.
    Committing(String),
}

impl From<Failed> for Unavailable {
    fn from(failed: Failed) -> Self {
        let (Failed::Before(why) | Failed::Committing(why)) = failed;
        Self(why)
    }
}

impl Committer {
    /// Until nobody can ask any more.
    pub fn run(mut self, waiting: &Receiver<Command>) {
        while let Ok(command) = waiting.recv() {
            match command {
                Command::Append(_, answer)
                    if answer.is_closed() && mutant!(CommitDroppedWithItsFuture) => {}
                Command::Append(batch, answer) => drop(answer.send(self.append(&batch))),
                Command::Settle(writer, seq, answer) => {
                    drop(answer.send(self.settle(writer, seq)));
                }
                Command::Remove(channel, answer) => drop(answer.send(self.remove(&channel))),
                Command::Trim(answer) => drop(answer.send(self.trim())),
            }
            self.bound_log();
        }
    }

    fn append(&mut self, batch: &Batch) -> Result<Vec<Appended>, AppendError> {
        if self.closed.contains(&batch.writer) {
            return Err(AppendError::Refused("this writer was closed".into()));
        }
        let now = (self.clock)();
        let mut raised = None;
        let outcome = self.transact(|connection, this| {
            let (heads, generation, faults) = (&this.heads, &*this.generation, &this.faults);
            let outcome = Work { connection, heads, generation, now, faults }.append(batch)?;
            raised = mutant!(HeadsRaisedBeforeCommit).then(|| outcome.clone());
            Ok(outcome)
        });
        if let Some(raised) = raised {
            raised.remember(batch, &mut self.heads);
        }
        match outcome {
            Ok(outcome) => Ok(outcome.remember(batch, &mut self.heads)),
            Err(Failed::Before(why)) => Err(AppendError::Refused(why)),
            Err(Failed::Committing(why)) => {
                self.unknown = Some((batch.writer, batch.seq));
                Err(AppendError::Unknown(why))
            }
        }
    }

    fn settle(&mut self, writer: WriterId, seq: u64) -> Result<Settled, Unavailable> {
        let found = self.transact(|connection, this| {
            let Some((lane, _)) = feed::load_lane(connection, writer)? else { return Ok(None) };
            if seq > lane.seq {
                return Ok(None);
            }
            match feed::find(connection, &this.generation, lane, seq)? {
                Some(results) => Ok(Some(results)),
                None => {
                    Err(Stop::Refused("the batch was committed too long ago to say how".into()))
                }
            }
        })?;
        if let Some(results) = found {
            return Ok(Settled::Happened(results));
        }
        let now = (self.clock)();
        let closed = self.transact(|connection, _| {
            feed::close_lane(connection, writer, now).map_err(Stop::Query)
        });
        match closed {
            Ok(()) => {
                self.heads.closed(writer);
                Ok(Settled::Never)
            }
            // On a full disk nothing can be written, not even this. It need not be: the batch went
            // through this thread, its connection is gone, and the thread will remember.
            Err(_) if self.unknown == Some((writer, seq)) && self.closed.len() < CLOSED => {
                self.closed.push(writer);
                Ok(Settled::Never)
            }
            Err(failed) => Err(failed.into()),
        }
    }

    fn remove(&mut self, channel: &Channel) -> Result<(), Unavailable> {
        self.transact(|connection, this| {
            let Some(standing) = this.heads.find(connection, &this.generation, channel)? else {
                return Ok(());
            };
            // Trimming takes the rows away: a channel of any size is removed at once.
            diesel::update(journal_channels::table.find(standing.id))
                .set(journal_channels::removed.eq(standing.head.top as i64))
                .execute(connection)?;
            Ok(())
        })?;
        Ok(())
    }

    fn trim(&mut self) -> Result<Trimmed, Unavailable> {
        let now = (self.clock)();
        let step = self.transact(|connection, this| {
            this.trimmer.step(connection, &this.retention, now).map_err(Stop::Query)
        })?;
        step.dropped.iter().for_each(|channel| self.heads.dropped(channel));
        if step.writers {
            self.heads.writers_dropped();
        }
        self.trimmer = step.then;
        Ok(step.trimmed)
    }

    /// Runs `body` in a transaction. After anything but success the connection is dropped, whatever
    /// the error says, and with it all that was remembered.
    fn transact<T>(
        &mut self,
        body: impl FnOnce(&mut SqliteConnection, &Self) -> Result<T, Stop>,
    ) -> Result<T, Failed> {
        let committing = Cell::new(false);
        let database = self.database.clone();
        let order = database.writing();
        let rewrites = database.rewrites();
        if std::mem::replace(&mut self.rewrites, rewrites) != rewrites {
            self.heads = Heads::default();
        }
        let attempt = AssertUnwindSafe(|| self.attempt(body, &committing));
        let why = match catch_unwind(attempt) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(stop)) => format!("the journal could not write: {stop}"),
            Err(_) => "the journal panicked while it wrote".to_owned(),
        };
        if !mutant!(ConnectionKeptAfterAPanic) {
            self.start_over();
        }
        drop(order);
        self.complaint.say(&why);
        Err(if committing.get() { Failed::Committing(why) } else { Failed::Before(why) })
    }

    fn attempt<T>(
        &mut self,
        body: impl FnOnce(&mut SqliteConnection, &Self) -> Result<T, Stop>,
        committing: &Cell<bool>,
    ) -> Result<T, Stop> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect().map_err(|why| Stop::Refused(why.to_string()))?,
        };
        // From here on the connection lives in this frame: an error or a panic drops it.
        self.faults.at("begin")?;
        AnsiTransactionManager::begin_transaction_sql(&mut connection, "BEGIN IMMEDIATE")?;
        let value = match mutant!(ConnectionKeptAfterAPanic) {
            false => body(&mut connection, self)?,
            true => match catch_unwind(AssertUnwindSafe(|| body(&mut connection, self))) {
                Ok(value) => value?,
                Err(_) => {
                    self.connection = Some(connection);
                    return Err(Stop::Refused("the journal panicked while it wrote".into()));
                }
            },
        };
        committing.set(true);
        self.faults.at("commit")?;
        AnsiTransactionManager::commit_transaction(&mut connection)?;
        self.faults.at("committed")?;
        self.connection = Some(connection);
        Ok(value)
    }

    fn start_over(&mut self) {
        self.connection = None;
        self.heads = Heads::default();
    }

    /// A checkpoint can't start the log over while a reader looks at it, and there may always be
    /// one: when it has grown too long, commits wait a moment for the readers to let go.
    fn bound_log(&mut self) {
        if self.looked_at_log.elapsed() < LOG_LOOK {
            return;
        }
        self.looked_at_log = Instant::now();
        if self.database.log_bytes() <= LOG_LIMIT {
            return;
        }
        let database = self.database.clone();
        let _order = database.writing();
        let Some(connection) = &mut self.connection else { return };
        if let Err(why) = database.start_log_over(connection) {
            log::warn!("the journal's log could not be written back: {why}");
            self.start_over();
        }
    }
}
