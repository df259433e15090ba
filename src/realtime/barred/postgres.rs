//! Bars in the database that nodes share, on a connection of their own.

use std::sync::Arc;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;
use tokio::{sync::Mutex, time::timeout};

use super::{
    Bar, BarStore,
    store::{USER, bar, row},
};
use crate::{
    platform::postgres::{ConnectError, Engine, Link, Options},
    realtime::journal::{Pending, Unavailable},
};

const LOAD: &str = "select kind, name, before, until from barred where until is null or until > $1";

/// Both in one statement, which is its own transaction.
const PUT: &str = "\
with over as (delete from barred where until <= $5 and not (kind = $1 and name = $2))
insert into barred (kind, name, before, until) values ($1, $2, $3, $4)
on conflict (kind, name) do update set before = excluded.before, until = excluded.until";

const ALLOW: &str = "delete from barred where kind = $1 and name = $2";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SmallInt)]
    kind: i16,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    before: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    until: Option<i64>,
}

/// Bars in PostgreSQL.
pub struct PostgresBars {
    shared: Arc<Shared>,
    engine: Engine,
}

struct Shared {
    options: Options,
    link: Mutex<Option<Link>>,
}

impl PostgresBars {
    /// Connects when it is first asked something.
    pub fn new(options: Options) -> Result<Self, ConnectError> {
        let engine = Engine::start("barred-postgres");
        let engine = engine.map_err(|why| ConnectError::Unreachable(why.to_string()))?;
        Ok(Self { shared: Arc::new(Shared { options, link: Mutex::default() }), engine })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut AsyncPgConnection) -> BoxFuture<'a, QueryResult<T>>
        + Send
        + 'static,
    ) -> Pending<'_, Result<T, Unavailable>> {
        let shared = self.shared.clone();
        let done = self.engine.run(async move { shared.ask(work).await });
        Box::pin(async move {
            let done = done.await.unwrap_or_else(|| Err("it fell".into()));
            done.map_err(|why| Unavailable(format!("who is barred could not be asked: {why}")))
        })
    }
}

impl Shared {
    /// One after the other. After anything but an answer the connection is dropped.
    async fn ask<T>(
        &self,
        work: impl for<'a> FnOnce(&'a mut AsyncPgConnection) -> BoxFuture<'a, QueryResult<T>>,
    ) -> Result<T, String> {
        let answer = self.options.answer();
        let late = |_| "the database did not answer in time".to_owned();
        let mut place = timeout(answer, self.link.lock()).await.map_err(late)?;
        let mut link = match place.take().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => Link::open(&self.options).await.map_err(|why| why.to_string())?,
        };
        let done = timeout(answer, work(link.query())).await.map_err(late)?;
        let done = done.map_err(|why| why.to_string())?;
        *place = Some(link);
        Ok(done)
    }
}

impl BarStore for PostgresBars {
    fn load(&self, now: i64) -> Pending<'_, Result<Vec<Bar>, Unavailable>> {
        self.run(move |connection| {
            Box::pin(async move {
                let load = diesel::sql_query(LOAD).bind::<BigInt, _>(now);
                let rows: Vec<Row> = load.load(connection).await?;
                let bar = |row: Row| bar((row.kind, row.name, row.before, row.until));
                Ok(rows.into_iter().filter_map(bar).collect())
            })
        })
    }

    fn put(&self, what: Bar, now: i64) -> Pending<'_, Result<(), Unavailable>> {
        self.run(move |connection| {
            Box::pin(async move {
                let (kind, name, before, until) = row(what);
                let put = diesel::sql_query(PUT)
                    .bind::<SmallInt, _>(kind)
                    .bind::<Text, _>(name)
                    .bind::<BigInt, _>(before)
                    .bind::<Nullable<BigInt>, _>(until)
                    .bind::<BigInt, _>(now);
                put.execute(connection).await.map(drop)
            })
        })
    }

    fn allow(&self, user: String) -> Pending<'_, Result<(), Unavailable>> {
        self.run(move |connection| {
            Box::pin(async move {
                let allow = diesel::sql_query(ALLOW);
                let allow = allow.bind::<SmallInt, _>(USER).bind::<Text, _>(user);
                allow.execute(connection).await.map(drop)
            })
        })
    }
}
