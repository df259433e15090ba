//! Bars in the file of a node alone. Each call opens a connection: they are rare.

use std::sync::Arc;

use diesel::prelude::*;

use super::{
    Bar, BarStore,
    store::{Row, USER, bar, row},
};
use crate::{
    platform::database::Database,
    realtime::journal::{Pending, Unavailable},
};

diesel::table! {
    barred (kind, name) {
        kind -> SmallInt,
        name -> Text,
        before -> BigInt,
        until -> Nullable<BigInt>,
    }
}

/// Bars in the journal's file.
pub struct SqliteBars(Arc<Database>);

impl SqliteBars {
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// On a thread that may block.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Pending<'_, Result<T, Unavailable>> {
        let database = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _order = database.writing();
            let mut connection = database.connect().map_err(|why| why.to_string())?;
            connection.immediate_transaction(work).map_err(|why| why.to_string())
        });
        Box::pin(async move {
            let done = done.await.unwrap_or_else(|_| Err("it fell".into()));
            done.map_err(|why| Unavailable(format!("who is barred could not be asked: {why}")))
        })
    }
}

impl BarStore for SqliteBars {
    fn load(&self, now: i64) -> Pending<'_, Result<Vec<Bar>, Unavailable>> {
        self.run(move |connection| {
            let rows = barred::table
                .filter(barred::until.is_null().or(barred::until.gt(now)))
                .load::<Row>(connection)?;
            Ok(rows.into_iter().filter_map(bar).collect())
        })
    }

    fn put(&self, what: Bar, now: i64) -> Pending<'_, Result<(), Unavailable>> {
        self.run(move |connection| {
            let over = barred::table.filter(barred::until.le(now));
            diesel::delete(over).execute(connection)?;
            let (kind, name, before, until) = row(what);
            diesel::replace_into(barred::table)
                .values((
                    barred::kind.eq(kind),
                    barred::name.eq(name),
                    barred::before.eq(before),
                    barred::until.eq(until),
                ))
                .execute(connection)
                .map(drop)
        })
    }

    fn allow(&self, user: String) -> Pending<'_, Result<(), Unavailable>> {
        self.run(move |connection| {
            diesel::delete(barred::table.find((USER, user))).execute(connection).map(drop)
        })
    }
}
