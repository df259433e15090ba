//! What only a server can suffer: errors at each step, a connection that dies around its commit, locks,
//! busy connections, other settings, another timeline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Connections, PostgresJournal};
use crate::{
    platform::{
        postgres::{ConnectError, Options},
        scratch::{
            Postgres,
            postgres::shared::{schema, server, sql},
        },
    },
    protocol::{ClientInfo, Publication},
    realtime::journal::{
        Append, AppendError, Appended, Direction, Journal, Range, Settled, Version,
        contract::fixture::{
            Fixture, Lane, World, append, channel, keyed, new, offsets, postgres, said,
        },
    },
};

mod gathering;
mod proxy;

/// How long anything may take before a test gives up.
const SOON: Duration = Duration::from_secs(20);

/// A schema, a journal in it, and a hand in the database.
struct Scene {
    url: String,
    journal: Arc<dyn Journal>,
    view: Fixture,
}

impl Scene {
    fn new() -> Self {
        let url = schema();
        let it = Self::at(&url, &url);
        // Raises wherever a test puts it; kills its own connection where a test says so.
        it.sql(
            "create function fail() returns trigger language plpgsql as $$ begin raise exception 'as the test asked'; end $$; \
             create function die() returns trigger language plpgsql as $$ \
             begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$",
        );
        it
    }

    /// The journal through one address, the hand through another.
    fn at(url: &str, hand: &str) -> Self {
        let world = World::new();
        let journal: Arc<dyn Journal> = Arc::new(postgres(url, &world));
        Self { url: hand.to_owned(), view: Fixture::of(journal.clone(), world), journal }
    }

    fn sql(&self, text: &str) -> String {
        sql(&self.url, text)
    }

    /// Asks until the count is not 0 any more.
    async fn until(&self, count: &str) {
        let asking = async {
            while self.sql(count) == "0" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, asking).await.expect("it comes to that in time");
    }
}

/// A batch that takes every step that an append has.
fn batch(round: usize) -> Vec<Append> {
    let version = Some(Version { number: round as u64 + 1, epoch: String::new() });
    vec![
        append("a", "1"),
        keyed("a", "2", "api", &round.to_string()),
        Append { version, ..append("b", "3") },
        append(&format!("new {round}"), "4"),
    ]
}

/// Where an append writes: what it does to which table.
const STEPS: [&str; 9] = [
    "insert on journal_writers",
    "insert on journal_channels",
    "update of life on journal_channels",
    "insert on journal_keys",
    "insert on journal_publications",
    "update of top on journal_channels",
    "update of version_number on journal_channels",
    "insert on journal_feed",
    "update on journal_writers",
];

#[actix::test]
async fn an_error_at_any_step_leaves_nothing_and_is_refused() {
    let it = Scene::new();
    Lane::new(&it.journal).append(vec![append("a", "before"), append("b", "before")]).await;
    for (round, step) in STEPS.into_iter().enumerate() {
        let tops = (it.view.all("a").await.top, it.view.all("b").await.top);
        it.sql(&format!(
            "create trigger broken before {step} for each row execute function fail()"
        ));
        let mut lane = Lane::new(&it.journal);
        let refused = it.journal.append(lane.batch(batch(round))).await;
        let table = step.rsplit(' ').next().unwrap();
        it.sql(&format!("drop trigger broken on {table}"));
        assert!(
            matches!(&refused, Err(AppendError::Refused(why)) if why.contains("as the test asked")),
            "{step}: {refused:?}"
        );
        assert_eq!((it.view.all("a").await.top, it.view.all("b").await.top), tops, "{step}");
        let results = lane.append(batch(round)).await;
        assert_eq!(new(&results[0]), tops.0 + 1, "{step}: no offset is left out, no key is taken");
        assert!(
            results.iter().all(|result| matches!(result, Appended::New(_))),
            "{step}: {results:?}"
        );
    }
    let all = it.view.all("a").await;
    assert_eq!(offsets(&all), (1..=all.top).collect::<Vec<_>>());
}

#[actix::test]
async fn a_connection_that_dies_in_its_commit_leaves_an_unknown_fate_that_settles_as_never() {
    let it = Scene::new();
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    it.sql(
        "create constraint trigger deadly after insert on journal_feed deferrable initially deferred \
         for each row execute function die()",
    );
    let unknown = it.journal.append(lane.batch(vec![append("a", "ghost")])).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    it.sql("drop trigger deadly on journal_feed");
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Never));
    let ghost = it.journal.append(lane.batch(vec![append("a", "ghost")])).await;
    assert!(matches!(ghost, Err(AppendError::Refused(_))), "{ghost:?}");
    assert_eq!(new(&Lane::new(&it.journal).one(append("a", "2")).await), 2);
    assert_eq!(said(&it.view.all("a").await), ["1", "2"]);
}

