//! A history in which all is well, and for each rule histories in which it is broken.

mod doctored;

use super::*;
use crate::load::chaos::{
    kind::Kind,
    record::{
        Attempt, BY_WISH_CLOSED, Channel, Counters, Era, Event, FOREIGN, Fault, Message, Outcome,
        Recovery, Row, Subscriber, What,
    },
};
use doctored::DOCTORED;

const MS: Nanos = SECOND / 1000;
const ROOM: u32 = 0;
const PERSONAL: u32 = 1;
const PERSON: u32 = 7;
const KILLED: Nanos = 3 * SECOND + 50 * MS;
const STOPPED: Nanos = 10 * SECOND;
const STARTED: Nanos = 11 * SECOND;

/// Publishes until 18 s, a kill at 3 s, a database that is down from 10 to 11 s. Three members of a room, one of whom has
/// to come back after the kill, and a person who hears her own channel.
fn good() -> History {
    let mut history = History {
        channels: vec![
            Channel { name: "room".into(), person: None },
            Channel { name: "#7".into(), person: Some(PERSON) },
        ],
        quiet: vec![(SECOND, KILLED - 150 * MS), (12 * SECOND + 500 * MS, 18 * SECOND)],
        published_until: 18 * SECOND,
        ended_at: 20 * SECOND,
        ..History::default()
    };
    let epoch = history.epochs.number("g.0");
    history.subscribers = (0..4)
        .map(|user| Subscriber {
            role: "member",
            user: if user == 3 { PERSON } else { user },
            slow: false,
            events: vec![
                event(0, What::Connected { node: user as u8 % 3 }),
                joined(0, if user == 3 { PERSONAL } else { ROOM }, 0, epoch, Recovery::Fresh),
            ],
        })
        .collect();
    let mut era = Era { generation: "g".into(), rows: Vec::new() };
    let mut offsets = [0; 2];
    for n in 0..340 {
        let invoked = SECOND + Nanos::from(n) * 50 * MS;
        let channel = if n % 10 == 0 { PERSONAL } else { ROOM };
        let message = history.messages.len() as u32;
        history.messages.push(Message { channel, publisher: 1, n, size: 200, keyed: n % 7 == 0 });
        let down = (STOPPED - 50 * MS..=STARTED).contains(&invoked);
        // Under way when the node was killed: it was committed, and nobody was told.
        let unheard = invoked == KILLED;
        let attempt =
            |invoked, answered, outcome| Attempt { message, node: 0, invoked, answered, outcome };
        if down || unheard {
            let answered = if unheard { invoked + 10 * MS } else { STARTED + 20 * MS };
            history.attempts.push(attempt(invoked, answered, Outcome::Unknown));
        }
        if down {
            continue;
        }
        offsets[channel as usize] += 1;
        let offset = offsets[channel as usize];
        era.rows.push(Row { channel, life: 0, offset, message, at: invoked + 2 * MS });
        if !unheard {
            let outcome = Outcome::Ok { offset, epoch };
            history.attempts.push(attempt(invoked, invoked + 5 * MS, outcome));
        }
        let heard = What::Delivered { channel, offset, message };
        match channel {
            PERSONAL => history.subscribers[3].events.push(event(invoked + 15 * MS, heard)),
            _ => {
                for user in 0..3 {
                    let events = &mut history.subscribers[user].events;
                    events.push(event(invoked + 15 * MS, heard));
                }
            }
        }
    }
    history.eras = vec![era];
    break_off(&mut history, 1, KILLED + 10 * MS, KILLED + 800 * MS);
    history.faults = vec![
        Fault {
            kind: Kind::NodeKill,
            node: Some(1),
            planned_at: KILLED,
            taken_at: Some(KILLED + 8 * MS),
            witness: Some("process 4 is gone".into()),
            held_until: Some(KILLED + 8 * MS),
            healed_at: Some(KILLED + 8 * MS),
        },
        Fault {
            kind: Kind::PostgresStop,
            node: None,
            planned_at: STOPPED,
            taken_at: Some(STOPPED),
            witness: Some("another start time".into()),
            held_until: Some(STARTED),
            healed_at: Some(STARTED + 100 * MS),
        },
    ];
    for (at, learned) in [(2 * SECOND, 0), (8 * SECOND, 5), (14 * SECOND, 9), (17 * SECOND, 9)] {
        history.counters.push(Counters {
            node: 0,
            pid: 3,
            at,
            order_broken: Some(0),
            member_behind: Some(0),
            learned_from_feed: Some(learned),
        });
    }
    history
}

