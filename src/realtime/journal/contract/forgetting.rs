//! Removal, retention, and what a name keeps of its past.

use std::time::Duration;

use super::fixture::{Fixture, Lane, append, channel, new, offsets};
use crate::realtime::journal::Appended;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub async fn removal_keeps_epoch_and_top(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.append(vec![append("a", "1"), append("a", "2"), append("b", "1")]).await;
    let before = it.all("a").await;
    it.journal.remove(&channel("a")).await.unwrap();
    let after = it.all("a").await;
    assert_eq!((&after.epoch, after.top, after.publications.len()), (&before.epoch, 2, 0));
    assert_eq!(offsets(&it.all("b").await), [1]);
    it.trim().await;
    assert_eq!(it.all("a").await, after);
    assert_eq!(new(&lane.one(append("a", "3")).await), 3);
    assert_eq!(offsets(&it.all("a").await), [3]);
    it.journal.remove(&channel("never published")).await.unwrap();
}

pub async fn trimming_drops_what_reads_no_longer_show(it: Fixture) {
    it.world.keep(|retention| retention.ttl = DAY);
    let mut lane = Lane::new(&it.journal);
    lane.append((0..10).map(|_| append("a", "x")).collect()).await;
    it.world.pass(DAY / 2);
    lane.append((0..10).map(|_| append("b", "x")).collect()).await;
    assert_eq!(it.trim().await, 0);
    it.world.pass(DAY / 2);
    assert_eq!(it.trim().await, 10);
    assert_eq!(offsets(&it.all("b").await).len(), 10);
    it.world.keep(|retention| retention.size = 3);
    assert_eq!(it.trim().await, 7);
    assert_eq!(it.trim().await, 0);
    assert_eq!(offsets(&it.all("b").await), [8, 9, 10]);
}

pub async fn trimming_goes_on_step_by_step(it: Fixture) {
    it.world.keep(|retention| retention.size = 2_000);
    let mut lane = Lane::new(&it.journal);
    for _ in 0..3 {
        let appends = (0..1_500).map(|n| append(["a", "b", "c"][n % 3], "x"));
        lane.append(appends.collect()).await;
    }
    it.world.keep(|retention| retention.size = 10);
    assert_eq!(it.trim().await, 3 * 1_490);
    for name in ["a", "b", "c"] {
        assert_eq!(offsets(&it.all(name).await), (1_491..=1_500).collect::<Vec<_>>());
    }
}

pub async fn trimming_keeps_the_top_of_an_emptied_channel(it: Fixture) {
    it.world.keep(|retention| retention.ttl = DAY);
    let mut lane = Lane::new(&it.journal);
    lane.append(vec![append("a", "1"), append("a", "2")]).await;
    let epoch = it.all("a").await.epoch;
    it.world.pass(2 * DAY);
    assert_eq!(it.trim().await, 2);
    let page = it.all("a").await;
    assert_eq!((&page.epoch, page.top), (&epoch, 2));
    assert_eq!(new(&Lane::new(&it.journal).one(append("a", "3")).await), 3);
    it.world.pass(2 * DAY);
    it.trim().await;
    assert_eq!(it.all("a").await.top, 3);
}

pub async fn a_forgotten_channel_begins_another_life(it: Fixture) {
    it.world.keep(|retention| {
        retention.ttl = DAY;
        retention.meta_ttl = 3 * DAY;
    });
    let mut lane = Lane::new(&it.journal);
    let mut epochs = vec![it.all("a").await.epoch];
    for life in 0..3 {
        let Appended::New(first) = lane.one(append("a", "x")).await else { panic!() };
        assert_eq!(first.offset, 1, "offsets begin anew");
        assert_eq!(Some(&first.epoch), epochs.last(), "life {life}");
        it.world.pass(2 * DAY);
        it.trim().await;
        assert_eq!(it.all("a").await.top, 1, "not yet forgotten");
        it.world.pass(DAY);
        it.trim().await;
        let after = it.all("a").await;
        assert_eq!(after.top, 0);
        assert!(!epochs.contains(&after.epoch), "{} came back", after.epoch);
        epochs.push(after.epoch);
    }
    let never_published = it.all("b").await.epoch;
    assert_eq!(never_published, epochs[0], "others keep their epoch");
}

pub async fn a_channel_with_publications_is_never_forgotten(it: Fixture) {
    it.world.keep(|retention| {
        retention.ttl = 10 * DAY;
        retention.meta_ttl = DAY;
    });
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    it.world.pass(5 * DAY);
    it.trim().await;
    assert_eq!(offsets(&it.all("a").await), [1]);
    assert_eq!(new(&lane.one(append("a", "2")).await), 2);
}
