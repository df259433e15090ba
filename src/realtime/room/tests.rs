//! A room with its hubs and a journal, and what members hear when parts of it fall.

mod arriving;
pub mod fake;
mod recovering;
mod stage;

use fake::Word::{Behind, Entered, Left, Refused, Said};
use stage::{Reads, Stage, Visitor};

use crate::{platform::mutant::caught, realtime::journal::Appended};

/// What a member hears up to `last`; told to come back, it does, and goes on where it stood.
async fn hear_up_to(stage: &Stage, member: &mut Visitor, last: u64, epoch: &str) -> Vec<u64> {
    let mut heard: Vec<u64> = Vec::new();
    while heard.last() != Some(&last) {
        match member.ear.next().await {
            Said(offset) => heard.push(offset),
            Behind => {
                let stood = heard.last().copied().unwrap_or(0);
                let epoch = crate::protocol::Epoch::new(epoch);
                let position = stage.at(&epoch, stood);
                stage.subscribe(member, position);
            }
            Entered { recovered, .. } => heard.extend(recovered.expect("it is recovered")),
            Left => {}
            other => panic!("{other:?}"),
        }
    }
    heard
}

#[actix::test]
async fn everybody_hears_everything_in_order_and_the_publisher_is_answered() {
    let stage = Stage::new();
    let mut members = [stage.member(0).await, stage.member(1).await, stage.member(1).await];
    for offset in 1..=3 {
        assert_eq!(stage.publish().await.offset, offset);
    }
    for member in &mut members {
        for offset in 1..=3 {
            assert_eq!(member.ear.next().await, Said(offset));
        }
    }
}

#[actix::test]
async fn nobody_hears_what_is_not_committed() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.journal.hold_appends();
    let answer = stage.publish_soon(false);
    // Needs no commit, and goes the same way.
    stage.publish_soon(true).await.expect("answered").expect("taken");
    assert_eq!(member.ear.next().await, Said(0));
    stage.journal.let_appends_go();
    assert_eq!(member.ear.next().await, Said(1));
    answer.await.expect("answered").expect("acknowledged");
}

#[actix::test]
async fn a_room_that_falls_with_publishes_under_way_loses_none() {
    let stage = Stage::new();
    let mut members = [stage.member(0).await, stage.member(1).await];
    let mut answers = Vec::new();
    for n in 1..=30 {
        answers.push(stage.publish_soon(false));
        if n % 10 == 5 {
            stage.fall();
        }
    }
    for member in &mut members {
        for offset in 1..=30 {
            assert_eq!(member.ear.next().await, Said(offset));
        }
        assert_eq!(member.ear.rest(), []);
    }
    for answer in answers {
        answer.await.expect("answered").expect("acknowledged");
    }
}

#[actix::test]
async fn a_room_that_falls_in_mid_delivery_delivers_the_rest() {
    let stage = Stage::new();
    let mut members = [stage.member(0).await, stage.member(1).await];
    stage.house.trap.set(2);
    for _ in 1..=3 {
        stage.publish().await;
    }
    for member in &mut members {
        for offset in 1..=3 {
            assert_eq!(member.ear.next().await, Said(offset));
        }
    }
}

#[actix::test]
async fn a_last_word_over_which_the_room_falls_is_heard() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.house.trap.set(1);
    stage.publish().await;
    assert_eq!(member.ear.next().await, Said(1));
}

#[actix::test]
async fn a_fallen_room_asks_a_journal_that_failed_again() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.journal.reads(Reads::Fail);
    stage.house.trap.set(1);
    stage.publish().await;
    let before = stage.journal.asked();
    stage.until("it asks", || stage.journal.asked() > before).await;
    stage.journal.reads(Reads::Answer);
    assert_eq!(member.ear.next().await, Said(1));
}

