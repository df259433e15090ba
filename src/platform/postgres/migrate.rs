//! Brings a database to the form of this version: each step once, in order, one node at a time.
//!
//! Steps only add (tables, columns with a default, functions under a new name), so that nodes of the version before go on
//! beside those of this one; what nobody uses any more is dropped one release later.

use diesel::{
    QueryableByName,
    sql_types::{Bool, Text},
};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};

use super::{ConnectError, Link, Options};

/// The steps, oldest first: (version, what it does).
const STEPS: &[(&str, &str)] = &[
    (
        "20260101000000",
        include_str!("../../../migrations/postgres/2026-01-01-000000_journal/up.sql"),
    ),
    (
        "20260102000000",
        include_str!("../../../migrations/postgres/2026-01-02-000000_barred/up.sql"),
    ),
    (
        "20260103000000",
        include_str!("../../../migrations/postgres/2026-01-03-000000_portfolio/up.sql"),
    ),
    (
        "20260104000000",
        include_str!("../../../migrations/postgres/2026-01-04-000000_prices/up.sql"),
    ),
    (
        "20260105000000",
        include_str!("../../../migrations/postgres/2026-01-05-000000_computed/up.sql"),
    ),
    (
        "20260106000000",
        include_str!("../../../migrations/postgres/2026-01-06-000000_keys_by_age/up.sql"),
    ),
];

/// Taken while migrating; any number that others are unlikely to use.
const LOCK: i64 = 0x66_616e_6661_7265;

/// The same table that diesel's command line uses.
const TABLE: &str = "\
create table if not exists __diesel_schema_migrations (
    version varchar(50) primary key,
    run_on timestamp not null default current_timestamp
)";

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

/// Runs what has not run yet; says how many steps that were. A database that is up to date is only read.
pub async fn migrate(options: &Options) -> Result<usize, ConnectError> {
    let link = &mut Link::open(options).await?;
    let failed = |why: diesel::result::Error| {
        ConnectError::Unreachable(format!("the database can't be migrated: {why}"))
    };
    if pending(link).await.map_err(failed)?.is_empty() {
        return Ok(0);
    }
    let (connection, mut done) = (link.query(), 0);
    connection
        .transaction(async |connection| {
            // Others wait until we are done, however long that is, and find nothing left to do.
            let wait = "set local lock_timeout = 0; set local statement_timeout = 0";
            connection.batch_execute(wait).await?;
            let lock = format!("select pg_advisory_xact_lock({LOCK})");
            connection.batch_execute(&lock).await?;
            connection.batch_execute(TABLE).await?;
            let ran = versions(connection).await?;
            for (version, step) in
                STEPS.iter().filter(|(version, _)| !ran.iter().any(|ran| ran == version))
            {
                connection.batch_execute(step).await?;
                let note = "insert into __diesel_schema_migrations (version) values ($1)";
                diesel::sql_query(note).bind::<Text, _>(version).execute(connection).await?;
                done += 1;
            }
            Ok(())
        })
        .await
        .map_err(failed)?;
    Ok(done)
}

async fn pending(link: &mut Link) -> diesel::QueryResult<Vec<&'static str>> {
    let connection = link.query();
    let there = "select to_regclass('__diesel_schema_migrations') is not null as exists";
    let there: Exists = diesel::sql_query(there).get_result(connection).await?;
    let ran = if there.exists { versions(connection).await? } else { Vec::new() };
    Ok(STEPS
        .iter()
        .map(|(version, _)| *version)
        .filter(|step| !ran.iter().any(|ran| ran == step))
        .collect())
}

async fn versions(
    connection: &mut diesel_async::AsyncPgConnection,
) -> diesel::QueryResult<Vec<String>> {
    let all = "select version::text as version from __diesel_schema_migrations";
    let all: Vec<Version> = diesel::sql_query(all).load(connection).await?;
    Ok(all.into_iter().map(|row| row.version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_migrations_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
        let mut folders: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        folders.sort();
        let version = |name: &String| {
            name.split_once('_').unwrap().0.chars().filter(char::is_ascii_digit).collect::<String>()
        };
        let built_in: Vec<_> = STEPS.iter().map(|(version, _)| (*version).to_owned()).collect();
        assert_eq!(folders.iter().map(version).collect::<Vec<_>>(), built_in);
    }
}
