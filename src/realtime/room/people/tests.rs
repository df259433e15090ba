//! Who counts as here, as tables.

use super::*;

fn seat(worker: WorkerIndex, count: u64) -> SeatId {
    SeatId::new(worker, count)
}

fn who(seat: SeatId, number: SubscriptionNumber) -> Identity {
    let user = seat.worker().to_string();
    let info = ClientInfo { user, client: format!("{seat:?}"), ..ClientInfo::default() };
    Identity { seat, number, info: Arc::new(info) }
}

const SHOWN: Announced = Announced { presence: true, join_leave: true };

fn with(seats: &[SeatId]) -> People {
    let mut people = People::default();
    for seat in seats {
        people.enter(&who(*seat, 1), SHOWN);
    }
    people
}

#[test]
fn workers_are_sent_to_as_long_as_somebody_is_there() {
    let mut people = with(&[seat(0, 1), seat(2, 1), seat(2, 2)]);
    assert_eq!(people.workers(), [0, 2]);
    people.leave(seat(2, 1), 1);
    assert_eq!(people.workers(), [0, 2]);
    people.leave(seat(2, 2), 1);
    assert_eq!(people.workers(), [0]);
    people.leave(seat(0, 1), 1);
    assert!(people.is_empty());
}

#[test]
fn a_late_leave_does_not_end_a_newer_subscription() {
    let mut people = with(&[seat(0, 1)]);
    people.enter(&who(seat(0, 1), 2), SHOWN);
    assert!(people.leave(seat(0, 1), 1).is_none());
    assert_eq!((people.len(), people.workers()), (1, vec![0]));
    assert!(people.leave(seat(0, 1), 2).is_some());
    assert!(people.is_empty());
}

#[test]
fn presence_shows_who_wants_to_be_seen_and_counts_users_once() {
    let mut people = with(&[seat(1, 1), seat(1, 2)]);
    people.enter(&who(seat(0, 1), 1), Announced::default());
    assert_eq!(people.presence().len(), 2);
    assert_eq!(people.stats(), PresenceStats { clients: 2, users: 1 });
    assert_eq!(people.len(), 3);
}

#[test]
fn until_a_hub_has_answered_somebody_may_be_there() {
    let mut people = People::default();
    let number = people.count(1);
    assert_eq!(people.workers(), [1]);
    assert!(!people.is_empty(), "or the room would go to sleep");
    assert!(people.recount(1, number, &[]));
    assert!(people.is_empty());
}

#[test]
fn a_hub_tells_who_is_there() {
    let mut people = with(&[seat(0, 1), seat(1, 1)]);
    let number = people.count(1);
    assert!(people.recount(1, number, &[(who(seat(1, 7), 1), SHOWN)]));
    assert_eq!(people.len(), 2);
    assert!(people.leave(seat(1, 1), 1).is_none(), "the hub does not have it");
    assert!(people.leave(seat(1, 7), 1).is_some());
    assert!(people.leave(seat(0, 1), 1).is_some(), "another worker's");
}

#[test]
fn who_comes_and_goes_while_a_hub_counts_is_where_the_room_knows() {
    let mut people = with(&[seat(1, 1), seat(1, 2)]);
    let number = people.count(1);
    people.enter(&who(seat(1, 3), 1), SHOWN);
    people.leave(seat(1, 1), 1);
    people.leave(seat(1, 2), 1);
    people.enter(&who(seat(1, 2), 2), SHOWN);
    let there = [(who(seat(1, 1), 1), SHOWN), (who(seat(1, 2), 1), SHOWN)];
    assert!(people.recount(1, number, &there));
    assert!(people.leave(seat(1, 1), 1).is_none(), "it has left");
    assert!(people.leave(seat(1, 2), 2).is_some(), "it came again");
    assert!(people.leave(seat(1, 3), 1).is_some(), "it came after the question");
    assert!(people.is_empty());
}

#[test]
fn an_answer_to_an_older_question_is_dropped() {
    let mut people = with(&[seat(1, 1)]);
    let old = people.count(1);
    let number = people.count(1);
    assert!(!people.recount(1, old, &[]));
    assert_eq!(people.len(), 1);
    assert!(people.recount(1, number, &[]));
    assert!(!people.recount(1, number, &[(who(seat(1, 1), 1), SHOWN)]), "answered already");
    assert!(people.is_empty());
}

crate::platform::mutant::caught! {
    a_leave_that_ends_any_subscription_is_caught: LeaveWithoutNumber by a_late_leave_does_not_end_a_newer_subscription;
}