#[actix::test]
async fn a_commit_whose_answer_is_lost_settles_as_happened() {
    let url = schema();
    let proxy = proxy::Proxy::start(server().port());
    let it = Scene::at(&proxy.address(&url), &url);
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    proxy.swallow_the_next_answer();
    let unknown =
        it.journal.append(lane.batch(vec![append("a", "2"), keyed("b", "1", "api", "k")])).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    let Ok(Settled::Happened(results)) = it.journal.settle(lane.writer, 2).await else {
        panic!("it was committed")
    };
    assert_eq!(results.iter().map(new).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(said(&it.view.all("a").await), ["1", "2"]);
    let again = Lane::new(&it.journal).one(keyed("b", "1", "api", "k")).await;
    assert!(
        matches!(again, Appended::Duplicate(_)),
        "a retry with its key happens once: {again:?}"
    );
}

#[actix::test]
async fn settling_waits_for_what_is_still_under_way() {
    let it = Scene::new();
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    let other = Arc::new(postgres(&it.url, &it.view.world));
    it.sql(
        "create function wait() returns trigger language plpgsql as $$ \
         begin perform pg_sleep(0.5); return null; end $$; \
         create constraint trigger slow after insert on journal_feed deferrable initially deferred \
         for each row execute function wait()",
    );
    let appending = it.journal.append(lane.batch(vec![append("a", "2")]));
    let settling = async {
        // Once the append holds its writer.
        let held = "select count(*) from pg_stat_activity where query like '%journal_append%' and state = 'active' \
                    and pid <> pg_backend_pid() and wait_event = 'PgSleep'";
        it.until(held).await;
        other.settle(lane.writer, 2).await
    };
    let (appended, settled) = futures_util::future::join(appending, settling).await;
    assert_eq!(settled, Ok(Settled::Happened(appended.unwrap())));
}

/// A journal with little patience.
fn hasty(url: &str, world: &World) -> PostgresJournal {
    let short = Duration::from_millis(200);
    let options = Options::parse(url, Duration::from_secs(4), short).unwrap();
    let connections = Connections { appending: 1, reading: 1, wait: short };
    PostgresJournal::with_clock(options, connections, world.retention(), Some(world.clock()))
        .unwrap()
}

#[actix::test]
async fn who_waits_for_a_lock_too_long_is_refused_and_nothing_is_left() {
    let it = Scene::new();
    let hasty: Arc<dyn Journal> = Arc::new(hasty(&it.url, &it.view.world));
    let mut lane = Lane::new(&hasty);
    lane.append(vec![append("a", "1"), append("b", "1")]).await;
    // Another node's batch that does not come to its end.
    let slow = "begin; select 1 from journal_channels where name = 'a' for update; select pg_sleep(2); rollback";
    let url = it.url.clone();
    let holder = std::thread::spawn(move || sql(&url, slow));
    let held = format!(
        "select count(*) from pg_stat_activity where query like '%{slow}%' and wait_event = 'PgSleep'"
    );
    it.until(&held.replace("'a'", "''a''")).await;
    let refused = hasty.append(lane.batch(vec![append("b", "no"), append("a", "no")])).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    assert_eq!(new(&lane.one(append("b", "2")).await), 2, "other channels go on");
    holder.join().unwrap();
    assert_eq!(new(&lane.one(append("a", "2")).await), 2);
}

#[actix::test]
async fn busy_connections_say_try_again_and_nothing_hangs() {
    let it = Scene::new();
    Lane::new(&it.journal).one(append("a", "1")).await;
    let hasty: Arc<dyn Journal> = Arc::new(hasty(&it.url, &it.view.world));
    let slow = "begin; lock table journal_channels in access exclusive mode; select pg_sleep(1.5); rollback";
    let url = it.url.clone();
    let holder = std::thread::spawn(move || sql(&url, slow));
    let held = format!(
        "select count(*) from pg_stat_activity where query like '%{slow}%' and wait_event = 'PgSleep'"
    );
    it.until(&held).await;
    let view = Fixture::of(hasty.clone(), it.view.world.clone());
    let range = Range { direction: Direction::After(0), limit: 1, max_bytes: 1 };
    let a = channel("a");
    let reads = (0..6).map(|_| hasty.read(&a, range));
    let all = futures_util::future::join_all(reads).await;
    let why: Vec<_> = all.into_iter().map(|read| read.unwrap_err().0).collect();
    assert!(why.iter().any(|why| why.contains("busy; try again")), "{why:?}");
    let (mut one, two) = (Lane::new(&hasty), Lane::new(&hasty));
    let (first, second) = futures_util::future::join(
        hasty.append(one.batch(vec![append("a", "no")])),
        hasty.append(two.batch(vec![append("a", "no")])),
    )
    .await;
    for refused in [first, second] {
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    }
    holder.join().unwrap();
    assert_eq!(said(&view.all("a").await), ["1"]);
    assert_eq!(new(&one.one(append("a", "2")).await), 2);
}

#[actix::test]
async fn a_server_that_would_not_keep_it_is_refused_by_its_setting() {
    let url = schema();
    for bad in ["off", "local"] {
        let url = format!("{url}%20-c%20synchronous_commit%3D{bad}");
        let options = Options::parse(&url, Duration::from_secs(4), Duration::from_secs(4)).unwrap();
        let connections = Connections { appending: 1, reading: 1, wait: Duration::from_secs(1) };
        let refused = PostgresJournal::open(options, connections, World::new().retention()).err();
        assert!(
            matches!(&refused, Some(ConnectError::Unfit { setting: "synchronous_commit", .. })),
            "{refused:?}"
        );
    }
}

#[actix::test]
async fn another_timeline_is_another_generation_and_a_restart_is_not() {
    let it = Scene::new();
    let mut lane = Lane::new(&it.journal);
    lane.append(batch(0)).await;
    let before = it.view.all("a").await;
    let again = Scene::at(&it.url, &it.url);
    assert_eq!(again.view.all("a").await, before);
    it.sql("update journal_meta set timeline = '00000000'");
    let promoted = Scene::at(&it.url, &it.url);
    let after = promoted.view.all("a").await;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(after.publications, before.publications);
    let next = Scene::at(&it.url, &it.url).view.all("a").await;
    assert_eq!(next.epoch, after.epoch, "only the first that sees it draws");
    assert_eq!(
        promoted.view.all("nobody").await.epoch.as_str().split('.').next(),
        after.epoch.as_str().split('.').next()
    );
}

#[actix::test]
async fn two_nodes_that_start_together_migrate_once() {
    let (url, world) = (schema(), World::new());
    let starts: Vec<_> = (0..3)
        .map(|_| {
            let (url, world) = (url.clone(), world.clone());
            std::thread::spawn(move || drop(postgres(&url, &world)))
        })
        .collect();
    for start in starts {
        start.join().expect("each of them starts");
    }
    let steps = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let steps = std::fs::read_dir(steps).expect("the steps").count().to_string();
    assert_eq!(sql(&url, "select count(*) from __diesel_schema_migrations"), steps);
}

#[actix::test]
async fn a_user_may_be_called_anything_that_is_text() {
    let it = Scene::new();
    let mut odd = append("a", "x");
    let info = ClientInfo { user: "a\0b\u{1}".into(), ..Default::default() };
    let publication = Publication { info: Some(Arc::new(info)), ..(*odd.publication).clone() };
    odd.publication = Arc::new(publication);
    odd.version = Some(Version { number: 1, epoch: "\0".into() });
    Lane::new(&it.journal).append(vec![odd.clone(), append("b", "of somebody else")]).await;
    let read = it.view.all("a").await.publications.remove(0);
    assert_eq!(read.info, odd.publication.info);
}

#[actix::test]
async fn a_server_that_is_gone_is_told_in_time_and_is_used_again_when_it_is_back() {
    let url = schema();
    let proxy = proxy::Proxy::start(server().port());
    let it = Scene::at(&proxy.address(&url), &url);
    Lane::new(&it.journal).one(append("a", "1")).await;
    proxy.cut(true);
    let lane = Lane::new(&it.journal);
    let failed = it.journal.append(lane.batch(vec![append("a", "no")])).await;
    assert!(failed.is_err());
    let refused = it.journal.append(Lane::new(&it.journal).batch(vec![append("a", "no")])).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "nothing was sent: {refused:?}");
    assert!(it.journal.changes(Default::default()).await.is_err());
    proxy.cut(false);
    assert_eq!(it.journal.settle(lane.writer, 1).await, Ok(Settled::Never));
    assert_eq!(new(&Lane::new(&it.journal).one(append("a", "2")).await), 2);
}

