//! What only a file can suffer: errors at each statement, a full disk, a lock, copies, restarts.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use super::{SqliteJournal, backup, fault::Fault, fault::Faults};
use crate::{
    platform::{
        database::{Database, OpenError},
        mutant::caught,
    },
    realtime::journal::{
        Append, AppendError, Appended, Journal, Settled, Version,
        contract::fixture::{
            Fixture, Folder, Lane, World, append, channel, keyed, new, offsets, open, said,
        },
    },
};

/// A journal that fails at the `place`-th statement after it was armed.
struct Failing {
    journal: Arc<dyn Journal>,
    armed: Arc<AtomicUsize>,
    fault: Arc<Mutex<(Fault, &'static str)>>,
}

fn failing(path: &Path, world: &World) -> Failing {
    let armed = Arc::new(AtomicUsize::new(usize::MAX));
    let fault = Arc::new(Mutex::new((Fault::None, "")));
    let (left, what) = (armed.clone(), fault.clone());
    let hook = move |place: &'static str| {
        let before = left.load(Ordering::SeqCst);
        if before == usize::MAX {
            return Fault::None;
        }
        if before > 0 {
            left.store(before - 1, Ordering::SeqCst);
            return Fault::None;
        }
        left.store(usize::MAX, Ordering::SeqCst);
        let mut what = what.lock().unwrap();
        what.1 = place;
        what.0
    };
    let faults = Faults { hook: Some(Arc::new(hook)) };
    let database = Arc::new(Database::open(path).unwrap());
    let journal =
        SqliteJournal::with_faults(database, world.retention(), world.clock(), faults).unwrap();
    Failing { journal: Arc::new(journal), armed, fault }
}

fn fixture(journal: &Arc<dyn Journal>, world: &World) -> Fixture {
    Fixture::of(journal.clone(), world.clone())
}

/// A batch that comes by every statement that an append has.
fn batch(round: usize) -> Vec<Append> {
    let version = Some(Version { number: round as u64 + 1, epoch: String::new() });
    vec![
        append("a", "1"),
        keyed("a", "2", "api", &round.to_string()),
        Append { version, ..append("b", "3") },
        append(&format!("new {round}"), "4"),
    ]
}

async fn nothing_or_all(kind: Fault) {
    let (folder, world) = (Folder::new(), World::new());
    let it = failing(&folder.file(), &world);
    let view = fixture(&it.journal, &world);
    Lane::new(&it.journal).one(append("b", "before")).await;
    let mut places = BTreeSet::new();
    for round in 0.. {
        let mut lane = Lane::new(&it.journal);
        lane.one(append("a", "before")).await;
        let tops = (view.all("a").await.top, view.all("b").await.top);
        it.fault.lock().unwrap().0 = kind;
        it.armed.store(round, Ordering::SeqCst);
        let result = it.journal.append(lane.batch(batch(round))).await;
        let all_places_done = it.armed.swap(usize::MAX, Ordering::SeqCst) != usize::MAX;
        if all_places_done {
            assert!(result.is_ok());
            break;
        }
        let place = it.fault.lock().unwrap().1;
        places.insert(place);
        let happened = place == "committed";
        match result {
            Err(AppendError::Refused(_)) => assert!(!happened && place != "commit", "{place}"),
            Err(AppendError::Unknown(_)) => {
                let settled = it.journal.settle(lane.writer, 2).await.unwrap();
                assert_eq!(matches!(settled, Settled::Happened(_)), happened, "{place}");
            }
            Ok(_) => panic!("acknowledged in spite of a failure at {place}"),
        }
        let after = (view.all("a").await.top, view.all("b").await.top);
        let grown = if happened { (tops.0 + 2, tops.1 + 1) } else { tops };
        assert_eq!(after, grown, "half a batch stands after {kind:?} at {place}");
        let key = keyed("a", "2", "api", &round.to_string());
        let retried = Lane::new(&it.journal).one(key).await;
        assert_eq!(matches!(retried, Appended::Duplicate(_)), happened, "the key, {place}");
    }
    let all = view.all("a").await;
    assert_eq!(offsets(&all), (1..=all.top).collect::<Vec<_>>(), "no offset is left out");
    let expected = [
        "begin",
        "channel",
        "commit",
        "committed",
        "feed",
        "head",
        "key",
        "key.written",
        "publication",
        "version",
        "writer",
    ];
    assert_eq!(places.into_iter().collect::<Vec<_>>(), expected);
}

#[actix::test]
async fn an_error_at_any_statement_leaves_nothing_or_all() {
    nothing_or_all(Fault::Error).await;
}

#[actix::test]
async fn a_panic_at_any_statement_leaves_nothing_or_all() {
    nothing_or_all(Fault::Panic).await;
}

