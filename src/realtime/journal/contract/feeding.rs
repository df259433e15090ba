//! What others learn of a batch, and how its fate is found out.

use std::time::Duration;

use super::fixture::{Fixture, Lane, append, channel, keyed, said};
use crate::realtime::journal::{AppendError, Changes, Cursor, Noted, Settled, Version, WriterId};

fn heads(changes: &Changes) -> Vec<(String, u64)> {
    let head = |(channel, position): &(crate::ids::Channel, crate::protocol::Position)| {
        (channel.to_string(), position.offset)
    };
    let mut heads: Vec<_> = changes.heads.iter().map(head).collect();
    heads.sort();
    heads
}

fn named(heads: &[(&str, u64)]) -> Vec<(String, u64)> {
    heads.iter().map(|(name, offset)| ((*name).to_owned(), *offset)).collect()
}

pub async fn changes_name_each_head_once(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    assert_eq!(it.journal.changes(Cursor::default()).await.unwrap().heads, []);
    lane.append(vec![append("a", "1"), append("b", "1"), append("a", "2")]).await;
    lane.append(vec![append("a", "3"), append("c", "1")]).await;
    let changes = it.journal.changes(Cursor::default()).await.unwrap();
    assert_eq!(heads(&changes), named(&[("a", 3), ("b", 1), ("c", 1)]));
    assert_eq!(changes.heads[0].1.epoch, it.all("a").await.epoch);
    assert!(!changes.hole);
    let nothing = it.journal.changes(changes.cursor.clone()).await.unwrap();
    assert_eq!((nothing.heads.len(), &nothing.cursor), (0, &changes.cursor));
    lane.one(append("b", "2")).await;
    let changes = it.journal.changes(changes.cursor).await.unwrap();
    assert_eq!(heads(&changes), named(&[("b", 2)]));
}

pub async fn changes_of_several_writers_are_merged(it: Fixture) {
    let (mut one, mut two) = (Lane::new(&it.journal), Lane::new(&it.journal));
    one.one(append("a", "1")).await;
    let cursor = it.journal.changes(Cursor::default()).await.unwrap().cursor;
    two.one(append("a", "2")).await;
    one.one(append("a", "3")).await;
    two.one(append("b", "1")).await;
    let changes = it.journal.changes(cursor).await.unwrap();
    assert_eq!(heads(&changes), named(&[("a", 3), ("b", 1)]));
    assert!(!changes.hole, "a new writer begins at 1");
}

pub async fn a_writer_that_was_silent_is_heard_behind_a_busier_one(it: Fixture) {
    let (mut silent, mut busy) = (Lane::new(&it.journal), Lane::new(&it.journal));
    silent.one(append("a", "1")).await;
    for _ in 0..3 {
        busy.one(append("b", "x")).await;
    }
    let cursor = it.journal.changes(Cursor::default()).await.unwrap().cursor;
    silent.one(append("a", "2")).await;
    let changes = it.journal.changes(cursor).await.unwrap();
    assert_eq!((heads(&changes), changes.hole), (named(&[("a", 2)]), false));
}

/// What was noted, in the order in which it was told.
pub(super) fn notes(changes: &Changes) -> Vec<(WriterId, u64, String)> {
    let text = |noted: &Noted| String::from_utf8_lossy(&noted.note).into_owned();
    changes.notes.iter().map(|noted| (noted.writer, noted.seq, text(noted))).collect()
}

pub async fn notes_are_heard_in_order_with_and_without_appends(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    assert_eq!(lane.note(vec![], &["beat"]).await, []);
    let cursor = it.journal.changes(Cursor::default()).await.unwrap().cursor;
    let results = lane.note(vec![append("a", "1")], &["x", ""]).await;
    lane.one(append("a", "2")).await;
    assert_eq!(lane.note(vec![], &["y"]).await, []);
    let changes = it.journal.changes(cursor).await.unwrap();
    let noted = |seq, note: &str| (lane.writer, seq, note.to_owned());
    assert_eq!(notes(&changes), [noted(2, "x"), noted(2, ""), noted(4, "y")]);
    assert_eq!(heads(&changes), named(&[("a", 2)]));
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Happened(results)));
    assert_eq!(it.journal.settle(lane.writer, 4).await, Ok(Settled::Happened(vec![])));
    let nothing = it.journal.changes(changes.cursor).await.unwrap();
    assert_eq!((notes(&nothing), nothing.generation), (vec![], changes.generation));
}

