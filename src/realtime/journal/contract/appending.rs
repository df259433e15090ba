//! Numbers, keys and versions.

use std::{sync::Arc, time::Duration};

use super::fixture::{Fixture, Lane, append, keyed, new, offsets, said};
use crate::{
    protocol::{ClientInfo, Payload, Position, Publication},
    realtime::journal::{Append, AppendError, Appended, Batch, Settled, Version, WriterId},
};

pub async fn offsets_rise_by_one_in_each_channel(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    for n in 1..=3 {
        assert_eq!(new(&lane.one(append("a", "x")).await), n);
        assert_eq!(new(&lane.one(append("b", "x")).await), n);
    }
    assert_eq!(offsets(&it.all("a").await), [1, 2, 3]);
    assert_eq!(it.all("a").await.top, 3);
}

pub async fn one_batch_numbers_each_channel_in_its_order(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    let names = ["b", "a", "b", "c", "a", "b"];
    let appends = names.iter().enumerate().map(|(n, name)| append(name, &n.to_string())).collect();
    let results = lane.append(appends).await;
    assert_eq!(results.iter().map(new).collect::<Vec<_>>(), [1, 1, 2, 1, 2, 3]);
    assert_eq!(said(&it.all("a").await), ["1", "4"]);
    assert_eq!(said(&it.all("b").await), ["0", "2", "5"]);
    assert_eq!(said(&it.all("c").await), ["3"]);
}

pub async fn a_batch_out_of_turn_changes_nothing(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    for seq in [0, 1, 3, u64::MAX] {
        let batch =
            Batch { writer: lane.writer, seq, appends: vec![append("a", "no")], notes: vec![] };
        let refused = it.journal.append(batch).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{seq}: {refused:?}");
    }
    let batch =
        Batch { writer: WriterId(uuid::Uuid::new_v4()), seq: 2, appends: vec![], notes: vec![] };
    assert!(it.journal.append(batch).await.is_err(), "the first batch of a writer is 1");
    assert_eq!(new(&lane.one(append("a", "2")).await), 2);
    assert_eq!(said(&it.all("a").await), ["1", "2"]);
}

pub async fn two_lanes_share_channels_without_gap_or_doublet(it: Fixture) {
    let (mut one, mut two) = (Lane::new(&it.journal), Lane::new(&it.journal));
    let mut seen = Vec::new();
    for _ in 0..20 {
        let batch = || vec![append("a", "x"), append("b", "x"), append("a", "x")];
        let (first, second) =
            futures_util::future::join(one.append(batch()), two.append(batch())).await;
        for results in [first, second] {
            assert_eq!(new(&results[2]), new(&results[0]) + 1, "a batch stands together");
            seen.extend([new(&results[0]), new(&results[2])]);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=80).collect::<Vec<_>>());
    assert_eq!(it.all("b").await.top, 40);
}

pub async fn two_lanes_share_keys(it: Fixture) {
    let (mut one, mut two) = (Lane::new(&it.journal), Lane::new(&it.journal));
    let (first, second) = futures_util::future::join(
        one.one(keyed("a", "x", "api", "k")),
        two.one(keyed("a", "x", "api", "k")),
    )
    .await;
    let kinds = |appended: &Appended| matches!(appended, Appended::New(_));
    assert!(
        kinds(&first) != kinds(&second),
        "one is new, the other its duplicate: {first:?} {second:?}"
    );
    assert_eq!(it.all("a").await.top, 1);
}

pub async fn a_key_makes_a_retry_happen_once(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "before")).await;
    let Appended::New(first) = lane.one(keyed("a", "x", "user:ana", "k")).await else { panic!() };
    lane.one(append("a", "after")).await;
    let again = lane.one(keyed("a", "x", "user:ana", "k")).await;
    assert_eq!(again, Appended::Duplicate(first));
    assert_eq!(said(&it.all("a").await), ["before", "x", "after"]);
}

pub async fn a_key_works_within_one_batch(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    let retry = || keyed("a", "x", "api", "k");
    let results = lane.append(vec![retry(), retry(), keyed("a", "y", "api", "k")]).await;
    let epoch = it.all("a").await.epoch;
    let there = Position { epoch, offset: 1 };
    let expected = [Appended::New(there.clone()), Appended::Duplicate(there), Appended::KeyReused];
    assert_eq!(results, expected);
    assert_eq!(it.all("a").await.top, 1);
}

