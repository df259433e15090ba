//! What people own, plan and expect, in SQLite or PostgreSQL: one text of each query (docs/PORTFOLIO.md, "Storage").
//!
//! Every call about a person takes the user and sees nothing of others: what is somebody else's is not found. A write
//! raises that person's generation in its transaction; a read tells the generation of its snapshot.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    domain::portfolio::Refusal,
    ids::UserId,
    platform::{
        database::{Database, OpenError},
        postgres::{ConnectError, Options},
    },
};

mod ahead;
mod alerts;
mod bounds;
mod columns;
mod computing;
#[cfg(test)]
mod contract;
mod dashboard;
mod firing;
mod folding;
mod forecasts;
mod founding;
mod holdings;
mod keys;
mod outbox;
mod page;
#[cfg(test)]
mod plans;
mod portfolios;
mod postgres;
mod pricing;
mod query;
mod remembered;
mod replica;
mod session;
mod sqlite;
mod steps;
mod strategies;
mod tokens;
mod transact;
mod transactions;
mod watching;

pub use ahead::{Expected, Foreseen, Grounds, MOST_EXPECTED};
pub use alerts::Arm;
pub use bounds::LISTED as MOST_LISTED;
pub use computing::{Basis, Computed};
pub use dashboard::{Parts, Present, Wanted};

pub use founding::{NewExpectation, NewPerson};
pub use keys::Key;
pub use outbox::{Open, Outbox, Told};
pub use page::Page;
pub use postgres::Connections;
pub use pricing::{Fence, Observed, WantedPrice};
pub use replica::Replica;
pub use strategies::Listed;
pub use tokens::{Found, MOST as MOST_TOKENS, NewToken};
pub use transact::Stored;
pub use transactions::Imported;

use session::{Fault, Session};
use transact::{Purpose, Whose};

/// The answer of a call.
pub type Answer<T> = Result<Stored<T>, Refusal>;

/// Where everything is kept. Any thread of a tokio runtime may ask; what was begun is brought to its end, also if
/// nobody waits for it. Dropping it waits for what is under way.
pub struct Store {
    kind: Kind,
    /// Asked before the primary for what it may know as well.
    replica: Option<Replica>,
}

enum Kind {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// In a file that others share.
    pub fn sqlite(database: Arc<Database>) -> Result<Self, OpenError> {
        sqlite::Sqlite::start(database).map(|sqlite| Self::of(Kind::Sqlite(sqlite)))
    }

    /// In a database that other nodes share. Blocks until its tables are there.
    pub fn postgres(options: Options, connections: Connections) -> Result<Self, ConnectError> {
        let postgres = postgres::Postgres::open(options, connections)?;
        Ok(Self::of(Kind::Postgres(postgres)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, replica: None }
    }

    /// The same with a server that follows this one, to take reads off it.
    pub fn read_from(self, replica: Replica) -> Self {
        Self { replica: Some(replica), ..self }
    }

    async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        whose: Whose,
        work: impl for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>> + Send + 'static,
    ) -> Answer<T> {
        match &self.kind {
            Kind::Sqlite(sqlite) => sqlite.run(purpose, whose, Box::new(work)).await,
            Kind::Postgres(postgres) => postgres.run(purpose, whose, Box::new(work)).await,
        }
    }

    /// Reads one snapshot of a person's data.
    async fn read<T: Send + 'static>(
        &self,
        user: &UserId,
        work: impl for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>> + Send + 'static,
    ) -> Answer<T> {
        self.run(Purpose::Read, Whose::One(user.clone()), work).await
    }

    /// Changes a person's data: all of it or nothing.
    async fn write<T: Send + 'static>(
        &self,
        user: &UserId,
        work: impl for<'a> FnOnce(&'a mut Session) -> BoxFuture<'a, Result<T, Fault>> + Send + 'static,
    ) -> Answer<T> {
        self.run(Purpose::Write, Whose::One(user.clone()), work).await
    }

    /// The present generation of a person's data.
    pub async fn generation(&self, user: &UserId) -> Result<i64, Refusal> {
        let nothing = self.read(user, |_| Box::pin(async { Ok(()) })).await?;
        Ok(nothing.generation)
    }
}