pub async fn who_begins_at_the_present_hears_only_what_follows(it: Fixture) {
    assert_eq!(it.journal.cursor().await, Ok(Cursor::default()));
    let (mut one, mut two) = (Lane::new(&it.journal), Lane::new(&it.journal));
    one.note(vec![append("a", "1")], &["before"]).await;
    let cursor = it.journal.cursor().await.unwrap();
    assert_eq!(cursor, it.journal.changes(Cursor::default()).await.unwrap().cursor);
    two.note(vec![append("b", "1")], &["after"]).await;
    let changes = it.journal.changes(cursor).await.unwrap();
    assert_eq!((heads(&changes), changes.hole), (named(&[("b", 1)]), false));
    assert_eq!(notes(&changes), [(two.writer, 1, "after".to_owned())]);
    it.world.pass(Duration::from_secs(11 * 60));
    it.trim().await;
    let cursor = it.journal.cursor().await.unwrap();
    assert_eq!((cursor.0.get(&one.writer), cursor.0.get(&two.writer)), (Some(&1), Some(&1)));
}

pub async fn heads_say_where_channels_stand(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.append(vec![append("a", "1"), append("b", "1"), append("a", "2")]).await;
    it.journal.remove(&channel("b")).await.unwrap();
    let asked: Vec<_> = ["b", "nothing here", "a"].iter().map(|name| channel(name)).collect();
    let stand = it.journal.heads(asked.clone()).await.unwrap();
    for (name, head) in asked.iter().zip(&stand) {
        let page = it.all(name).await;
        assert_eq!((&head.epoch, head.offset), (&page.epoch, page.top), "{name}");
    }
    assert_eq!(stand.iter().map(|head| head.offset).collect::<Vec<_>>(), [1, 0, 2]);
    assert_eq!(it.journal.heads(vec![]).await, Ok(vec![]));
}

pub async fn who_was_away_too_long_sees_a_hole(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    let away = it.journal.changes(Cursor::default()).await.unwrap().cursor;
    lane.one(append("a", "2")).await;
    let there = it.journal.changes(away.clone()).await.unwrap().cursor;
    it.world.pass(Duration::from_secs(11 * 60));
    it.trim().await;
    assert!(it.journal.changes(away).await.unwrap().hole);
    assert!(!it.journal.changes(there.clone()).await.unwrap().hole);
    lane.one(append("a", "3")).await;
    let changes = it.journal.changes(there).await.unwrap();
    assert_eq!((heads(&changes), changes.hole), (named(&[("a", 3)]), false));
}

pub async fn settle_tells_what_a_batch_did(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    let first = lane.append(vec![append("a", "1"), append("b", "1")]).await;
    let second = lane.append(vec![append("a", "2"), append("a", "3")]).await;
    for (seq, results) in [(1, first), (2, second)] {
        let settled = it.journal.settle(lane.writer, seq).await;
        assert_eq!(settled, Ok(Settled::Happened(results)));
    }
    lane.one(append("a", "4")).await;
}

pub async fn settle_closes_a_writer_that_did_not_commit(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.one(append("a", "1")).await;
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Never));
    let ghost = it.journal.append(lane.batch(vec![append("a", "ghost")])).await;
    assert!(matches!(ghost, Err(AppendError::Refused(_))), "{ghost:?}");
    let unheard = Lane::new(&it.journal);
    assert_eq!(it.journal.settle(unheard.writer, 1).await, Ok(Settled::Never));
    assert!(it.journal.append(unheard.batch(vec![append("a", "ghost")])).await.is_err());
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Never), "asked twice");
    Lane::new(&it.journal).one(append("a", "2")).await;
    assert_eq!(said(&it.all("a").await), ["1", "2"]);
}

pub async fn settle_tells_all_kinds_of_results(it: Fixture) {
    let mut lane = Lane::new(&it.journal);
    lane.append(vec![keyed("a", "x", "api", "k"), append("b", "1")]).await;
    let mut versioned = append("b", "v");
    versioned.version = Some(Version { number: 1, epoch: String::new() });
    let results = lane
        .append(vec![
            versioned.clone(),
            keyed("a", "x", "api", "k"),
            append("a", "2"),
            versioned,
            keyed("a", "y", "api", "k"),
            append("a", "3"),
        ])
        .await;
    assert_eq!(it.journal.settle(lane.writer, 2).await, Ok(Settled::Happened(results)));
    let nothing_new = lane.one(keyed("a", "x", "api", "k")).await;
    assert_eq!(it.journal.settle(lane.writer, 3).await, Ok(Settled::Happened(vec![nothing_new])));
}