#[actix::test]
async fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let (folder, world) = (Folder::new(), World::new());
    let database = Arc::new(Database::open_bounded(&folder.file(), Some(120)).unwrap());
    let journal: Arc<dyn Journal> =
        Arc::new(SqliteJournal::on(database, world.retention(), world.clock()).unwrap());
    let view = fixture(&journal, &world);
    let mut lane = Lane::new(&journal);
    let text = "x".repeat(3_000);
    let mut kept = 0;
    let why = loop {
        let batch = lane.batch(vec![append("a", &text), append("b", &text), append("a", &text)]);
        match journal.append(batch).await {
            Ok(_) => (kept, lane.seq) = (kept + 2, lane.seq + 1),
            Err(AppendError::Refused(why)) => break why,
            Err(AppendError::Unknown(why)) => panic!("the fate of a refused batch is known: {why}"),
        }
        assert!(kept < 1_000, "the disk never ends");
    };
    assert!(why.contains("full"), "{why}");
    assert_eq!(view.all("a").await.top, kept, "nothing of the refused batch stands");
    let batch = lane.batch(vec![append("a", &text), append("b", &text), append("a", &text)]);
    let again = journal.append(batch).await;
    assert!(matches!(again, Err(AppendError::Refused(_))), "still full");
    journal.remove(&channel("b")).await.unwrap();
    view.trim().await;
    assert_eq!(new(&lane.one(append("a", &text)).await), kept + 1);
}

#[actix::test]
async fn a_locked_file_refuses_and_takes_again_when_it_is_free() {
    let (folder, world) = (Folder::new(), World::new());
    let journal: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    let mut lane = Lane::new(&journal);
    lane.one(append("a", "1")).await;
    let mut other = SqliteConnection::establish(&folder.file().to_string_lossy()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = journal.append(lane.batch(vec![append("a", "2")])).await;
    assert!(
        matches!(&refused, Err(AppendError::Refused(why)) if why.contains("locked")),
        "{refused:?}"
    );
    assert_eq!(said(&fixture(&journal, &world).all("a").await), ["1"], "reads go on");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(new(&lane.one(append("a", "2")).await), 2);
}

#[actix::test]
async fn a_writer_is_closed_also_when_that_can_not_be_written() {
    let (folder, world) = (Folder::new(), World::new());
    let it = failing(&folder.file(), &world);
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    // "commit" is the 6th place of this batch.
    it.fault.lock().unwrap().0 = Fault::Error;
    it.armed.store(5, Ordering::SeqCst);
    let unknown = it.journal.append(lane.batch(vec![append("a", "2")])).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    // The look for the batch has 3 places; what comes then is the row that closes the writer.
    it.armed.store(3, Ordering::SeqCst);
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Never));
    let ghost = it.journal.append(lane.batch(vec![append("a", "2")])).await;
    assert!(matches!(ghost, Err(AppendError::Refused(_))), "{ghost:?}");
    Lane::new(&it.journal).one(append("a", "3")).await;
    assert_eq!(said(&fixture(&it.journal, &world).all("a").await), ["1", "3"]);
}

#[actix::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let (folder, world) = (Folder::new(), World::new());
    let first: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    let mut lane = Lane::new(&first);
    lane.append(batch(0)).await;
    let before = fixture(&first, &world).all("a").await;
    let writer = lane.writer;
    drop((lane, first));
    let second: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    assert_eq!(fixture(&second, &world).all("a").await, before);
    assert!(
        matches!(second.settle(writer, 1).await, Ok(Settled::Happened(results)) if results.len() == 4)
    );
    let mut lane = Lane::new(&second);
    assert!(matches!(lane.one(keyed("a", "2", "api", "0")).await, Appended::Duplicate(_)));
    assert_eq!(new(&lane.one(append("a", "x")).await), 3);
}

#[actix::test]
async fn a_backup_is_whole_and_begins_another_generation() {
    let (folder, world) = (Folder::new(), World::new());
    let journal: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    let mut lane = Lane::new(&journal);
    lane.append(batch(0)).await;
    let copy = folder.path().join("copy.db");
    backup(&folder.file(), &copy).unwrap();
    assert!(backup(&folder.file(), &copy).is_err(), "nothing is overwritten");
    lane.one(append("a", "after the copy")).await;
    let original = fixture(&journal, &world).all("a").await;
    let mut epochs = Vec::new();
    for opened in 0..2 {
        let restored: Arc<dyn Journal> = Arc::new(open(&copy, &world));
        let page = fixture(&restored, &world).all("a").await;
        assert_eq!(said(&page), ["1", "2"], "opened {opened} times");
        assert_ne!(page.epoch, original.epoch);
        epochs.push(page.epoch);
        epochs.push(fixture(&restored, &world).all("nobody").await.epoch);
    }
    assert_eq!(epochs[0], epochs[2], "only the first opening renews");
    assert_eq!(epochs[1], epochs[3]);
    let reopened: Arc<dyn Journal> = {
        drop((journal, lane));
        Arc::new(open(&folder.file(), &world))
    };
    assert_eq!(fixture(&reopened, &world).all("a").await, original, "the original goes on");
}