#[actix::test]
async fn a_hub_that_falls_in_mid_delivery_sends_back_whom_it_left_out() {
    let stage = Stage::new();
    let mut members = Vec::new();
    for _ in 0..20 {
        members.push(stage.member(0).await);
    }
    members.push(stage.member(1).await);
    members[7].seat.poison("\"offset\":2");
    let mut epoch = String::new();
    for _ in 1..=3 {
        epoch = stage.publish().await.epoch.to_string();
    }
    for (n, member) in members.iter_mut().enumerate() {
        assert_eq!(hear_up_to(&stage, member, 3, &epoch).await, [1, 2, 3], "member {n}");
    }
}

#[actix::test]
async fn a_last_word_over_which_a_hub_falls_is_not_waited_for() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    member.seat.poison("\"offset\":1");
    let epoch = stage.publish().await.epoch.to_string();
    assert_eq!(hear_up_to(&stage, &mut member, 1, &epoch).await, [1]);
}

#[actix::test]
async fn a_hub_that_is_too_full_for_a_last_word_makes_nobody_wait_for_the_next() {
    let stage = Stage::with_small_hubs(4);
    let mut member = stage.member(0).await;
    let answers: Vec<_> = (0..200).map(|_| stage.publish_soon(false)).collect();
    let mut epoch = String::new();
    for answer in answers {
        let answer = answer.await.expect("answered").expect("acknowledged");
        let Appended::New(position) = answer else { panic!("{answer:?}") };
        epoch = position.epoch.to_string();
    }
    let heard = hear_up_to(&stage, &mut member, 200, &epoch).await;
    assert_eq!(heard, (1..=200).collect::<Vec<_>>());
    assert!(stage.house.metrics.member_behind_total.get() > 0, "the hub was too full");
}

#[actix::test]
async fn who_enters_while_a_hub_is_asked_who_is_there_is_not_forgotten() {
    let stage = Stage::new();
    let mut first = stage.member(0).await;
    stage.fall();
    let mut second = stage.visitor(1);
    stage.subscribe(&mut second, None);
    stage.unsubscribe(&first);
    assert!(matches!(second.ear.next().await, Entered { .. }));
    assert_eq!(first.ear.next().await, Left);
    stage.settle().await;
    assert_eq!(stage.house.members(&stage.channel).await.unwrap(), 1);
    stage.publish().await;
    assert_eq!(second.ear.next().await, Said(1));
    assert_eq!(first.ear.rest(), []);
}

#[actix::test]
async fn who_leaves_and_comes_back_at_once_hears_on() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.unsubscribe(&member);
    let late = stage::Visitor { ear: stage.visitor(0).ear, seat: member.seat.clone(), ..member };
    stage.subscribe(&mut member, None);
    stage.unsubscribe(&late);
    assert_eq!(member.ear.next().await, Left);
    assert!(matches!(member.ear.next().await, Entered { .. }));
    stage.publish().await;
    loop {
        match member.ear.next().await {
            Left => {}
            word => break assert_eq!(word, Said(1)),
        }
    }
}

#[actix::test]
async fn an_idle_room_sleeps_and_wakes_where_it_stood() {
    let stage = Stage::new();
    stage.publish().await;
    stage.publish().await;
    stage.settle().await;
    stage.tick();
    stage.tick();
    stage.until("it sleeps", || stage.house.rooms() == 0).await;
    let mut visitor = stage.visitor(0);
    stage.subscribe(&mut visitor, None);
    assert_eq!(visitor.ear.next().await, Entered { offset: 2, recovered: None });
    assert_eq!(stage.publish().await.offset, 3);
    assert_eq!(visitor.ear.next().await, Said(3));
}

#[actix::test]
async fn who_comes_while_a_room_falls_asleep_gets_in() {
    let stage = Stage::new();
    stage.publish().await;
    stage.settle().await;
    stage.tick();
    stage.settle().await;
    stage.tick();
    let mut visitor = stage.visitor(0);
    stage.subscribe(&mut visitor, None);
    assert_eq!(visitor.ear.next().await, Entered { offset: 1, recovered: None });
    stage.publish().await;
    assert_eq!(visitor.ear.next().await, Said(2));
}

