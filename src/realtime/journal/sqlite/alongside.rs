//! Publications that others write into the file in transactions of their own, together with what they are about.

use std::sync::Arc;

use diesel::{QueryResult, SqliteConnection, result::DatabaseErrorKind};

use super::{
    append::{Stop, Work},
    fault::Faults,
    heads::Heads,
};
use crate::{
    platform::database::Database,
    realtime::journal::{Append, Appended, Batch, Clock},
};

/// A way into the journal beside its committing thread.
#[derive(Clone)]
pub struct Alongside {
    pub(super) database: Arc<Database>,
    pub(super) generation: Arc<str>,
    pub(super) clock: Clock,
}

impl Alongside {
    /// Appends within the transaction that is open on a connection to the same file, whose holder has
    /// [`Database::writing`]. It stands when that is committed; after an error it must not be. Results come by ordinal.
    pub fn append(
        &self,
        connection: &mut SqliteConnection,
        appends: Vec<Append>,
    ) -> QueryResult<Vec<Appended>> {
        let batch = Batch::alone(appends);
        // Whether or not it is committed: then it reads again what is as it was.
        self.database.rewrite();
        // Nothing is remembered from one time to the next: the committing thread is not asked.
        let (heads, faults) = (Heads::default(), Faults::default());
        let (generation, now) = (&*self.generation, (self.clock)());
        let work = Work { connection, heads: &heads, generation, now, faults: &faults };
        match work.append(&batch) {
            Ok(outcome) => Ok(outcome.results),
            Err(Stop::Query(why)) => Err(why),
            Err(Stop::Refused(why)) => {
                Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(why)))
            }
        }
    }
}