pub async fn a_key_with_other_data_is_refused(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.one(keyed("a", "x", "api", "k")).await;
    assert_eq!(lane.one(keyed("a", "y", "api", "k")).await, Appended::KeyReused);
    assert_eq!(said(&it.all("a").await), ["x"]);
}

pub async fn a_key_belongs_to_its_channel_and_publisher(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    for (name, publisher, key) in
        [("a", "api", "k"), ("b", "api", "k"), ("a", "user:ana", "k"), ("a", "api", "l")]
    {
        new(&lane.one(keyed(name, "x", publisher, key)).await);
    }
}

pub async fn a_key_outlives_its_publication_and_ends(it: Fixture) {
    it.world.keep(|retention| {
        retention.size = 1;
        retention.ttl = Duration::from_secs(1);
        retention.meta_ttl = Duration::from_secs(1);
    });
    let mut lane = Lane::new(&it.journal);
    let Appended::New(first) = lane.one(keyed("a", "x", "api", "k")).await else { panic!() };
    it.world.pass(Duration::from_secs(5 * 60));
    it.trim().await;
    assert_eq!(it.all("a").await.publications, []);
    let again = lane.one(keyed("a", "x", "api", "k")).await;
    assert_eq!(again, Appended::Duplicate(first), "5 minutes are promised");
    it.world.pass(Duration::from_secs(5 * 60));
    assert_eq!(new(&lane.one(keyed("a", "y", "api", "k")).await), 2, "it can be used anew");
}

pub async fn an_older_version_is_dropped(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    let versioned = |data: &str, number, epoch: &str| Append {
        version: Some(Version { number, epoch: epoch.into() }),
        ..append("a", data)
    };
    new(&lane.one(versioned("v5", 5, "")).await);
    let old = lane.append(vec![versioned("v4", 4, ""), versioned("v5", 5, "")]).await;
    assert!(old.iter().all(|old| matches!(old, Appended::Superseded(top) if top.offset == 1)));
    let both = lane.append(vec![versioned("v7", 7, ""), versioned("v6", 6, "")]).await;
    assert!(matches!(both[1], Appended::Superseded(_)), "one batch is in order, too");
    new(&lane.one(versioned("w1", 1, "w")).await);
    new(&lane.one(append("a", "plain")).await);
    assert!(matches!(lane.one(versioned("w1", 1, "w")).await, Appended::Superseded(_)));
    new(&lane.one(versioned("huge", u64::MAX, "w")).await);
    assert!(matches!(lane.one(versioned("w2", 2, "w")).await, Appended::Superseded(_)));
    assert_eq!(said(&it.all("a").await), ["v5", "v7", "w1", "plain", "huge"]);
}

pub async fn an_append_that_nobody_waits_for_is_committed(it: Fixture) {
    let lanes: Vec<_> = (0..20).map(|_| Lane::new(&it.journal)).collect();
    for lane in &lanes {
        drop(it.journal.append(lane.batch(vec![append("a", "x")])));
    }
    // Who asks what became of a batch that still waits for a connection closes its writer.
    let committed = async {
        while it.all("a").await.top < 20 {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, committed).await.expect("each of them commits");
    for lane in &lanes {
        let settled = it.journal.settle(lane.writer, 1).await;
        assert!(matches!(settled, Ok(Settled::Happened(_))), "{settled:?}");
    }
}

pub async fn what_was_appended_is_read_back_whole(it: Fixture) {
    let json = |text: &'static str| Payload::json(text.into());
    let info = ClientInfo {
        user: "ana".into(),
        client: "c".into(),
        conn_info: json("{}"),
        chan_info: Payload::stored(vec![0, 255].into(), false),
    };
    let whole = Publication {
        data: json("{\"a\":[1,\"\u{e9}\"]}"),
        info: Some(Arc::new(info)),
        offset: 0,
        tags: [("k".to_owned(), "v\u{e9}".to_owned())].into(),
        delta: true,
    };
    let anonymous =
        Publication { info: Some(Arc::default()), data: json("1"), ..Publication::default() };
    let long = "x".repeat(100_000);
    let long = Publication { data: Payload::stored(long.into(), false), ..Publication::default() };
    let all = [whole, anonymous, long, Publication::default()];
    let appends = all.iter().map(|publication| Append {
        publication: Arc::new(publication.clone()),
        ..append("a", "")
    });
    Lane::new(&it.journal).append(appends.collect()).await;
    let read = it.all("a").await.publications;
    assert_eq!(read.len(), all.len());
    for (offset, (read, sent)) in (1..).zip(read.iter().zip(all)) {
        assert_eq!(**read, Publication { offset, ..sent });
    }
}
