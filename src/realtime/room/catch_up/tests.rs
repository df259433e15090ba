//! What closes a gap and what does not, as tables.

use std::time::Instant;

use super::*;
use crate::{
    ids::Channel,
    protocol::{Epoch, Payload},
    realtime::room::broadcast::Broadcast,
};

const LIMITS: Limits = Limits { publications: 5, bytes: 50 };

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::new("a"), offset }
}

/// Ten bytes each.
fn said(offset: u64) -> Arc<Publication> {
    let data = Payload::stored(vec![0; 10].into(), false);
    Arc::new(Publication { data, offset, ..Publication::default() })
}

fn ring(offsets: std::ops::RangeInclusive<u64>) -> Ring {
    let mut ring = Ring::new(1 << 20);
    for offset in offsets {
        let (channel, now) = (Channel::trusted("x"), Instant::now());
        let epoch = Epoch::new("a");
        ring.push(Arc::new(Broadcast::new(channel, said(offset), &epoch, None, now)));
    }
    ring
}

fn empty() -> Ring {
    Ring::new(1 << 20)
}

fn page(top: u64, offsets: std::ops::RangeInclusive<u64>) -> Page {
    Page { epoch: Epoch::new("a"), top, publications: offsets.map(said).collect() }
}

fn fresh(page: &Page, after: u64) -> Source<'_> {
    Source { page, after, is_fresh: true }
}

/// The offsets of a whole answer and its top; or what else it is.
fn told(gap: Gap) -> Result<(Vec<u64>, u64), &'static str> {
    match gap {
        Gap::Whole { missed, top } => Ok((missed.iter().map(|p| p.offset).collect(), top.offset)),
        Gap::TooWide { from_nowhere: true, .. } => Err("from nowhere"),
        Gap::TooWide { .. } => Err("too wide"),
        Gap::Ask => Err("ask"),
    }
}

#[test]
fn the_ring_serves_what_it_has_and_sends_for_the_rest() {
    let here = ring(5..=9);
    for (stood, expected) in [
        (9, Ok((vec![], 9))),
        (7, Ok((vec![8, 9], 9))),
        (4, Ok((vec![5, 6, 7, 8, 9], 9))),
        (3, Err("too wide")),
        (10, Err("ask")),
    ] {
        assert_eq!(told(look(&at(9), &here, &at(stood), LIMITS)), expected, "stood at {stood}");
    }
    assert_eq!(told(look(&at(9), &empty(), &at(7), LIMITS)), Err("ask"));
    let narrow = Limits { publications: 5, bytes: 19 };
    assert_eq!(told(look(&at(9), &here, &at(7), narrow)), Err("too wide"));
}

#[test]
fn only_who_names_this_history_or_stands_before_all_is_recovered() {
    let stood = |epoch, offset| Position { epoch: Epoch::new(epoch), offset };
    for (stood, expected) in [
        (stood("", 0), Ok((vec![1, 2], 2))),
        (stood("", 1), Err("too wide")),
        (stood("b", 1), Err("too wide")),
    ] {
        assert_eq!(told(look(&at(2), &ring(1..=2), &stood, LIMITS)), expected, "{stood:?}");
        let all = page(2, 1..=2);
        let merged = merge(&at(2), &empty(), &stood, fresh(&all, 0), LIMITS);
        assert_eq!(told(merged), expected, "{stood:?}");
    }
}

#[test]
fn a_page_and_what_came_since_are_one() {
    let all = page(7, 5..=7);
    for (stood, room, here, expected) in [
        (4, 7, empty(), Ok((vec![5, 6, 7], 7))),
        (4, 9, ring(8..=9), Ok((vec![5, 6, 7, 8, 9], 9))),
        (4, 9, ring(6..=9), Ok((vec![5, 6, 7, 8, 9], 9))),
        (4, 9, ring(9..=9), Err("ask")),
        (4, 5, empty(), Ok((vec![5, 6, 7], 7))),
        (4, 10, ring(8..=10), Err("too wide")),
    ] {
        let gap = merge(&at(room), &here, &at(stood), fresh(&all, 4), LIMITS);
        assert_eq!(told(gap), expected, "stood at {stood}, room at {room}");
    }
}

#[test]
fn a_page_that_was_read_for_another_serves_whom_it_can() {
    let all = page(9, 4..=9);
    for (stood, is_fresh, expected) in [
        (2, true, Err("ask")),
        (5, true, Ok((vec![6, 7, 8, 9], 9))),
        (9, true, Ok((vec![], 9))),
        (10, true, Err("from nowhere")),
        (10, false, Err("ask")),
    ] {
        let source = Source { page: &all, after: 3, is_fresh };
        let gap = merge(&at(6), &empty(), &at(stood), source, LIMITS);
        assert_eq!(told(gap), expected, "stood at {stood}");
    }
}

#[test]
fn a_page_that_was_cut_is_too_much_for_whom_it_was_read_and_says_nothing_of_others() {
    let cut = page(30, 4..=8);
    for (stood, expected) in [(3, "too wide"), (6, "ask"), (8, "ask"), (20, "ask")] {
        let gap = merge(&at(30), &empty(), &at(stood), fresh(&cut, 3), LIMITS);
        assert_eq!(told(gap), Err(expected), "stood at {stood}");
    }
}

#[test]
fn rows_that_are_gone_are_no_reason_to_wait() {
    let rest = page(9, 7..=9);
    assert_eq!(told(merge(&at(9), &empty(), &at(3), fresh(&rest, 3), LIMITS)), Err("too wide"));
    let none = Page { publications: Vec::new(), ..rest };
    assert_eq!(told(merge(&at(9), &empty(), &at(8), fresh(&none, 8), LIMITS)), Err("too wide"));
    assert_eq!(told(merge(&at(9), &empty(), &at(9), fresh(&none, 8), LIMITS)), Ok((vec![], 9)));
}

#[test]
fn a_page_of_another_history_says_nothing() {
    let other = Page { epoch: Epoch::new("b"), ..page(9, 4..=9) };
    assert_eq!(told(merge(&at(6), &empty(), &at(3), fresh(&other, 3), LIMITS)), Err("ask"));
}

#[test]
fn who_wants_the_latest_stands_right_before_it() {
    assert_eq!(before_last(&at(0), None), None);
    assert_eq!(before_last(&at(9), None), Some(at(8)));
    assert_eq!(before_last(&at(9), Some(at(3))), Some(at(8)));
    assert_eq!(before_last(&at(9), Some(at(9))), Some(at(9)), "nothing new for it");
}

crate::platform::mutant::caught! {
    a_page_of_another_is_caught: PageOfAnother by a_page_that_was_read_for_another_serves_whom_it_can;
}