fn event(at: Nanos, what: What) -> Event {
    Event { at, what }
}

fn joined(at: Nanos, channel: u32, offset: u32, epoch: u16, recovery: Recovery) -> Event {
    event(at, What::Joined { channel, offset, epoch, recovery })
}

/// A subscriber loses its connection and comes back: what it missed comes with the subscription.
fn break_off(history: &mut History, who: usize, from: Nanos, to: Nanos) {
    let events = &mut history.subscribers[who].events;
    let first = events.iter().position(|e| e.at > from).unwrap();
    let later = events.iter().position(|e| e.at > to).unwrap();
    for missed in &mut events[first..later] {
        missed.at = to;
    }
    let back = [
        event(from, What::Closed { code: 0 }),
        event(to, What::Connected { node: 2 }),
        joined(to, ROOM, 0, 0, Recovery::Whole),
    ];
    events.splice(first..first, back);
}

fn names(history: &History) -> Vec<&'static str> {
    check(history, &Bounds::PROMISED).iter().map(|broken| broken.invariant).collect()
}

/// The place of the nth delivery among the events of a subscriber.
fn nth(history: &History, who: usize, n: usize) -> usize {
    let events = history.subscribers[who].events.iter().enumerate();
    let mut heard = events.filter(|(_, e)| matches!(e.what, What::Delivered { .. }));
    heard.nth(n).unwrap().0
}

fn last(history: &mut History, who: usize) -> &mut Vec<Event> {
    &mut history.subscribers[who].events
}

#[test]
fn a_history_in_which_all_is_well_breaks_nothing() {
    assert_eq!(check(&good(), &Bounds::PROMISED), []);
}

#[test]
fn each_rule_fails_where_it_is_broken() {
    for (invariant, what, doctor) in DOCTORED {
        let mut history = good();
        doctor(&mut history);
        let broken = names(&history);
        assert!(broken.contains(invariant), "{what}: expected {invariant}, got {broken:?}");
    }
}

#[test]
fn each_rule_has_a_history_that_breaks_it() {
    for number in (1..=12).chain([15]) {
        let name = format!("I{number}");
        assert!(DOCTORED.iter().any(|(invariant, ..)| *invariant == name), "{name}");
    }
}

#[test]
fn a_fault_that_does_nothing_is_found() {
    let mut history = good();
    let nothing = Fault {
        kind: Kind::Nothing,
        node: None,
        planned_at: 15 * SECOND,
        taken_at: None,
        witness: None,
        held_until: None,
        healed_at: None,
    };
    history.faults.push(nothing);
    let broken = check(&history, &Bounds::PROMISED);
    let [Broken { invariant: "I12", counterexample, .. }] = &broken[..] else {
        panic!("{broken:?}")
    };
    assert!(counterexample.contains("nothing of 15.000 s"), "{counterexample}");
}

#[test]
fn who_goes_by_its_own_wish_may_be_told_that_too_much_was_missed() {
    let mut history = good();
    // Away from 4 s on, back at 17 s: 220 messages, which is within the limit; of 4 KiB they are not.
    let events = last(&mut history, 2);
    let first = events.iter().position(|e| e.at > 4 * SECOND).unwrap();
    let later = events.iter().position(|e| e.at > 17 * SECOND).unwrap();
    let What::Delivered { offset: top, .. } = events[later - 1].what else { panic!() };
    let away = [
        event(4 * SECOND, What::Closed { code: BY_WISH_CLOSED }),
        event(17 * SECOND, What::Connected { node: 0 }),
        joined(17 * SECOND, ROOM, top, 0, Recovery::Lost),
    ];
    events.splice(first..later, away);
    assert_eq!(names(&history), ["I9"]);
    for message in &mut history.messages {
        message.size = 4096;
    }
    assert_eq!(names(&history), Vec::<&str>::new());
}

#[test]
fn a_promotion_may_lose_the_tail_if_everybody_is_told() {
    let mut history = good();
    // The standby lacks what was committed after 16 s. It is promoted at 18 s.
    let at = 18 * SECOND + 500 * MS;
    let mut era = Era { generation: "h".into(), rows: history.eras[0].rows.clone() };
    era.rows.retain(|row| row.at < 16 * SECOND);
    let top = |channel| {
        let rows = era.rows.iter().filter(|row| row.channel == channel);
        rows.map(|row| row.offset).max().unwrap()
    };
    let tops = [top(ROOM), top(PERSONAL)];
    history.eras.push(era);
    assert!(names(&history).contains(&"I7"), "nobody was told");
    let epoch = history.epochs.number("h.0");
    for who in 0..4 {
        let channel = if who == 3 { PERSONAL } else { ROOM };
        let left = event(at, What::Left { channel, code: 2500 });
        let back = joined(at, channel, tops[channel as usize], epoch, Recovery::Lost);
        last(&mut history, who).extend([left, back]);
    }
    assert_eq!(names(&history), Vec::<&str>::new());
}

