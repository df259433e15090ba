//! What the door lets through, holds, reads and drops, as tables.

use super::*;
use crate::protocol::Payload;

fn epoch(name: &str) -> Epoch {
    Epoch::new(name)
}

fn said(offset: u64) -> Arc<Publication> {
    let data = Payload::stored(offset.to_string().into_bytes().into(), false);
    Arc::new(Publication { data, offset, ..Publication::default() })
}

fn page(name: &str, top: u64, offsets: std::ops::RangeInclusive<u64>) -> Page {
    Page { epoch: epoch(name), top, publications: offsets.map(said).collect() }
}

fn nothing(name: &str, top: u64) -> Page {
    Page { epoch: epoch(name), top, publications: Vec::new() }
}

fn standing(offset: u64) -> Door {
    let mut door = Door::default();
    door.asked();
    assert_eq!(door.page(&nothing("a", offset), None), Verdict::Nothing);
    door
}

fn deliver(offsets: std::ops::RangeInclusive<u64>) -> Verdict {
    Verdict::Deliver(offsets.map(said).collect())
}

fn start_over(offsets: impl IntoIterator<Item = u64>) -> Verdict {
    Verdict::StartOver(offsets.into_iter().map(said).collect())
}

fn at(door: &Door) -> (&str, u64) {
    door.at().map_or(("", 0), |at| (at.epoch.as_str(), at.offset))
}

#[test]
fn each_goes_through_once_and_in_order() {
    type Arrival = (u64, bool);
    let table: [(&[Arrival], &[Verdict]); 6] = [
        (&[(4, true)], &[deliver(4..=4)]),
        (&[(3, true), (1, true)], &[Verdict::Nothing, Verdict::Nothing]),
        (&[(5, true), (4, true)], &[Verdict::Read, deliver(4..=5)]),
        (&[(4, true), (4, true)], &[deliver(4..=4), Verdict::Nothing]),
        (&[(4, false), (4, true)], &[Verdict::Read, deliver(4..=4)]),
        (
            &[(6, true), (5, true), (5, true), (4, true)],
            &[Verdict::Read, Verdict::Read, Verdict::Read, deliver(4..=6)],
        ),
    ];
    for (arrivals, verdicts) in table {
        let mut door = standing(3);
        let came: Vec<_> = arrivals
            .iter()
            .map(|&(n, whole)| door.arrive(&epoch("a"), n, whole.then(|| said(n))))
            .collect();
        assert_eq!(came, verdicts, "{arrivals:?}");
    }
}

#[test]
fn a_page_fills_the_gap_below_what_is_held() {
    let mut door = standing(3);
    assert_eq!(door.arrive(&epoch("a"), 6, Some(said(6))), Verdict::Read);
    door.asked();
    assert_eq!(door.page(&page("a", 5, 4..=5), Some(3)), deliver(4..=6));
    assert!(!door.is_behind());
}

#[test]
fn a_page_from_before_an_arrival_is_followed_by_another() {
    let mut door = standing(3);
    door.asked();
    assert_eq!(door.arrive(&epoch("a"), 5, None), Verdict::Read);
    assert_eq!(door.page(&nothing("a", 3), Some(3)), Verdict::Read);
}

#[test]
fn what_the_journal_does_not_know_of_is_not_asked_for_for_ever() {
    let mut door = standing(3);
    assert_eq!(door.arrive(&epoch("a"), 1_000_000, None), Verdict::Read);
    door.asked();
    assert_eq!(door.page(&nothing("a", 3), Some(3)), Verdict::Nothing);
    assert!(!door.is_behind());
}

#[test]
fn rows_that_are_gone_are_stepped_over_and_members_are_told() {
    let mut door = standing(3);
    door.arrive(&epoch("a"), 9, None);
    door.asked();
    assert_eq!(door.page(&page("a", 9, 7..=9), Some(3)), start_over([7, 8, 9]));
    assert_eq!(at(&door), ("a", 9));
    let mut door = standing(3);
    door.arrive(&epoch("a"), 9, None);
    door.asked();
    assert_eq!(door.page(&nothing("a", 9), Some(3)), start_over([]), "all of them are gone");
    assert!(!door.is_behind());
}

#[test]
fn a_page_of_something_else_is_no_hole() {
    let mut door = standing(3);
    assert_eq!(door.page(&page("a", 9, 7..=9), Some(6)), Verdict::Read, "it begins further on");
    assert_eq!(door.page(&page("a", 9, 2..=3), Some(1)), Verdict::Read, "it ended before");
    assert_eq!(door.page(&nothing("a", 9), None), Verdict::Read, "only the top was asked for");
    assert_eq!(door.page(&page("a", 9, 2..=9), Some(1)), deliver(4..=9));
}