#[actix::test]
async fn a_cancelled_wait_for_a_standby_is_no_acknowledgement() {
    let server = Postgres::start(&[]).expect("a server of its own: the others would wait, too");
    let url = server.url("postgres");
    let it = Scene::at(&url, &url);
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    it.sql("alter system set synchronous_standby_names = 'nobody'");
    it.sql("select pg_reload_conf()");
    // The setting takes hold a moment later: until then appends do not wait.
    let unknown = tokio::time::timeout(SOON, async {
        loop {
            let appended = AtomicBool::new(false);
            let appending = async {
                let result = it.journal.append(lane.batch(vec![append("a", "2")])).await;
                appended.store(true, Ordering::SeqCst);
                result
            };
            let cancelling = async {
                let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
                while !appended.load(Ordering::SeqCst) && it.sql(cancel) == "0" {
                    tokio::task::yield_now().await;
                }
            };
            match futures_util::future::join(appending, cancelling).await.0 {
                Ok(_) => lane.seq += 1,
                Err(why) => return why,
            }
        }
    });
    let unknown = unknown.await.expect("an append waits for the standby");
    assert!(matches!(unknown, AppendError::Unknown(_)), "{unknown:?}");
    it.sql("alter system reset synchronous_standby_names");
    it.sql("select pg_reload_conf()");
    let settled = it.journal.settle(lane.writer, lane.seq + 1).await;
    assert!(matches!(settled, Ok(Settled::Happened(_))), "it was committed here: {settled:?}");
}
