//! Members that come back, to a room that knows less than they or the journal.

use super::{
    fake::Word::{self, Entered, Said},
    stage::{Reads, Stage},
};
use crate::{platform::mutant::caught, protocol::Epoch, realtime::room::Limits};

/// A room that was just opened over ten publications: its ring is empty.
async fn reopened(ring_bytes: usize) -> (Stage, Epoch) {
    let stage = Stage::with(false, ring_bytes);
    stage.journal.append_elsewhere(&stage.channel, 10).await;
    stage.member(0).await;
    let range = Limits { publications: 0, bytes: 0 }.range(0);
    let journal = stage.house.journal(&stage.channel).unwrap();
    let epoch = journal.read(&stage.channel, range).await.unwrap().epoch;
    (stage, epoch)
}

fn whole(offset: u64, missed: std::ops::RangeInclusive<u64>) -> Word {
    Entered { offset, recovered: Some(missed.collect()) }
}

#[actix::test]
async fn who_comes_while_a_page_is_read_for_another_is_served_as_well() {
    let (stage, epoch) = reopened(1 << 20).await;
    stage.journal.reads(Reads::Wait);
    let mut visitors = [8, 2, 9].map(|stood| (stood, stage.visitor(1)));
    for (stood, visitor) in &mut visitors {
        stage.subscribe(visitor, stage.at(&epoch, *stood));
    }
    stage.settle().await;
    stage.journal.let_go();
    for (stood, visitor) in &mut visitors {
        assert_eq!(visitor.ear.next().await, whole(*stood, *stood + 1..=10));
    }
}

#[actix::test]
async fn who_is_expected_is_answered_without_the_journal() {
    let stage = Stage::with(false, 1 << 20);
    stage.journal.append_elsewhere(&stage.channel, 10).await;
    let epoch = stage.journal.top(&stage.channel).await.epoch;
    let before = stage.journal.asked();
    stage.expect(stage.at(&epoch, 7));
    // Where it stands, which it looks for as soon as it is there, and what was missed.
    stage.until("the journal was asked", || stage.journal.asked() == before + 2).await;
    stage.settle().await;
    stage.journal.reads(Reads::Wait);
    for stood in [7, 9, 10] {
        let mut visitor = stage.visitor(1);
        stage.subscribe(&mut visitor, stage.at(&epoch, stood));
        assert_eq!(visitor.ear.next().await, whole(stood, stood + 1..=10));
    }
}

#[actix::test]
async fn who_is_ahead_of_the_room_is_asked_of_the_journal() {
    let (stage, epoch) = reopened(1 << 20).await;
    stage.journal.append_elsewhere(&stage.channel, 5).await;
    let mut visitors = [15, 3, 12].map(|stood| (stood, stage.visitor(1)));
    for (stood, visitor) in &mut visitors {
        stage.subscribe(visitor, stage.at(&epoch, *stood));
    }
    for (stood, visitor) in &mut visitors {
        let word = visitor.ear.next().await;
        let Entered { offset, recovered: Some(mut heard) } = word else { panic!("{word:?}") };
        assert_eq!(offset, *stood);
        while heard.len() < 15 - *stood as usize {
            let Said(next) = visitor.ear.next().await else { panic!("expected the rest") };
            heard.push(next);
        }
        assert_eq!(heard, (*stood + 1..=15).collect::<Vec<_>>());
    }
    let mut liar = stage.visitor(1);
    stage.subscribe(&mut liar, stage.at(&epoch, 99));
    assert_eq!(liar.ear.next().await, Entered { offset: 15, recovered: None });
    assert_eq!(stage.house.metrics.positions_from_nowhere_total.get(), 1);
    stage.publish().await;
    assert_eq!(visitors[0].1.ear.next().await, Said(16));
}

#[actix::test]
async fn who_recovers_while_others_publish_hears_each_once() {
    // A ring that keeps next to nothing.
    let (stage, epoch) = reopened(1).await;
    let mut visitor = stage.visitor(1);
    stage.journal.reads(Reads::Wait);
    stage.subscribe(&mut visitor, stage.at(&epoch, 4));
    stage.settle().await;
    stage.publish().await;
    stage.publish().await;
    stage.journal.let_go();
    assert_eq!(visitor.ear.next().await, whole(4, 5..=12));
    stage.publish().await;
    assert_eq!(visitor.ear.next().await, Said(13));
}

#[actix::test]
async fn removed_history_is_not_served_from_memory() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    let mut epoch = None;
    for _ in 1..=3 {
        epoch = Some(stage.publish().await.epoch);
    }
    stage.house.remove_history(&stage.channel).await.unwrap();
    let mut visitor = stage.visitor(1);
    stage.subscribe(&mut visitor, stage.at(&epoch.unwrap(), 1));
    assert_eq!(visitor.ear.next().await, Entered { offset: 3, recovered: None });
    stage.publish().await;
    assert_eq!(visitor.ear.next().await, Said(4));
    assert_eq!(member.ear.rest(), [Said(1), Said(2), Said(3), Said(4)]);
}

#[actix::test]
async fn a_page_from_before_a_removal_serves_nobody() {
    let (stage, epoch) = reopened(1 << 20).await;
    stage.journal.reads(Reads::Wait);
    let mut visitor = stage.visitor(1);
    stage.subscribe(&mut visitor, stage.at(&epoch, 8));
    stage.settle().await;
    stage.house.remove_history(&stage.channel).await.unwrap();
    stage.settle().await;
    stage.journal.let_go();
    assert_eq!(visitor.ear.next().await, Entered { offset: 10, recovered: None });
}

#[actix::test]
async fn who_comes_from_further_ahead_than_the_page_under_way_is_not_judged_by_it() {
    let (stage, epoch) = reopened(1 << 20).await;
    stage.journal.reads(Reads::Wait);
    let (asked, mut first, mut hopper) =
        (stage.journal.asked(), stage.visitor(1), stage.visitor(0));
    stage.subscribe(&mut first, stage.at(&epoch, 8));
    stage.until("the page is read", || stage.journal.asked() > asked).await;
    stage.journal.append_elsewhere(&stage.channel, 3).await;
    stage.subscribe(&mut hopper, stage.at(&epoch, 13));
    stage.settle().await;
    stage.journal.let_go();
    assert_eq!(first.ear.next().await, whole(8, 9..=10));
    assert_eq!(hopper.ear.next().await, Entered { offset: 13, recovered: Some(vec![]) });
}

#[actix::test]
async fn a_channel_that_shows_its_latest_shows_just_that() {
    let stage = Stage::with(true, 1 << 20);
    for _ in 1..=3 {
        stage.publish().await;
    }
    let mut visitor = stage.visitor(0);
    stage.subscribe(&mut visitor, None);
    assert_eq!(visitor.ear.next().await, whole(2, 3..=3));
    stage.publish().await;
    assert_eq!(visitor.ear.next().await, Said(4));
}

caught! {
    a_room_where_nobody_recovers_is_caught: NobodyRecovers by who_comes_while_a_page_is_read_for_another_is_served_as_well;
    a_commit_past_the_door_is_caught: OwnCommitPastTheDoor by who_recovers_while_others_publish_hears_each_once;
    a_recovery_without_the_ring_is_caught: MergedWithoutTheRing by who_recovers_while_others_publish_hears_each_once;
    the_top_of_the_room_for_the_journals_is_caught: TopOfTheRoom by who_is_ahead_of_the_room_is_asked_of_the_journal;
    a_late_comer_that_is_judged_is_caught: LateComerJudged by who_comes_from_further_ahead_than_the_page_under_way_is_not_judged_by_it;
}
