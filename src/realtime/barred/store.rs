//! Where bars are kept: the trait, and how a bar is a row.

use super::{Bar, Whom};
use crate::realtime::journal::{Pending, Unavailable};

/// A small table that all nodes share and that outlives them. Any thread may ask.
pub trait BarStore: Send + Sync + 'static {
    /// All bars that hold at `now` (Unix seconds, as below).
    fn load(&self, now: i64) -> Pending<'_, Result<Vec<Bar>, Unavailable>>;

    /// Keeps a bar in the place of one before on the same, and drops those that are over.
    fn put(&self, bar: Bar, now: i64) -> Pending<'_, Result<(), Unavailable>>;

    /// Lets a user in again.
    fn allow(&self, user: String) -> Pending<'_, Result<(), Unavailable>>;
}

/// A bar as it is written: kind, name, before, until.
pub(super) type Row = (i16, String, i64, Option<i64>);

/// What the kind of a blocked user is written as.
pub(super) const USER: i16 = 1;
const TOKEN: i16 = 2;
const TOKENS_BEFORE: i16 = 3;

pub(super) fn row(Bar { whom, until }: Bar) -> Row {
    match whom {
        Whom::User(user) => (USER, user, 0, until),
        Whom::Token(token) => (TOKEN, token, 0, until),
        Whom::TokensBefore { user, before } => (TOKENS_BEFORE, user, before, until),
    }
}

/// None for a kind that a later version knows.
pub(super) fn bar((kind, name, before, until): Row) -> Option<Bar> {
    let whom = match kind {
        USER => Whom::User(name),
        TOKEN => Whom::Token(name),
        TOKENS_BEFORE => Whom::TokensBefore { user: name, before },
        _ => return None,
    };
    Some(Bar { whom, until })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        platform::{database::Database, postgres::Options, scratch::postgres::shared::schema},
        realtime::barred::{PostgresBars, SqliteBars},
    };

    fn user(name: &str, until: Option<i64>) -> Bar {
        Bar { whom: Whom::User(name.into()), until }
    }

    async fn keeps(store: impl Fn() -> Box<dyn BarStore>) {
        let one = store();
        assert_eq!(one.load(0).await, Ok(vec![]));
        one.put(user("ana", Some(10)), 0).await.unwrap();
        one.put(user("bo", Some(20)), 0).await.unwrap();
        let revoked = Bar { whom: Whom::Token("t".into()), until: None };
        one.put(revoked.clone(), 0).await.unwrap();
        let old = Whom::TokensBefore { user: "ana".into(), before: 7 };
        let old = Bar { whom: old, until: Some(90) };
        one.put(old.clone(), 0).await.unwrap();
        // Another node, or the same after a restart.
        let two = store();
        let all = |now| async move {
            let mut all = two.load(now).await.unwrap();
            all.sort_by_key(|bar| format!("{bar:?}"));
            (all, two)
        };
        let (held, two) = all(10).await;
        assert_eq!(held, [revoked.clone(), old.clone(), user("bo", Some(20))]);
        two.put(user("bo", None), 20).await.unwrap();
        assert_eq!(one.load(0).await.unwrap().len(), 3, "what was over is dropped, not hidden");
        one.allow("bo".into()).await.unwrap();
        one.allow("nobody".into()).await.unwrap();
        assert_eq!(one.load(0).await.unwrap().len(), 2);
    }

    #[actix::test]
    async fn bars_are_kept_in_a_file() {
        let file = std::env::temp_dir().join(format!("fanfare-{}.db", uuid::Uuid::new_v4()));
        let database = || Arc::new(Database::open(&file).expect("a database"));
        keeps(|| Box::new(SqliteBars::new(database()))).await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", file.display()));
        }
    }

    #[actix::test]
    async fn bars_are_kept_in_postgresql() {
        let url = schema();
        let patience = std::time::Duration::from_secs(4);
        let options = || Options::parse(&url, patience, patience).expect("an address");
        let first = options();
        let engine = crate::platform::postgres::Engine::start("migrating").expect("a thread");
        let migrated = engine.run(async move { crate::platform::postgres::migrate(&first).await });
        migrated.await.expect("it ran").expect("it is migrated");
        keeps(|| Box::new(PostgresBars::new(options()).expect("a thread"))).await;
    }
}