#[actix::test]
async fn the_file_shrinks_when_publications_go() {
    let (folder, world) = (Folder::new(), World::new());
    let journal: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    let mut lane = Lane::new(&journal);
    let text = "x".repeat(1_000);
    for _ in 0..20 {
        lane.append((0..500).map(|_| append("a", &text)).collect()).await;
    }
    world.keep(|retention| retention.ttl = Duration::from_secs(1));
    world.pass(Duration::from_secs(60 * 60));
    fixture(&journal, &world).trim().await;
    drop((lane, journal));
    let left = std::fs::metadata(folder.file()).unwrap().len();
    assert!(left < 3 * 1024 * 1024, "{left} bytes are left of more than 10 MB");
}

#[actix::test]
async fn the_log_stays_short_and_a_long_read_only_delays_that() {
    let (folder, world) = (Folder::new(), World::new());
    let journal: Arc<dyn Journal> = Arc::new(open(&folder.file(), &world));
    let mut lane = Lane::new(&journal);
    let text = "x".repeat(3_000);
    let log = || std::fs::metadata(folder.path().join("fanfare.db-wal")).unwrap().len() >> 20;
    let mut write = async |megabytes: usize| {
        for _ in 0..megabytes {
            lane.append((0..350).map(|_| append("a", &text)).collect()).await;
        }
    };
    write(30).await;
    assert!(log() < 16, "{} MiB of log after 30 MB", log());
    let mut reader = SqliteConnection::establish(&folder.file().to_string_lossy()).unwrap();
    reader.batch_execute("BEGIN; SELECT count(*) FROM journal_feed").unwrap();
    write(40).await;
    assert!(log() > 32, "the reader holds {} MiB of log", log());
    reader.batch_execute("COMMIT").unwrap();
    write(2).await;
    assert!(log() <= 32, "{} MiB of log after the reader let go", log());
}

#[test]
fn a_place_that_keeps_nothing_is_refused() {
    let refused = Database::open(Path::new(":memory:"));
    assert!(
        matches!(&refused, Err(OpenError::NotDurable { pragma: "journal_mode", .. })),
        "{refused:?}"
    );
}

caught! {
    a_connection_that_outlives_a_panic_is_caught: ConnectionKeptAfterAPanic by a_panic_at_any_statement_leaves_nothing_or_all;
    heads_that_rise_before_the_commit_are_caught: HeadsRaisedBeforeCommit by an_error_at_any_statement_leaves_nothing_or_all;
    a_batch_that_goes_on_after_an_error_is_caught: BatchGoesOnAfterAnError by an_error_at_any_statement_leaves_nothing_or_all;
    keys_in_memory_are_caught: KeysKeptInMemory by what_was_acknowledged_is_there_after_a_restart;
    a_copy_with_the_generation_of_the_original_is_caught: GenerationKept by a_backup_is_whole_and_begins_another_generation;
}

#[actix::test]
async fn what_others_write_into_the_file_is_numbered_among_the_rest() {
    let (folder, world) = (Folder::new(), World::new());
    let database = Arc::new(Database::open(&folder.file()).unwrap());
    let journal = SqliteJournal::on(database.clone(), world.retention(), world.clock()).unwrap();
    let alongside = journal.alongside();
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let (view, mut lane) = (fixture(&journal, &world), Lane::new(&journal));
    let mut connection = database.connect().unwrap();
    let mut write = |ends: &str, appends| {
        let _order = database.writing();
        connection.batch_execute("begin immediate").unwrap();
        let appended = alongside.append(&mut connection, appends).unwrap();
        connection.batch_execute(ends).unwrap();
        appended
    };
    lane.one(append("a", "1")).await;
    let appended = write("commit", vec![append("a", "2"), append("theirs", "1")]);
    assert!(matches!(&appended[0], Appended::New(at) if at.offset == 2), "{appended:?}");
    write("rollback", vec![append("a", "never"), append("never", "1")]);
    lane.one(append("a", "3")).await;
    lane.one(append("ours", "1")).await;
    write("commit", vec![append("a", "4"), append("theirs", "2")]);
    lane.one(append("a", "5")).await;
    lane.one(append("theirs", "3")).await;
    for (channel, expected) in [
        ("a", &["1", "2", "3", "4", "5"][..]),
        ("theirs", &["1", "2", "3"]),
        ("ours", &["1"]),
        ("never", &[]),
    ] {
        let page = view.all(channel).await;
        assert_eq!(said(&page), expected, "{channel}");
        assert_eq!(offsets(&page), (1..=expected.len() as u64).collect::<Vec<_>>(), "{channel}");
    }
    let heads = journal.changes(Default::default()).await.unwrap().heads;
    let mut heads: Vec<_> =
        heads.iter().map(|(channel, at)| (channel.as_str(), at.offset)).collect();
    heads.sort_unstable();
    assert_eq!(heads, [("a", 5), ("ours", 1), ("theirs", 3)]);
}
