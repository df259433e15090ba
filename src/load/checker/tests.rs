//! Runs as the judge sees them: kept promises and each kind of broken one.

use super::*;

/// Two seats in one room, `sent` messages of publisher 7, all acknowledged.
fn room_of_two(sent: u32) -> Checker {
    let mut checker = Checker::new(1);
    checker.sat_down(0, 0, 0);
    checker.sat_down(1, 0, 0);
    for number in 1..=sent {
        assert_eq!(checker.number(0), number);
        checker.acknowledged(0, number);
    }
    checker
}

/// The verdict after both seats heard these (place, number).
fn verdict(sent: u32, first: &[(u64, u32)], second: &[(u64, u32)]) -> Verdict {
    let mut checker = room_of_two(sent);
    for (seat, heard) in [first, second].into_iter().enumerate() {
        for (place, number) in heard {
            checker.heard(seat, *place, 7, *number);
        }
    }
    checker.verdict()
}

const ALL: &[(u64, u32)] = &[(1, 1), (2, 2), (3, 3)];

#[test]
fn each_broken_promise_is_found_and_a_kept_one_is_clean() {
    type Row = (&'static str, &'static [(u64, u32)], [u64; 4]);
    let table: &[Row] = &[
        ("all is well", ALL, [6, 0, 0, 0]),
        ("lost in the middle", &[(1, 1), (3, 3)], [5, 1, 0, 0]),
        ("lost at the end", &[(1, 1), (2, 2)], [5, 1, 0, 0]),
        ("lost at the start", &[(2, 2), (3, 3)], [5, 1, 0, 0]),
        ("heard nothing", &[], [3, 3, 0, 0]),
        ("doubled at once", &[(1, 1), (1, 1), (2, 2), (3, 3)], [6, 0, 1, 0]),
        ("doubled later", &[(1, 1), (2, 2), (3, 3), (1, 1)], [6, 0, 1, 0]),
        ("swapped", &[(2, 2), (1, 1), (3, 3)], [6, 0, 0, 1]),
        ("two texts swapped under their offsets", &[(1, 2), (2, 1), (3, 3)], [6, 0, 0, 2]),
        ("a hole in the offsets", &[(1, 1), (2, 2), (4, 3)], [5, 1, 0, 1]),
        ("an offset that nothing can have", &[(1, 1), (2, 2), (9, 3)], [5, 1, 0, 1]),
        ("a number that nobody sent", &[(1, 1), (2, 2), (3, 4)], [5, 1, 0, 1]),
    ];
    for (what, heard, [delivered, lost, duplicated, reordered]) in table {
        let expected = Verdict {
            delivered: *delivered,
            lost: *lost,
            duplicated: *duplicated,
            reordered: *reordered,
        };
        assert_eq!(verdict(3, ALL, heard), expected, "{what}");
        assert_eq!(expected.is_clean(), *what == "all is well");
    }
}

#[test]
fn an_acknowledged_message_that_nobody_heard_is_lost_to_every_seat() {
    assert_eq!(verdict(1, &[], &[]).lost, 2);
    assert_eq!(verdict(4, ALL, ALL).lost, 2);
}

#[test]
fn a_message_that_stands_in_the_room_twice_is_duplicated() {
    let heard = &[(1, 1), (2, 1)];
    assert_eq!(
        verdict(2, heard, heard),
        Verdict { delivered: 4, lost: 2, duplicated: 1, reordered: 0 }
    );
}

#[test]
fn messages_of_one_publisher_in_the_wrong_order_are_reordered_even_if_all_seats_agree() {
    let heard = &[(1, 2), (2, 1)];
    assert_eq!(verdict(2, heard, heard).reordered, 1);
}

#[test]
fn messages_of_two_publishers_may_be_placed_in_any_order() {
    let mut checker = room_of_two(2);
    for seat in [0, 1] {
        checker.heard(seat, 1, 8, 2);
        checker.heard(seat, 2, 7, 1);
    }
    assert!(checker.verdict().is_clean());
}

#[test]
fn an_unacknowledged_message_may_come_or_not() {
    for heard in [&[][..], &[(1, 1)]] {
        let mut checker = Checker::new(1);
        checker.sat_down(0, 0, 0);
        checker.number(0);
        for (place, number) in heard {
            checker.heard(0, *place, 7, *number);
        }
        assert!(checker.verdict().is_clean());
    }
}

#[test]
fn a_channel_without_offsets_is_judged_by_number() {
    let told: &[(u64, u32)] = &[(0, 1), (0, 2), (0, 3)];
    assert!(verdict(3, told, told).is_clean());
    assert_eq!(verdict(3, told, &[(0, 1), (0, 3)]).lost, 1);
}

#[test]
fn who_comes_back_is_owed_what_it_missed() {
    let mut checker = room_of_two(3);
    for seat in [0, 1] {
        checker.heard(seat, 1, 7, 1);
        assert_eq!(checker.stands(seat), Some((0, 1)));
        checker.sat_down(seat, 0, 1);
    }
    for (place, number) in [(2, 2), (3, 3)] {
        checker.heard(0, place, 7, number);
    }
    assert_eq!(checker.owed(), 2);
    assert_eq!(checker.verdict().lost, 2);
    checker.sat_down(1, 0, 3);
    assert_eq!(checker.verdict().lost, 2, "put at the top without what lies between");
}

#[test]
fn when_all_are_put_at_the_top_each_message_is_lost_once_to_each() {
    let mut checker = room_of_two(3);
    for seat in [0, 1] {
        checker.sat_down(seat, 0, 3);
    }
    assert_eq!(checker.verdict().lost, 6);
}

#[test]
fn who_sits_down_late_is_owed_only_what_comes_later() {
    let mut checker = Checker::new(1);
    checker.sat_down(0, 0, 40);
    let number = checker.number(0);
    checker.acknowledged(0, number);
    checker.heard(0, 41, 7, number);
    assert_eq!(checker.verdict(), Verdict { delivered: 1, ..Verdict::default() });
}

#[test]
fn messages_are_under_way_until_every_seat_has_them() {
    let mut checker = room_of_two(2);
    assert_eq!(checker.under_way(0), 2);
    checker.heard(0, 1, 7, 1);
    checker.heard(0, 2, 7, 2);
    assert_eq!(checker.under_way(0), 2, "the slowest seat counts");
    checker.heard(1, 1, 7, 1);
    assert_eq!(checker.under_way(0), 1);
    checker.heard(1, 2, 7, 2);
    assert_eq!(checker.under_way(0), 0);
}

#[test]
fn nobody_is_waited_for_who_was_put_past_a_message_or_for_one_that_was_given_up() {
    let mut checker = room_of_two(3);
    checker.heard(0, 1, 7, 1);
    checker.heard(0, 2, 7, 2);
    checker.sat_down(1, 0, 2);
    assert_eq!(checker.under_way(0), 1);
    checker.given_up(0);
    assert_eq!(checker.under_way(0), 0);
    checker.number(0);
    assert_eq!(checker.under_way(0), 1);
}
