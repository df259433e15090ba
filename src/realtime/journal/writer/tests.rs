//! The writer against a journal that does what a test says.

mod stage;

use std::sync::atomic::{AtomicBool, Ordering};

use stage::{Next, SOON, Scene, offset, soon};

use super::{handle::MOST, *};
use crate::{
    platform::mutant::caught,
    realtime::journal::{Cursor, contract::fixture::append},
};

#[actix::test]
async fn nobody_is_answered_before_the_commit_and_everybody_after_it() {
    let mut scene = Scene::new(Patience::default());
    let commit = scene.hold();
    let mut first = scene.publish("a", "1");
    scene.under_way().await;
    assert!(first.try_recv().is_err() && scene.told.try_recv().is_err());
    commit.send(()).unwrap();
    assert_eq!(offset(first).await, 1);
    let told = scene.told().await;
    assert_eq!((&*told.channel, told.publication.data.len()), ("a", 1));
    assert_eq!(told.epoch().map(|epoch| epoch.as_str().ends_with(".0")), Some(true));
}

#[actix::test]
async fn a_note_goes_with_the_next_batch_or_alone_and_is_told_its_place() {
    let mut scene = Scene::new(Patience::default());
    let (writer, seq) = soon(scene.handle.note("beat".into())).await.unwrap();
    assert_eq!(seq, 1);
    scene.under_way().await;
    let commit = scene.hold();
    let first = scene.publish("a", "1");
    scene.under_way().await;
    let second = scene.publish("a", "2");
    let noting = scene.handle.note("order".into());
    commit.send(()).unwrap();
    assert_eq!(soon(noting).await, Ok((writer, 3)));
    assert_eq!((offset(first).await, offset(second).await), (1, 2));
    let changes = scene.journal.changes(Cursor::default()).await.unwrap();
    let notes: Vec<_> = changes.notes.iter().map(|it| (it.seq, &*it.note)).collect();
    assert_eq!(notes, [(1, &b"beat"[..]), (3, b"order")]);
}

#[actix::test]
async fn a_note_of_unknown_fate_is_settled_before_its_sender_hears() {
    let scene = Scene::new(Patience::default());
    scene.next(Next::CommitUnknown);
    assert_eq!(soon(scene.handle.note("x".into())).await.map(|(_, seq)| seq), Ok(1));
    scene.next(Next::DropUnknown);
    let lost = soon(scene.handle.note("y".into())).await;
    assert!(matches!(lost, Err(AppendError::Refused(_))), "{lost:?}");
    let long = vec![0; crate::realtime::journal::NOTE_BYTES + 1];
    let long = soon(scene.handle.note(long.into())).await;
    assert!(matches!(long, Err(AppendError::Refused(_))), "{long:?}");
}

#[actix::test]
async fn while_a_commit_is_under_way_the_next_batch_gathers_in_order() {
    let mut scene = Scene::new(Patience::default());
    let commit = scene.hold();
    let mut answers = vec![scene.publish("a", "1")];
    scene.under_way().await;
    for n in 2..=6 {
        answers.push(scene.publish(["a", "b"][n % 2], &n.to_string()));
    }
    commit.send(()).unwrap();
    let mut offsets = Vec::new();
    for answer in answers {
        offsets.push(offset(answer).await);
    }
    assert_eq!(offsets, [1, 2, 1, 3, 2, 4]);
    let batches = scene.journal.batches.lock().unwrap().clone();
    let sizes: Vec<_> = batches.iter().map(|(_, seq, said)| (*seq, said.len())).collect();
    assert_eq!(sizes, [(1, 1), (2, 5)], "one commit for all that gathered");
    assert_eq!(batches[0].0, batches[1].0);
}

#[actix::test]
async fn a_flush_waits_until_all_are_answered() {
    let mut scene = Scene::new(Patience::default());
    let commit = scene.hold();
    let mut answer = scene.publish("a", "1");
    scene.under_way().await;
    let late = scene.handle.flush(Duration::from_millis(1)).await;
    assert!(late.is_err(), "it has a deadline");
    let mut second = scene.publish("a", "2");
    commit.send(()).unwrap();
    scene.handle.flush(SOON).await.unwrap();
    assert!(answer.try_recv().is_ok() && second.try_recv().is_ok());
    scene.handle.flush(SOON).await.unwrap();
}

