//! What a ring keeps, gives and lets go, as tables.

use std::{mem::size_of, ops::RangeInclusive};

use super::*;
use crate::protocol::{Epoch, Payload, Publication};

fn said(offset: u64) -> Arc<Publication> {
    let data = Payload::stored(vec![0; 8].into(), false);
    Arc::new(Publication { data, offset, ..Publication::default() })
}

fn broadcast(offset: u64) -> Arc<Broadcast> {
    let (channel, epoch, now) = (Channel::trusted("x"), Epoch::new("a"), Instant::now());
    Arc::new(Broadcast::new(channel, said(offset), &epoch, None, now))
}

/// With place for three.
fn ring(offsets: RangeInclusive<u64>) -> Ring {
    let mut ring = Ring::new(3 * (size_of::<Broadcast>() + 8));
    offsets.for_each(|offset| ring.push(broadcast(offset)));
    ring
}

fn after(ring: &Ring, offset: u64) -> Option<Vec<u64>> {
    ring.after(offset).map(|all| all.map(|b| b.publication.offset).collect())
}

fn page(top: u64, offsets: RangeInclusive<u64>) -> Page {
    Page { epoch: Epoch::new("a"), top, publications: offsets.map(said).collect() }
}

fn warmed(mut ring: Ring, at: u64, page: &Page) -> Option<Vec<u64>> {
    let at = Position { epoch: Epoch::new("a"), offset: at };
    ring.warm(&at, page, &Channel::trusted("x"));
    let oldest = ring.recent.front().map(|b| b.publication.offset)?;
    after(&ring, oldest - 1)
}

#[test]
fn it_keeps_the_newest_and_says_when_it_does_not_go_back_far_enough() {
    let ring = ring(1..=5);
    assert_eq!(after(&ring, 1), None);
    assert_eq!(after(&ring, 2), Some(vec![3, 4, 5]));
    assert_eq!(after(&ring, 4), Some(vec![5]));
    assert_eq!(after(&ring, 5), Some(vec![]));
    assert_eq!(ring.last().unwrap().publication.offset, 5);
}

#[test]
fn it_has_no_holes() {
    let mut ring = ring(1..=2);
    ring.push(broadcast(4));
    assert_eq!(after(&ring, 2), None);
    assert_eq!(after(&ring, 3), Some(vec![4]));
}

#[test]
fn what_is_too_big_for_it_is_not_kept() {
    let mut ring = Ring::new(1);
    ring.push(broadcast(1));
    assert_eq!(after(&ring, 0), None);
    assert_eq!(ring.bytes, 0);
}

#[test]
fn a_page_warms_it_if_it_reaches_up_to_the_room_and_further_back() {
    let other = Page { epoch: Epoch::new("b"), ..page(5, 3..=5) };
    assert_eq!(warmed(ring(5..=5), 5, &page(5, 3..=5)), Some(vec![3, 4, 5]));
    assert_eq!(warmed(Ring::new(1 << 20), 5, &page(5, 1..=5)), Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(warmed(ring(5..=6), 6, &page(5, 3..=5)), Some(vec![5, 6]), "it does not reach");
    assert_eq!(warmed(ring(4..=5), 5, &page(5, 5..=5)), Some(vec![4, 5]), "it knows less");
    assert_eq!(warmed(ring(5..=5), 5, &other), Some(vec![5]), "another history");
}