#[test]
fn a_late_word_of_an_older_history_costs_one_look_and_nobody_has_to_go() {
    let mut door = standing(3);
    assert_eq!(door.arrive(&epoch("older"), 70, Some(said(70))), Verdict::Read);
    assert_eq!(
        door.arrive(&epoch("a"), 4, Some(said(4))),
        deliver(4..=4),
        "life goes on meanwhile"
    );
    door.asked();
    assert_eq!(door.page(&nothing("a", 4), Some(4)), Verdict::Nothing);
    assert!(!door.is_behind());
}

#[test]
fn the_first_words_of_a_new_history_are_not_lost() {
    let mut door = standing(500);
    assert_eq!(door.arrive(&epoch("b"), 1, Some(said(1))), Verdict::Read);
    door.asked();
    assert_eq!(door.page(&nothing("b", 1), Some(500)), start_over([]));
    assert_eq!(at(&door), ("b", 0), "those without a position have not heard the first yet");
    assert!(door.is_behind());
    door.asked();
    assert_eq!(door.page(&page("b", 1, 1..=1), Some(0)), deliver(1..=1));
    assert!(!door.is_behind());
}

#[test]
fn a_history_that_changed_after_the_page_was_asked_for_is_asked_for_again() {
    let mut door = standing(3);
    door.asked();
    assert_eq!(door.arrive(&epoch("b"), 1, None), Verdict::Read);
    assert_eq!(door.page(&nothing("a", 3), Some(3)), Verdict::Read);
    door.asked();
    assert_eq!(door.page(&nothing("b", 1), Some(3)), start_over([]));
}

#[test]
fn what_was_held_in_one_history_never_goes_out_in_another() {
    let mut door = standing(3);
    door.arrive(&epoch("a"), 5, Some(said(5)));
    assert_eq!(door.page(&nothing("b", 4), Some(3)), start_over([]));
    assert_eq!(at(&door), ("b", 4));
    assert_eq!(door.arrive(&epoch("b"), 6, None), Verdict::Read);
}

#[test]
fn a_door_that_opens_stands_at_the_top_and_knows_what_it_heard_meanwhile() {
    let mut door = Door::default();
    assert_eq!(door.arrive(&epoch("a"), 5, Some(said(5))), Verdict::Read);
    door.asked();
    assert_eq!(door.arrive(&epoch("a"), 8, Some(said(8))), Verdict::Read);
    assert_eq!(door.page(&nothing("a", 7), None), Verdict::Read);
    assert_eq!(at(&door), ("a", 7));
    door.asked();
    assert_eq!(door.page(&page("a", 8, 8..=8), Some(7)), deliver(8..=8));
}

#[test]
fn a_door_that_was_rebuilt_looks_even_if_nothing_comes() {
    let mut door = Door::standing(Some(Position { epoch: epoch("a"), offset: 3 }));
    assert!(door.is_behind());
    assert_eq!(door.page(&nothing("a", 3), Some(3)), Verdict::Read, "it was asked for before");
    door.asked();
    assert!(door.is_behind(), "until there is an answer");
    assert_eq!(door.page(&nothing("a", 3), Some(3)), Verdict::Nothing);
    assert!(!door.is_behind());
}

#[test]
fn what_is_held_is_bounded_and_the_rest_is_read() {
    let big = |offset| {
        let data = Payload::stored(vec![0; 100 * 1024].into(), false);
        Arc::new(Publication { data, offset, ..Publication::default() })
    };
    let mut door = standing(0);
    for offset in [9, 5, 3, 2] {
        door.arrive(&epoch("a"), offset, Some(big(offset)));
    }
    assert!(door.held_bytes <= MOST_HELD);
    assert_eq!(
        door.arrive(&epoch("a"), 1, Some(said(1))),
        Verdict::Deliver(vec![said(1), big(2), big(3)])
    );
    assert!(door.is_behind(), "9 is still known of");
    assert_eq!(door.held_bytes, 0);
}

crate::platform::mutant::caught! {
    arrivals_that_are_not_deduplicated_are_caught: ArrivalsNotDeduplicated by each_goes_through_once_and_in_order;
    a_gap_that_is_skipped_is_caught: GapSkipped by each_goes_through_once_and_in_order;
}