#[actix::test]
async fn a_refused_batch_is_told_to_all_and_the_next_one_commits() {
    let mut scene = Scene::new(Patience::default());
    scene.next(Next::Refuse);
    let refused = scene.publish("a", "1");
    assert_eq!(soon(refused).await.unwrap(), Err(AppendError::Refused("full".into())));
    assert!(scene.told().await.result.is_err(), "the room counts it, too");
    assert_eq!(offset(scene.publish("a", "2")).await, 1);
    assert_eq!(scene.stands("a").await, ["2"]);
}

#[actix::test]
async fn an_unknown_commit_that_happened_is_acknowledged_once_it_is_known() {
    let mut scene = Scene::new(Patience::default());
    scene.next(Next::CommitUnknown);
    assert_eq!(offset(scene.publish("a", "1")).await, 1);
    assert!(scene.told().await.result.is_ok());
    assert_eq!(offset(scene.publish("a", "2")).await, 2);
    assert_eq!(scene.stands("a").await, ["1", "2"], "nothing was tried again");
}

#[actix::test]
async fn an_unknown_commit_that_did_not_happen_is_refused_and_never_tried_again() {
    let mut scene = Scene::new(Patience::default());
    for next in [Next::DropUnknown, Next::Panic] {
        scene.next(next);
        let answer = soon(scene.publish("a", "lost")).await.unwrap();
        assert!(matches!(answer, Err(AppendError::Refused(_))), "{answer:?}");
        assert!(scene.told().await.result.is_err());
    }
    assert_eq!(offset(scene.publish("a", "2")).await, 1);
    assert_eq!(scene.stands("a").await, ["2"]);
    let batches = scene.journal.batches.lock().unwrap().clone();
    let writers: std::collections::BTreeSet<_> = batches.iter().map(|batch| batch.0).collect();
    assert_eq!((batches.len(), writers.len()), (3, 3), "each goes on under a new id");
}

#[actix::test]
async fn a_commit_past_its_deadline_is_settled_and_not_waited_for() {
    let patience = Patience { commit: Duration::from_millis(20), ..Patience::default() };
    let mut scene = Scene::new(patience);
    scene.next(Next::Never);
    let answer = soon(scene.publish("a", "stuck")).await.unwrap();
    assert!(matches!(answer, Err(AppendError::Refused(_))), "{answer:?}");
    scene.told().await;
    assert_eq!(offset(scene.publish("a", "2")).await, 1);
}

#[actix::test]
async fn a_commit_past_its_deadline_that_happened_is_acknowledged() {
    let patience = Patience { commit: Duration::from_millis(20), ..Patience::default() };
    let mut scene = Scene::new(patience);
    scene.next(Next::CommitSilently);
    assert_eq!(offset(scene.publish("a", "late")).await, 1);
    assert!(scene.told().await.result.is_ok());
    assert_eq!(scene.stands("a").await, ["late"]);
}

#[actix::test]
async fn who_waited_long_is_told_that_nobody_knows_and_the_room_hears_the_truth_later() {
    let mut scene = Scene::new(Patience::default());
    scene.journal.deaf.store(true, Ordering::SeqCst);
    scene.next(Next::CommitUnknown);
    let answer = scene.publish("a", "1");
    scene.under_way().await;
    let queued = scene.publish("a", "2");
    scene.handle.tick(Duration::from_secs(3)).await;
    assert!(matches!(soon(answer).await.unwrap(), Err(AppendError::Unknown(_))));
    let queued = soon(queued).await.unwrap();
    assert!(matches!(queued, Err(AppendError::Refused(_))), "it never went: {queued:?}");
    assert!(scene.told().await.result.is_err(), "the one that never went");
    assert!(scene.told.try_recv().is_err(), "the fate of the other is not known yet");
    scene.journal.deaf.store(false, Ordering::SeqCst);
    assert!(matches!(scene.told().await.result, Ok(Appended::New(at)) if at.offset == 1));
}

