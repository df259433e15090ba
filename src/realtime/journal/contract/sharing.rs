//! Several lanes, of two instances where a store can be shared, on the same channels and keys.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::fixture::{Fixture, Lane, append, keyed, new, offsets, said};
use crate::realtime::journal::{Append, AppendError, Appended, Cursor, Settled};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Two lanes of one instance and one of the other.
fn lanes(it: &Fixture) -> [Lane; 3] {
    [Lane::new(&it.journal), Lane::new(&it.journal), Lane::new(&it.second)]
}

/// The channels in an order of the lane's own: who locks them as they come would soon stand still.
fn round(lane: usize, n: usize) -> Vec<Append> {
    let mut names: Vec<_> = NAMES.into_iter().chain(NAMES).collect();
    names.rotate_left((lane * 7 + n) % 10);
    if lane == 1 {
        names.reverse();
    }
    names.iter().map(|name| append(name, &format!("{lane}.{n}"))).collect()
}

pub async fn three_lanes_number_shared_channels_without_gap_or_doublet(it: Fixture) {
    const ROUNDS: usize = 15;
    let under_way = lanes(&it).into_iter().enumerate().map(async |(n, mut lane)| {
        let mut seen: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for number in 0..ROUNDS {
            let appends = round(n, number);
            let names = appends.iter().map(|append| append.channel.clone()).collect::<Vec<_>>();
            for (name, appended) in names.iter().zip(lane.append(appends).await) {
                let name = NAMES.into_iter().find(|known| **known == **name).unwrap();
                seen.entry(name).or_default().push(new(&appended));
            }
        }
        seen
    });
    let all = join_all(under_way).await;
    for name in NAMES {
        for seen in &all {
            assert!(seen[name].is_sorted(), "a lane's own are in its order");
            let together = seen[name].chunks(2).all(|batch| batch[0] + 1 == batch[1]);
            assert!(together, "a batch stands together: {:?}", seen[name]);
        }
        let mut seen: Vec<u64> = all.iter().flat_map(|seen| seen[name].clone()).collect();
        seen.sort_unstable();
        let expected: Vec<u64> = (1..=(3 * 2 * ROUNDS) as u64).collect();
        assert_eq!(seen, expected, "{name}");
        assert_eq!(offsets(&it.all(name).await), expected);
    }
}

pub async fn three_lanes_share_keys(it: Fixture) {
    let key = |n: usize| keyed(NAMES[n % 5], "x", "api", &n.to_string());
    let mut lanes = lanes(&it);
    for first in (0..60).step_by(6) {
        let batches = lanes.iter_mut().enumerate().map(async |(n, lane)| {
            let mut numbers: Vec<usize> = (first..first + 6).collect();
            numbers.rotate_left(2 * n);
            let results = lane.append(numbers.iter().map(|n| key(*n)).collect()).await;
            numbers.into_iter().zip(results).collect::<BTreeMap<_, _>>()
        });
        let all = join_all(batches).await;
        for number in first..first + 6 {
            let told = all.iter().map(|results| match &results[&number] {
                Appended::New(at) => (true, at.clone()),
                Appended::Duplicate(at) => (false, at.clone()),
                other => panic!("{other:?}"),
            });
            let told: Vec<_> = told.collect();
            assert_eq!(told.iter().filter(|(new, _)| *new).count(), 1, "key {number}: {told:?}");
            assert!(told.iter().all(|(_, at)| *at == told[0].1), "key {number}: {told:?}");
        }
    }
    for name in NAMES {
        assert_eq!(it.all(name).await.top, 12);
    }
}

pub async fn what_one_instance_commits_the_other_one_reads_and_follows(it: Fixture) {
    let [mut one, _, mut other] = lanes(&it);
    one.append(vec![append("a", "1"), append("b", "1")]).await;
    let cursor = it.second.changes(Cursor::default()).await.unwrap().cursor;
    other.one(append("a", "2")).await;
    one.one(append("a", "3")).await;
    let there = Fixture::of(it.second.clone(), it.world.clone());
    assert_eq!(there.all("a").await, it.all("a").await);
    assert_eq!(said(&there.all("a").await), ["1", "2", "3"]);
    for journal in [&it.journal, &it.second] {
        let changes = journal.changes(cursor.clone()).await.unwrap();
        let heads: Vec<_> = changes.heads.iter().map(|(name, at)| (&**name, at.offset)).collect();
        assert_eq!((heads, changes.hole), (vec![("a", 3)], false));
    }
    it.second.remove(&super::fixture::channel("a")).await.unwrap();
    assert_eq!((it.all("a").await.top, it.all("a").await.publications.len()), (3, 0));
}

pub async fn what_one_instance_notes_the_other_one_hears(it: Fixture) {
    let [mut one, mut silent, mut other] = lanes(&it);
    one.note(vec![append("a", "1")], &["x"]).await;
    let cursor = it.second.cursor().await.unwrap();
    assert_eq!(it.journal.cursor().await.unwrap(), cursor);
    silent.note(vec![], &["y"]).await;
    other.note(vec![append("a", "2")], &["z"]).await;
    for journal in [&it.journal, &it.second] {
        let changes = journal.changes(cursor.clone()).await.unwrap();
        let mut heard = super::feeding::notes(&changes);
        heard.sort_by_key(|(.., note)| note.clone());
        let expected = [(silent.writer, 1, "y".to_owned()), (other.writer, 1, "z".to_owned())];
        assert_eq!(heard, expected);
        let stand = journal.heads(vec![super::fixture::channel("a")]).await.unwrap();
        assert_eq!(stand[0].offset, 2);
    }
}

pub async fn a_batch_is_settled_by_whoever_asks(it: Fixture) {
    let [mut one, mut silent, _] = lanes(&it);
    let results = one.append(vec![append("a", "1"), append("b", "1")]).await;
    assert_eq!(it.second.settle(one.writer, 1).await, Ok(Settled::Happened(results)));
    silent.one(append("a", "2")).await;
    assert_eq!(it.second.settle(silent.writer, 2).await, Ok(Settled::Never));
    let ghost = it.journal.append(silent.batch(vec![append("a", "ghost")])).await;
    assert!(matches!(ghost, Err(AppendError::Refused(_))), "{ghost:?}");
    assert_eq!(said(&it.all("a").await), ["1", "2"]);
}

pub async fn trimming_and_appending_do_not_hurt_each_other(it: Fixture) {
    it.world.keep(|retention| retention.size = 10);
    let there = Fixture::of(it.second.clone(), it.world.clone());
    let appending = lanes(&it).into_iter().enumerate().map(async |(n, mut lane)| {
        for number in 0..15 {
            lane.append(round(n, number)).await;
        }
    });
    let trimming = async {
        for _ in 0..10 {
            it.trim().await;
            there.trim().await;
        }
    };
    futures_util::future::join(join_all(appending), trimming).await;
    it.trim().await;
    for name in NAMES {
        assert_eq!(offsets(&it.all(name).await), (81..=90).collect::<Vec<_>>());
    }
}
