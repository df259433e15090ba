//! What other nodes say, in the room of this one.

use std::sync::Arc;

use super::{
    fake::Word::{Behind, Entered, Said},
    stage::{Reads, Stage, said},
};
use crate::{
    protocol::{Position, Publication},
    realtime::bridge::Arrived,
};

/// Committed by another node, without a word to this one.
async fn elsewhere(stage: &Stage) -> Position {
    stage.journal.append_elsewhere(&stage.channel, 1).await;
    stage.journal.top(&stage.channel).await
}

#[actix::test]
async fn a_notice_of_another_nodes_commit_brings_what_was_said() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    let at = elsewhere(&stage).await;
    let learned = || stage.house.metrics.learned_from_feed_total.get();
    stage.house.arrived(&stage.channel, Arrived::Committed(at.clone(), None));
    assert_eq!(member.ear.next().await, Said(1));
    assert_eq!(learned(), 1);
    stage.house.arrived(&stage.channel, Arrived::Committed(at, None));
    stage.publish().await;
    assert_eq!(member.ear.next().await, Said(2), "a second word of the first is no news");
    assert_eq!(learned(), 1);
}

#[actix::test]
async fn what_overtook_its_predecessor_waits_for_it() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    elsewhere(&stage).await;
    let second = elsewhere(&stage).await;
    let offset = second.offset;
    let publication = Arc::new(Publication { offset, ..Publication::clone(&said("elsewhere")) });
    stage.house.arrived(&stage.channel, Arrived::Committed(second, Some(publication)));
    assert_eq!(member.ear.next().await, Said(1));
    assert_eq!(member.ear.next().await, Said(2));
}

#[actix::test]
async fn where_a_room_stands_in_another_history_is_told_to_its_members_without_another_read() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    elsewhere(&stage).await;
    stage.house.missed(&stage.channel);
    assert_eq!(member.ear.next().await, Said(1));
    stage.journal.begin_anew();
    elsewhere(&stage).await;
    let second = elsewhere(&stage).await;
    stage.journal.reads(Reads::Fail);
    stage.house.stands(&stage.channel, second.clone());
    assert_eq!(member.ear.next().await, Behind);
    // It goes on from there.
    stage.journal.reads(Reads::Answer);
    let mut visitor = stage.visitor(1);
    stage.subscribe(&mut visitor, Some(second));
    assert!(matches!(visitor.ear.next().await, Entered { offset: 2, .. }));
    let third = elsewhere(&stage).await;
    stage.house.stands(&stage.channel, third);
    assert_eq!(visitor.ear.next().await, Said(3));
}

#[actix::test]
async fn a_room_that_missed_something_looks_for_it() {
    let stage = Stage::new();
    let mut member = stage.member(0).await;
    for offset in 1..=2 {
        elsewhere(&stage).await;
        stage.house.missed(&stage.channel);
        assert_eq!(member.ear.next().await, Said(offset));
    }
}
