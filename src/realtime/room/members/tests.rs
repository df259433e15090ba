//! Who of the members gets what, as tables.

use std::time::Instant;

use super::*;
use crate::{
    ids::Channel,
    protocol::{Payload, Publication},
    realtime::room::tests::fake::{Ear, FakeSeat, Heard, Word},
};

const ID: SeatId = SeatId::new(0, 1);

fn at(epoch: &str, offset: u64) -> Position {
    Position { epoch: Epoch::new(epoch), offset }
}

fn positioned() -> Wishes {
    Wishes { positioned: true, ..Wishes::default() }
}

/// One member that stands at 3.
fn one(wishes: &Wishes, knows_last: bool) -> (Members, Ear) {
    let (seat, ear) = FakeSeat::new(Encoding::Json);
    let info = Arc::new(ClientInfo::default());
    let mut members = Members::default();
    members.enter(ID, Member::new(seat, 1, info, at("a", 3), wishes, knows_last));
    (members, ear)
}

fn text(offset: u64) -> Payload {
    let word = "the quick brown fox jumps over the lazy dog ".repeat(3);
    Payload::json(format!(r#"{{"text":"{word}","n":{offset}}}"#).into())
}

fn publication(offset: u64) -> Publication {
    Publication { data: text(offset), offset, delta: true, ..Publication::default() }
}

fn broadcast(offset: u64) -> Broadcast {
    let before = publication(offset.wrapping_sub(1));
    let previous = (offset > 0).then_some(&before);
    let (channel, now) = (Channel::trusted("x"), Instant::now());
    Broadcast::new(channel, Arc::new(publication(offset)), &Epoch::new("a"), previous, now)
}

/// What the SDK sees of a publication: its offset, and whether it is a delta.
fn forms(ear: &mut Ear) -> Vec<(u64, bool)> {
    let json = |heard| match heard {
        Heard::Bytes(bytes) => serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(),
        Heard::Notice(notice) => panic!("{notice:?}"),
    };
    let form = |push: serde_json::Value| {
        let publication = &push["push"]["pub"];
        (publication["offset"].as_u64().unwrap_or(0), publication["delta"].as_bool() == Some(true))
    };
    ear.raw().into_iter().map(json).map(form).collect()
}

#[test]
fn a_member_gets_what_is_next_and_nothing_twice() {
    let (mut members, mut ear) = one(&positioned(), false);
    for offset in [2, 3, 4, 4, 5] {
        assert_eq!(members.deliver(&broadcast(offset), &Arc::default()).broken, []);
    }
    assert_eq!(ear.rest(), [Word::Said(4), Word::Said(5)]);
}

#[test]
fn who_has_a_position_and_misses_one_is_told_and_the_others_hear_on() {
    let (mut members, mut ear) = one(&positioned(), false);
    assert_eq!(members.deliver(&broadcast(5), &Arc::default()).broken, [ID]);
    assert_eq!(ear.rest(), []);
    let (mut members, mut ear) = one(&Wishes::default(), false);
    assert_eq!(members.deliver(&broadcast(5), &Arc::default()).broken, []);
    assert_eq!(ear.rest(), [Word::Said(5)]);
}

#[test]
fn what_has_no_place_moves_nobody() {
    let (mut members, mut ear) = one(&positioned(), false);
    for offset in [0, 4, 0, 5] {
        assert_eq!(members.deliver(&broadcast(offset), &Arc::default()).broken, []);
    }
    assert_eq!(ear.rest(), [Word::Said(0), Word::Said(4), Word::Said(0), Word::Said(5)]);
}

#[test]
fn a_delta_goes_only_to_who_was_given_the_one_before_last() {
    let wishes = Wishes { delta: true, ..Wishes::default() };
    for (knows_last, offsets, expected) in [
        (false, &[4, 5][..], vec![(4, false), (5, true)]),
        (true, &[4, 5], vec![(4, true), (5, true)]),
        // One was lost on the way to the hub.
        (true, &[5, 6], vec![(5, false), (6, true)]),
        // SDKs take whatever came last for the base.
        (true, &[4, 0, 5, 6], vec![(4, true), (0, false), (5, false), (6, true)]),
    ] {
        let (mut members, mut ear) = one(&wishes, knows_last);
        for offset in offsets {
            members.deliver(&broadcast(*offset), &Arc::default());
        }
        assert_eq!(forms(&mut ear), expected, "knows last: {knows_last}, {offsets:?}");
    }
}

#[test]
fn what_a_json_connection_cant_carry_closes_it() {
    let (mut members, mut ear) = one(&positioned(), false);
    let data = Payload::stored(vec![0xff, 0xfe].into(), false);
    let publication = Arc::new(Publication { data, offset: 4, ..Publication::default() });
    let (channel, now) = (Channel::trusted("x"), Instant::now());
    let binary = Broadcast::new(channel, publication, &Epoch::new("a"), None, now);
    assert_eq!(members.deliver(&binary, &Arc::default()).unable, [ID]);
    assert_eq!(ear.rest(), []);
}

#[test]
fn a_late_leave_with_an_old_number_is_ignored() {
    let (mut members, _ear) = one(&positioned(), false);
    assert!(members.leave(ID, 0).is_none());
    assert!(members.get(ID).is_some());
    assert!(members.leave(ID, 1).is_some());
    assert!(members.is_empty());
}

#[test]
fn who_is_behind_for_two_words_in_a_row_is_told() {
    for (words, expected) in [
        (vec![at("a", 3), at("a", 3)], false),
        (vec![at("a", 4)], false),
        (vec![at("a", 4), at("a", 4)], true),
        (vec![at("a", 4), at("a", 3), at("a", 4)], false),
        (vec![at("a", 2), at("a", 2)], false),
        (vec![at("b", 1), at("b", 1)], true),
    ] {
        let (mut members, _ear) = one(&positioned(), false);
        let last = words.iter().map(|at| members.behind(at)).last().unwrap();
        assert_eq!(!last.is_empty(), expected, "{words:?}");
        let (mut members, _ear) = one(&Wishes::default(), false);
        assert!(words.iter().all(|at| members.behind(at).is_empty()), "it watches no position");
    }
}

#[test]
fn who_has_no_position_hears_a_new_history_from_its_start() {
    let (mut members, mut ear) = one(&Wishes::default(), true);
    assert_eq!(members.start_over(&at("b", 0)), []);
    members.deliver(&broadcast(1), &Arc::default());
    assert_eq!(ear.rest(), [Word::Said(1)]);
    let (mut members, _ear) = one(&positioned(), false);
    assert_eq!(members.start_over(&at("b", 0)), [ID]);
}

crate::platform::mutant::caught! {
    a_leave_that_ends_any_subscription_is_caught: LeaveWithoutNumber by a_late_leave_with_an_old_number_is_ignored;
}
