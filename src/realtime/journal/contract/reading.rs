//! Epochs, pages and what retention hides.

use std::time::Duration;

use super::fixture::{Fixture, Lane, append, channel, offsets, said};
use crate::realtime::journal::{
    Appended,
    Direction::{After, Before},
};

pub async fn a_channel_without_history_has_one_epoch_and_no_row(it: Fixture) {
    let first = it.all("a").await;
    assert_eq!((first.top, first.publications.len()), (0, 0));
    assert!(first.epoch.as_str().ends_with(".0"), "{}", first.epoch);
    assert_eq!(it.all("a").await, first, "a look changes nothing");
    assert_eq!(it.all("b").await.epoch, first.epoch);
}

pub async fn the_first_publication_keeps_the_epoch_that_readers_saw(it: Fixture) {
    let before = it.all("a").await.epoch;
    let appended = Lane::new(&it.journal).one(append("a", "x")).await;
    let Appended::New(position) = appended else { panic!() };
    assert_eq!(position.epoch, before);
    assert_eq!(it.all("a").await.epoch, before);
}

pub async fn pages_go_both_ways(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.append((0..10).map(|n| append("a", &n.to_string())).collect()).await;
    lane.append((0..10).map(|_| append("b", "no")).collect()).await;
    let page = async |direction, limit| offsets(&it.page("a", direction, limit, usize::MAX).await);
    assert_eq!(page(After(0), 3).await, [1, 2, 3]);
    assert_eq!(page(After(7), 30).await, [8, 9, 10]);
    assert!(page(After(10), 30).await.is_empty());
    assert!(page(After(u64::MAX), 30).await.is_empty());
    assert_eq!(page(Before(None), 3).await, [10, 9, 8]);
    assert_eq!(page(Before(Some(3)), 9).await, [2, 1]);
    assert!(page(Before(Some(1)), 9).await.is_empty());
    assert!(page(Before(Some(0)), 9).await.is_empty());
    assert_eq!(page(Before(Some(u64::MAX)), 1).await, [10]);
    let none = it.page("a", After(0), 0, usize::MAX).await;
    assert_eq!((none.top, none.publications.len()), (10, 0));
}

pub async fn a_page_is_bounded_in_bytes(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.append(["12345", "67", "8", "90"].map(|data| append("a", data)).into()).await;
    let page = async |direction, bytes| said(&it.page("a", direction, 9, bytes).await);
    assert_eq!(page(After(0), 7).await, ["12345", "67"]);
    assert_eq!(page(After(0), 0).await, ["12345"], "at least one, or nobody would get on");
    assert_eq!(page(Before(None), 4).await, ["90", "8"]);
}

pub async fn a_page_ends_at_its_top_while_others_append(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    let write = async {
        for _ in 0..50 {
            lane.one(append("a", "x")).await;
        }
    };
    let read = async {
        loop {
            let page = it.all("a").await;
            assert_eq!(page.publications.last().map_or(0, |last| last.offset), page.top);
            if page.top == 50 {
                return;
            }
        }
    };
    futures_util::future::join(write, read).await;
}

pub async fn only_the_newest_are_shown(it: Fixture) {
    it.world.keep(|retention| retention.size = 3);
    let mut lane = Lane::new(&it.journal);
    for n in 0..10 {
        lane.one(append("a", &n.to_string())).await;
    }
    assert_eq!(offsets(&it.all("a").await), [8, 9, 10]);
    assert_eq!(offsets(&it.page("a", Before(None), 9, usize::MAX).await), [10, 9, 8]);
    it.trim().await;
    assert_eq!(offsets(&it.all("a").await), [8, 9, 10]);
    it.world.keep(|retention| retention.size = 0);
    assert!(offsets(&it.all("a").await).is_empty());
    assert_eq!(it.all("a").await.top, 10);
}

pub async fn what_is_too_old_is_not_shown(it: Fixture) {
    it.world.keep(|retention| retention.ttl = Duration::from_secs(60));
    let mut lane = Lane::new(&it.journal);
    for _ in 0..4 {
        lane.one(append("a", "x")).await;
        it.world.pass(Duration::from_secs(20));
    }
    assert_eq!(offsets(&it.all("a").await), [3, 4]);
    assert_eq!(offsets(&it.page("a", Before(None), 9, usize::MAX).await), [4, 3]);
    it.world.pass(Duration::from_secs(60));
    let page = it.all("a").await;
    assert_eq!((page.top, page.publications.len()), (4, 0));
}

pub async fn a_clock_that_steps_back_tears_no_hole(it: Fixture) {
    it.world.keep(|retention| retention.ttl = Duration::from_secs(60));
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "x")).await;
    it.world.step_back(Duration::from_secs(50));
    lane.one(append("a", "x")).await;
    it.world.pass(Duration::from_secs(50 + 30));
    lane.one(append("a", "x")).await;
    it.world.pass(Duration::from_secs(20));
    assert_eq!(offsets(&it.all("a").await), [1, 2, 3]);
    assert!(it.journal.remove(&channel("b")).await.is_ok());
}
