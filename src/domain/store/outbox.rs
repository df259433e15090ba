//! What people are told of what was stored: said in the same transaction, by somebody above, on the connection that is open.

use diesel::{QueryResult, SqliteConnection};
use diesel_async::AsyncPgConnection;
use futures_util::future::BoxFuture;

use crate::{domain::portfolio::alert::Alert, ids::UserId};

/// A connection with an open transaction. An error on it ends the transaction.
pub enum Open<'a> {
    /// What is done on it must not wait for anything else. The lock that orders writers is held.
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut AsyncPgConnection),
}

/// Called after the commit; dropped without one.
pub type Told = Box<dyn FnOnce() + Send>;

/// Who tells people.
pub trait Outbox: Send + Sync {
    /// Writes down what they are told, for them to find also if they are away.
    fn say<'a>(
        &'a self,
        on: Open<'a>,
        alerts: &'a [(UserId, Alert)],
    ) -> BoxFuture<'a, QueryResult<Told>>;
}