#[test]
fn what_died_with_a_primary_need_not_be_heard_and_that_has_to_be_told() {
    let told = |after: Nanos| {
        let mut history = good();
        let died = 17 * SECOND + 910 * MS;
        let healed = died + 100 * MS;
        history.faults.push(Fault {
            kind: Kind::PostgresPromote,
            node: None,
            planned_at: died,
            taken_at: Some(died),
            witness: Some("another timeline".into()),
            held_until: Some(died),
            healed_at: Some(healed),
        });
        history.quiet[1].1 = 17 * SECOND;
        history.published_until = 18 * SECOND;
        history.ended_at = 30 * SECOND;
        let era = Era { generation: "h".into(), rows: history.eras[0].rows.clone() };
        let row = era.rows.iter().rfind(|row| row.channel == ROOM).unwrap();
        let top = [row.offset, era.rows.iter().filter(|r| r.channel == PERSONAL).count() as u32];
        history.eras.push(era);
        let epoch = history.epochs.number("h.0");
        // One member had not heard the last word when the primary died.
        last(&mut history, 0).pop();
        for who in 0..4 {
            let channel = if who == 3 { PERSONAL } else { ROOM };
            let at = healed + after;
            let left = event(at, What::Left { channel, code: 2500 });
            let back = joined(at, channel, top[channel as usize], epoch, Recovery::Lost);
            last(&mut history, who).extend([left, back]);
        }
        names(&history)
    };
    assert_eq!(told(2 * SECOND), Vec::<&str>::new());
    assert_eq!(told(6 * SECOND), ["I7"]);
}

#[test]
fn who_is_held_up_by_another_fault_is_not_stuck_behind_the_one_that_has_healed() {
    let mut history = good();
    history.quiet[1].0 = 17 * SECOND + 500 * MS;
    let mut fault = |kind, began: Nanos, healed: Nanos| {
        history.faults.push(Fault {
            kind,
            node: None,
            planned_at: began,
            taken_at: Some(began),
            witness: Some("seen".into()),
            held_until: Some(healed),
            healed_at: Some(healed),
        });
    };
    fault(Kind::RedisKill, 13 * SECOND, 14 * SECOND);
    fault(Kind::PostgresPause, 13 * SECOND + 900 * MS, 15 * SECOND + 300 * MS);
    let late = 15 * SECOND + 700 * MS;
    for event in last(&mut history, 0) {
        if (13 * SECOND + 900 * MS..late).contains(&event.at) {
            event.at = late;
        }
    }
    assert!(!names(&history).contains(&"I7"));
    history.faults.pop();
    assert!(names(&history).contains(&"I7"), "nothing else was wrong");
}

#[test]
fn figures_say_how_much_was_wrong() {
    let mut history = good();
    let index = Index::new(&history);
    let figures = Figures::of(&index, &Bounds::PROMISED);
    assert_eq!((figures.unrecovered, figures.stuck, figures.terminal_closes), (0, 0, 0));
    assert_eq!(figures.indeterminate, 23);
    assert_eq!(figures.acked_share, Some(1.0));
    last(&mut history, 0).pop();
    let index = Index::new(&history);
    assert_eq!(Figures::of(&index, &Bounds::PROMISED).stuck, 1);
}

#[test]
fn the_longest_gap_of_a_fault_is_that_of_who_came_back_last() {
    let history = good();
    let gaps = longest_gaps(&Index::new(&history));
    let coming_back = 790 * MS;
    assert!((coming_back - 100 * MS..=coming_back).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps[1] < 20 * MS, "{gaps:?}");
}

#[test]
fn a_slower_machine_has_more_time_and_no_more_losses() {
    let mut history = good();
    let at = nth(&history, 0, 20);
    let late = last(&mut history, 0)[at].at + 300 * MS;
    for event in last(&mut history, 0)[at..].iter_mut() {
        event.at = event.at.max(late);
    }
    assert_eq!(names(&history), ["I8"]);
    assert_eq!(check(&history, &Bounds::PROMISED.slackened(2)), []);
    last(&mut history, 0).pop();
    assert!(!check(&history, &Bounds::PROMISED.slackened(100)).is_empty());
}
