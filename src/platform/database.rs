//! The SQLite file: how it is created, opened, proven durable, and who may write when.
//!
//! Everything that lives in the file shares it through one [`Database`]: its migrations, its pragmas
//! and the one lock that orders writers. A connection that can't prove that its commits reach the
//! disk is never handed out.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel::{
    connection::SimpleConnection,
    dsl::sql,
    prelude::*,
    r2d2::{ConnectionManager, CustomizeConnection, Error as PoolError, Pool},
    sql_types::{BigInt, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::mutant::mutant;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// How long a statement waits for a lock that another process holds. Below the commit deadline of
/// the journal (5 s), so that the answer is a refusal with its reason and not a silence.
const BUSY: Duration = Duration::from_secs(2);

/// Pages of the log after which a commit writes them back to the file (8 MiB): few enough that a
/// start after a crash is quick, many enough that hot pages are written once for many commits.
const CHECKPOINT_PAGES: u32 = 2_000;

/// How long commits stand still for readers that hold the log: a page is read in less, a backup takes minutes.
const LET_GO: Duration = Duration::from_millis(50);

/// What the log shrinks to when it starts over, in bytes.
const LOG_BYTES: u32 = 32 * 1024 * 1024;

/// Page cache of the committing connection, in KiB.
const WRITER_CACHE_KIB: u32 = 4 * 1024;

/// Page cache of each reading connection, in KiB.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// How long a reader waits for a connection of the pool.
const CHECKOUT: Duration = Duration::from_secs(2);

/// Connections for reading; each refuses to write.
pub type Readers = Pool<ConnectionManager<SqliteConnection>>;

/// One SQLite file and the order of its writers.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    /// Where tests let the disk end; in pages of the file.
    max_pages: Option<u32>,
    writing: Mutex<()>,
    /// How often somebody else wrote what one thread has for itself, and remembers.
    rewrites: AtomicU64,
}

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// It would not keep what it acknowledges: the pragma, what it has to say, what it said.
    NotDurable { pragma: &'static str, expected: &'static str, found: String },
    /// It could not be opened, created or migrated.
    Failed { path: PathBuf, doing: &'static str, why: String },
}

impl Database {
    /// Opens the file, creating and migrating it first if need be. The folder must exist.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_bounded(path, None)
    }

    /// The same with an end of the disk after `max_pages` pages of 4 KiB.
    pub fn open_bounded(path: &Path, max_pages: Option<u32>) -> Result<Self, OpenError> {
        let database = Self {
            path: path.to_owned(),
            max_pages,
            writing: Mutex::new(()),
            rewrites: AtomicU64::new(0),
        };
        let mut connection = database.connect()?;
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(|why| database.failed("migrate", why))?;
        Ok(database)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that may commit: asked back whether what it commits stays.
    pub fn connect(&self) -> Result<SqliteConnection, OpenError> {
        let mut connection = SqliteConnection::establish(&self.path.to_string_lossy())
            .map_err(|why| self.failed("open", why))?;
        // Page size and vacuum mode can be chosen only before the first page is written.
        let pragmas = format!(
            "PRAGMA busy_timeout = {busy}; PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; \
             PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
             PRAGMA journal_size_limit = {LOG_BYTES}; PRAGMA cache_size = -{WRITER_CACHE_KIB}; PRAGMA temp_store = MEMORY;",
            busy = BUSY.as_millis(),
        );
        connection.batch_execute(&pragmas).map_err(|why| self.failed("set up", why))?;
        if let Some(pages) = self.max_pages {
            let bound = format!("PRAGMA max_page_count = {pages}");
            connection.batch_execute(&bound).map_err(|why| self.failed("set up", why))?;
        }
        self.prove_durable(&mut connection)?;
        if mutant!(SynchronousOff) {
            let off = connection.batch_execute("PRAGMA synchronous = OFF");
            off.map_err(|why| self.failed("set up", why))?;
        }
        Ok(connection)
    }

    /// A pool of `size` connections that read and never write. None is opened before it is needed.
    pub fn readers(&self, size: u32) -> Result<Readers, OpenError> {
        Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .connection_timeout(CHECKOUT)
            .connection_customizer(Box::new(ReadOnly))
            .build(ConnectionManager::new(self.path.to_string_lossy()))
            .map_err(|why| self.failed("open readers", why))
    }

    /// The one lock that orders writers: hold it from BEGIN IMMEDIATE to COMMIT.
    pub fn writing(&self) -> MutexGuard<'_, ()> {
        // What a panicking holder had begun died with its connection: the lock guards nothing else.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the holder of [`Database::writing`] writes, or tries to, what another one remembers.
    pub fn rewrite(&self) {
        self.rewrites.fetch_add(1, Ordering::Relaxed);
    }

    /// Whoever remembers what is in the file reads it again if this is another number than before. To be asked with
    /// [`Database::writing`].
    pub fn rewrites(&self) -> u64 {
        self.rewrites.load(Ordering::Relaxed)
    }

    /// Bytes of the write-ahead log beside the file.
    pub fn log_bytes(&self) -> u64 {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |found| found.len())
    }

    /// Writes the log back and starts it over, if readers let go of it within [`LET_GO`].
    pub fn start_log_over(&self, connection: &mut SqliteConnection) -> QueryResult<()> {
        connection.batch_execute(&format!(
            "PRAGMA busy_timeout = {short}; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = {usual};",
            short = LET_GO.as_millis(),
            usual = BUSY.as_millis(),
        ))
    }

    fn prove_durable(&self, connection: &mut SqliteConnection) -> Result<(), OpenError> {
        let synchronous: i64 = sql::<BigInt>("PRAGMA synchronous")
            .get_result(connection)
            .map_err(|why| self.failed("ask", why))?;
        if synchronous != 2 {
            let found = synchronous.to_string();
            return Err(OpenError::NotDurable { pragma: "synchronous", expected: "2", found });
        }
        let mode: String = sql::<Text>("PRAGMA journal_mode")
            .get_result(connection)
            .map_err(|why| self.failed("ask", why))?;
        if mode != "wal" {
            return Err(OpenError::NotDurable {
                pragma: "journal_mode",
                expected: "wal",
                found: mode,
            });
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, why: impl fmt::Display) -> OpenError {
        OpenError::Failed { path: self.path.clone(), doing, why: why.to_string() }
    }
}

/// Makes each connection of a pool a reader.
#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, PoolError> for ReadOnly {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), PoolError> {
        let pragmas = format!(
            "PRAGMA busy_timeout = {busy}; PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB}; \
             PRAGMA temp_store = MEMORY;",
            busy = BUSY.as_millis(),
        );
        connection.batch_execute(&pragmas).map_err(PoolError::QueryError)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDurable { pragma, expected, found } => write!(
                f,
                "the database would not keep what it acknowledges: PRAGMA {pragma} has to be {expected}, it is \
                 {found}; put the file on a local disk that can do it"
            ),
            Self::Failed { path, doing, why } => {
                write!(f, "can't {doing} the database {}: {why}", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}
