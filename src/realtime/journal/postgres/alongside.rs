//! Publications that others append in transactions of their own, together with what they are about.

use diesel::{QueryResult, QueryableByName, result::Error, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::append::{Arrays, results};
use crate::{
    platform::postgres::the_one,
    realtime::journal::{Append, Appended, Batch},
};

#[derive(QueryableByName)]
struct Meta {
    #[diesel(sql_type = Text)]
    generation: String,
}

/// Appends within the transaction that is open on a connection to the same database: it stands when that is committed.
/// Results come by ordinal.
///
/// The rows of its channels are locked until then, so it belongs at the end, and who stands still before the commit holds
/// up these channels until the server's patience with idle transactions ends.
pub async fn append_alongside(
    connection: &mut AsyncPgConnection,
    appends: Vec<Append>,
) -> QueryResult<Vec<Appended>> {
    let batch = Batch::alone(appends);
    let asked = diesel::sql_query("select generation from journal_meta where id = 1");
    let meta: Meta = the_one(asked.load(connection).await)?;
    let seq = i64::try_from(batch.seq).unwrap_or(i64::MAX);
    let numbers = Arrays::of(&batch).send(connection, batch.writer.0, seq, None).await?;
    results(&numbers, batch.appends.len(), &meta.generation).ok_or(Error::NotFound)
}