#[actix::test]
async fn a_panic_with_five_under_way_loses_no_answer() {
    let mut scene = Scene::new(Patience::default());
    let commit = scene.hold();
    let first = scene.publish("a", "0");
    scene.under_way().await;
    let (tell, _gone) = oneshot::channel::<()>();
    let broken = Answer::new(move |_| {
        drop(tell);
        panic!("as the test asked");
    });
    let room = || scene.room.clone().recipient();
    let mut answers = vec![scene.publish("a", "1"), scene.publish("a", "2")];
    scene.handle.append(append("a", "3"), broken, room()).unwrap();
    answers.extend([scene.publish("a", "4"), scene.publish("a", "5")]);
    commit.send(()).unwrap();
    let mut offsets = vec![offset(first).await];
    for answer in answers {
        offsets.push(offset(answer).await);
    }
    assert_eq!(offsets, [1, 2, 3, 5, 6]);
    for n in 1..=6 {
        assert!(matches!(scene.told().await.result, Ok(Appended::New(at)) if at.offset == n));
    }
    assert_eq!(offset(scene.publish("a", "6")).await, 7);
}

#[actix::test]
async fn a_panic_between_commit_and_reply_loses_no_answer() {
    let mut scene = Scene::new(Patience::default());
    let fall = Arc::new(AtomicBool::new(true));
    let falls = fall.clone();
    let observer = Observer {
        // Called after the commit, before the first is told.
        batch_size: Box::new(move |_| {
            assert!(!falls.swap(false, Ordering::SeqCst), "as the test asked");
        }),
        ..Observer::default()
    };
    let here = actix_rt::Arbiter::current();
    scene.handle = JournalHandle::start(scene.journal.clone(), &here, observer);
    let answers = [scene.publish("a", "1"), scene.publish("b", "1"), scene.publish("a", "2")];
    for answer in answers {
        soon(answer).await.unwrap().unwrap();
        assert!(scene.told().await.result.is_ok());
    }
    assert!(!fall.load(Ordering::SeqCst), "it did fall");
    assert_eq!(offset(scene.publish("a", "3")).await, 3);
    assert_eq!(scene.stands("a").await, ["1", "2", "3"]);
}

#[actix::test]
async fn too_much_on_its_way_is_refused_at_once_and_taken_again_later() {
    let mut scene = Scene::new(Patience::default());
    let commit = scene.hold();
    let first = scene.publish("a", "1");
    scene.under_way().await;
    let rest: Vec<_> = (1..MOST).map(|_| scene.publish("a", "x")).collect();
    let (tell, answered) = oneshot::channel();
    let answer = Answer::new(move |result| drop(tell.send(result)));
    let room = scene.room.clone().recipient();
    assert_eq!(scene.handle.append(append("a", "no"), answer, room), Err(Overloaded));
    assert!(matches!(soon(answered).await.unwrap(), Err(AppendError::Refused(_))));
    assert_eq!(scene.handle.under_way(), MOST);
    commit.send(()).unwrap();
    assert_eq!(offset(first).await, 1);
    for answer in rest {
        soon(answer).await.unwrap().unwrap();
    }
    scene.handle.flush(SOON).await.unwrap();
    assert_eq!(scene.handle.under_way(), 0);
    assert_eq!(offset(scene.publish("a", "2")).await, MOST as u64 + 1);
}

#[test]
fn an_answer_that_is_dropped_says_that_the_fate_is_unknown() {
    let (tell, answered) = std::sync::mpsc::channel();
    drop(Answer::new(move |result| tell.send(result).unwrap()));
    assert!(matches!(answered.recv().unwrap(), Err(AppendError::Unknown(_))));
}

caught! {
    an_early_answer_is_caught: AnsweredWhenQueued by nobody_is_answered_before_the_commit_and_everybody_after_it;
    a_retry_of_an_unknown_batch_is_caught: UnknownBatchRetried by an_unknown_commit_that_happened_is_acknowledged_once_it_is_known;
    a_deadline_that_cancels_is_caught: DeadlineCancels by a_commit_past_its_deadline_that_happened_is_acknowledged;
    a_writer_that_refuses_for_ever_is_caught: RefusesAfterTheFirstFault by an_unknown_commit_that_did_not_happen_is_refused_and_never_tried_again;
}
