//! How a journal gets its generation, and how a copy gets another one.

use std::{fs::File, path::Path};

use diesel::{connection::SimpleConnection, prelude::*, sql_types::Text};

use super::schema::{journal_keys, journal_lives, journal_meta};
use crate::{
    platform::{database::Database, mutant::mutant},
    realtime::journal::{Unavailable, numbering},
};

/// The generation of the file: drawn when it is new, and anew when it is a copy that was never opened.
pub(super) fn generation(
    database: &Database,
    connection: &mut SqliteConnection,
) -> QueryResult<String> {
    use journal_meta as m;
    let _order = database.writing();
    connection.immediate_transaction(|connection| {
        let found: Option<(String, i64)> =
            m::table.find(1).select((m::generation, m::copied)).first(connection).optional()?;
        if mutant!(KeysKeptInMemory) {
            diesel::delete(journal_keys::table).execute(connection)?;
        }
        if let Some((generation, copied)) = found
            && (copied == 0 || mutant!(GenerationKept))
        {
            return Ok(generation);
        }
        let generation = numbering::new_generation();
        diesel::replace_into(m::table)
            .values((m::id.eq(1), m::generation.eq(&generation), m::copied.eq(0)))
            .execute(connection)?;
        diesel::delete(journal_lives::table).execute(connection)?;
        Ok(generation)
    })
}

/// Writes a copy of a journal in use to `to`, which must not exist.
///
/// The copy is marked: whoever opens it first draws another generation, so that no client takes
/// offsets that are given out a second time for the ones it knows. Takes as long as reading and
/// writing all of it; appends go on meanwhile.
pub fn backup(from: &Path, to: &Path) -> Result<(), Unavailable> {
    let unavailable = |why: String| Unavailable(format!("no backup to {}: {why}", to.display()));
    if to.exists() {
        return Err(unavailable("it exists already, choose another name".into()));
    }
    if !from.exists() {
        return Err(unavailable(format!("there is no journal at {}", from.display())));
    }
    let half = to.with_extension("half");
    copy(from, &half)
        .and_then(|()| std::fs::rename(&half, to).map_err(|why| why.to_string()))
        .map_err(|why| {
            // What is half there helps nobody; that it can't be removed changes nothing.
            let _ = std::fs::remove_file(&half);
            unavailable(why)
        })
}

fn copy(from: &Path, half: &Path) -> Result<(), String> {
    if half.exists() {
        std::fs::remove_file(half).map_err(|why| why.to_string())?;
    }
    let connect = |path: &Path| {
        SqliteConnection::establish(&path.to_string_lossy()).map_err(|why| why.to_string())
    };
    let mut connection = connect(from)?;
    connection.batch_execute("PRAGMA busy_timeout = 5000").map_err(|why| why.to_string())?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(half.to_string_lossy())
        .execute(&mut connection)
        .map_err(|why| why.to_string())?;
    let mut copy = connect(half)?;
    diesel::update(journal_meta::table)
        .set(journal_meta::copied.eq(1))
        .execute(&mut copy)
        .map_err(|why| why.to_string())?;
    drop(copy);
    File::open(half).and_then(|file| file.sync_all()).map_err(|why| why.to_string())
}
