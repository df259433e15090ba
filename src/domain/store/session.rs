//! A connection of either kind, and what became of a question to it.

use std::sync::{Mutex, PoisonError};

use deadpool::managed::Object;
use diesel::{
    QueryResult, QueryableByName, SqliteConnection, connection::SimpleConnection, pg::Pg,
    result::Error, sql_types::BigInt, sqlite::Sqlite,
};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::{outbox::Open, postgres::Manager, query::Query};
use crate::domain::{moment::Moment, portfolio::Refusal};

/// A connection that one transaction at a time runs on.
///
/// On SQLite every answer is there at once: such a session belongs to a thread that may block.
pub(super) enum Session {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<Object<Manager>>),
}

/// A session for questions that don't wait for each other: those that are asked at once go to PostgreSQL together, and cost
/// one way there and back.
pub(super) enum Reads<'a> {
    Sqlite(Mutex<&'a mut SqliteConnection>),
    Postgres(&'a AsyncPgConnection),
}

/// Why a transaction has no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// Our rules say no.
    Refused(Refusal),
    /// The database does.
    Broken(Error),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            // It answered, and will say the same again.
            Error::DeserializationError(why) => Self::Refused(Refusal::Damaged(why.to_string())),
            other => Self::Broken(other),
        }
    }
}

/// A row that either database can give.
pub(super) trait Row:
    QueryableByName<Sqlite> + QueryableByName<Pg> + Send + 'static
{
}

impl<T: QueryableByName<Sqlite> + QueryableByName<Pg> + Send + 'static> Row for T {}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = BigInt)]
    now: i64,
}

impl Session {
    /// All rows of an answer.
    pub async fn rows<R: Row>(&mut self, query: Query) -> QueryResult<Vec<R>> {
        match self {
            Self::Sqlite(connection) => {
                diesel::RunQueryDsl::load(query.for_sqlite(), &mut **connection)
            }
            Self::Postgres(link) => {
                diesel_async::RunQueryDsl::load(query.for_postgres(), link.query()).await
            }
        }
    }

    /// The same session, for several questions at once.
    pub fn reads(&mut self) -> Reads<'_> {
        match self {
            Self::Sqlite(connection) => Reads::Sqlite(Mutex::new(connection)),
            Self::Postgres(link) => Reads::Postgres(link.query()),
        }
    }

    /// The first row of an answer, if it has any.
    pub async fn row<R: Row>(&mut self, query: Query) -> QueryResult<Option<R>> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Changes something; how many rows that were.
    pub async fn change(&mut self, query: Query) -> QueryResult<usize> {
        match self {
            Self::Sqlite(connection) => {
                diesel::RunQueryDsl::execute(query.for_sqlite(), &mut **connection)
            }
            Self::Postgres(link) => {
                diesel_async::RunQueryDsl::execute(query.for_postgres(), link.query()).await
            }
        }
    }

    /// The connection itself, for those above who write on it, too.
    pub fn open(&mut self) -> Open<'_> {
        match self {
            Self::Sqlite(connection) => Open::Sqlite(connection),
            Self::Postgres(link) => Open::Postgres(link.query()),
        }
    }

    /// Says something that has neither values nor an answer.
    pub async fn say(&mut self, text: &str) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(text),
            Self::Postgres(link) => link.query().batch_execute(text).await,
        }
    }

    /// The present, by the clock of the database: that of a file is the machine's.
    pub async fn now(&mut self) -> QueryResult<Moment> {
        if let Self::Sqlite(_) = self {
            return Ok(Moment::now());
        }
        let now = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now";
        let row = self.row::<Now>(Query::new(now)).await?;
        row.map(|row| Moment::from_micros(row.now)).ok_or(Error::NotFound)
    }

    /// Whether the server warned: a warning with a commit may mean that it is not as safe as it should be.
    pub fn take_warning(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(link) => link.take_warning(),
        }
    }
}

impl Reads<'_> {
    /// All rows of an answer.
    pub async fn rows<R: Row>(&self, query: Query) -> QueryResult<Vec<R>> {
        match self {
            Self::Sqlite(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                diesel::RunQueryDsl::load(query.for_sqlite(), &mut **connection)
            }
            Self::Postgres(connection) => {
                let mut connection = *connection;
                diesel_async::RunQueryDsl::load(query.for_postgres(), &mut connection).await
            }
        }
    }
}