#[actix::test]
async fn a_room_with_a_commit_under_way_stays_awake_even_if_it_fell() {
    let stage = Stage::new();
    stage.publish().await;
    stage.journal.hold_appends();
    let answer = stage.publish_soon(false);
    stage.fall();
    for _ in 0..3 {
        stage.settle().await;
        stage.tick();
    }
    let mut visitor = stage.visitor(0);
    stage.subscribe(&mut visitor, None);
    assert_eq!(visitor.ear.next().await, Entered { offset: 1, recovered: None });
    stage.journal.let_appends_go();
    assert_eq!(visitor.ear.next().await, Said(2));
    answer.await.expect("answered").expect("acknowledged");
}

#[actix::test]
async fn a_fallen_room_does_not_sleep_over_its_members() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.fall();
    stage.tick();
    stage.tick();
    stage.settle().await;
    stage.publish().await;
    assert_eq!(member.ear.next().await, Said(1));
}

#[actix::test]
async fn a_journal_that_fails_or_panics_is_told_and_asked_again_for_the_next() {
    for reads in [Reads::Fail, Reads::Panic] {
        let stage = Stage::new();
        stage.journal.reads(reads);
        let mut visitor = stage.visitor(0);
        stage.subscribe(&mut visitor, None);
        assert_eq!(visitor.ear.next().await, Refused(100));
        stage.journal.reads(Reads::Answer);
        stage.subscribe(&mut visitor, None);
        assert!(matches!(visitor.ear.next().await, Entered { .. }));
    }
}

#[actix::test]
async fn what_has_no_place_in_the_history_disturbs_nobody() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    stage.publish().await;
    stage.publish_soon(true).await.expect("answered").expect("taken");
    stage.publish().await;
    let heard = [member.ear.next().await, member.ear.next().await, member.ear.next().await];
    assert_eq!(heard, [Said(1), Said(0), Said(2)]);
}

#[actix::test]
async fn in_another_history_who_has_a_position_must_come_back_and_the_others_hear_on() {
    let stage = Stage::new();
    let mut positioned = stage.member(0).await;
    let mut other = stage.visitor(0);
    other.positioned = false;
    stage.subscribe(&mut other, None);
    assert!(matches!(other.ear.next().await, Entered { .. }));
    for _ in 1..=3 {
        stage.publish().await;
    }
    stage.journal.begin_anew();
    // The writer begins anew, too, before it appends.
    let _ = stage.publish_soon(false).await;
    assert_eq!(stage.publish().await.offset, 1);
    for offset in [1, 2, 3] {
        assert_eq!(positioned.ear.next().await, Said(offset));
        assert_eq!(other.ear.next().await, Said(offset));
    }
    assert_eq!(positioned.ear.next().await, Behind);
    assert_eq!(other.ear.next().await, Said(1));
    stage.publish().await;
    assert_eq!(other.ear.next().await, Said(2));
}

caught! {
    an_answer_in_the_rooms_future_is_caught: AnswerInTheRoomsFuture by a_room_that_falls_with_publishes_under_way_loses_none;
    a_delivery_before_the_commit_is_caught: DeliveredBeforeCommit by nobody_hears_what_is_not_committed;
    a_room_that_closes_with_a_commit_under_way_is_caught: ClosesWithACommitUnderWay by a_room_with_a_commit_under_way_stays_awake_even_if_it_fell;
    a_hub_that_is_not_audited_is_caught: HubNotAudited by a_last_word_over_which_a_hub_falls_is_not_waited_for;
    an_epoch_that_the_room_draws_is_caught: EpochDrawnByTheRoom by everybody_hears_everything_in_order_and_the_publisher_is_answered;
    a_room_that_fell_and_does_not_look_is_caught: FallForgetsToLook by a_last_word_over_which_the_room_falls_is_heard;
}
