//! A history in which all is well, and for each rule histories in which it is broken.

use super::*;
use crate::load::chaos::{
    kind::Kind,
    record::{
        Attempt, BY_WISH_CLOSED, Channel, Counters, Era, Event, FOREIGN, Fault, Message, Outcome,
        Recovery, Row, Subscriber, What,
    },
};

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

/// Each breaks the rule of its name, perhaps others with it.
type Doctor = fn(&mut History);

const DOCTORED: &[(&str, &str, Doctor)] = &[
    ("I1", "an acknowledged message is not in the journal", |history| {
        history.eras[0].rows.pop();
    }),
    ("I1", "it stands at another offset than the answer said", |history| {
        let ok = history.attempts.iter_mut().find(|a| matches!(a.outcome, Outcome::Ok { .. }));
        ok.unwrap().outcome = Outcome::Ok { offset: 99_999, epoch: 0 };
    }),
    ("I1", "it was acknowledged under a generation that no journal has", |history| {
        let epoch = history.epochs.number("h.0");
        let ok = history.attempts.iter_mut().find(|a| matches!(a.outcome, Outcome::Ok { .. }));
        ok.unwrap().outcome = Outcome::Ok { offset: 1, epoch };
    }),
    ("I2", "an offset is missing", |history| {
        history.eras[0].rows.remove(50);
    }),
    ("I2", "an offset is there twice", |history| {
        let row = history.eras[0].rows[50];
        history.eras[0].rows.push(row);
    }),
    ("I3", "the journal has what nobody published", |history| {
        history.eras[0].rows[50].message = FOREIGN;
    }),
    ("I3", "a subscriber heard altered bytes", |history| {
        let at = nth(history, 0, 40);
        let What::Delivered { message, .. } = &mut last(history, 0)[at].what else { panic!() };
        *message = FOREIGN;
    }),
    ("I3", "a message of another channel was heard", |history| {
        let at = nth(history, 0, 40);
        let What::Delivered { message, .. } = &mut last(history, 0)[at].what else { panic!() };
        *message = 0;
    }),
    ("I3", "somebody else was let into a person's channel", |history| {
        last(history, 0).push(joined(19 * SECOND, PERSONAL, 34, 0, Recovery::Fresh));
    }),
    ("I4", "one key stands in the journal twice", |history| {
        let keyed = history.eras[0].rows.iter().copied();
        let keyed = keyed.filter(|row| row.channel == ROOM);
        let mut twice = keyed.clone().find(|r| history.messages[r.message as usize].keyed).unwrap();
        twice.offset = keyed.map(|row| row.offset).max().unwrap() + 1;
        history.eras[0].rows.push(twice);
    }),
    ("I5", "two messages stand in the other order than they were said", |history| {
        let rows = &mut history.eras[0].rows;
        (rows[51].message, rows[52].message) = (rows[52].message, rows[51].message);
    }),
    ("I6", "a delivery is missing in the middle", |history| {
        let at = nth(history, 2, 70);
        last(history, 2).remove(at);
    }),
    ("I6", "a delivery came twice", |history| {
        let at = nth(history, 2, 70);
        let twice = last(history, 2)[at];
        last(history, 2).insert(at + 1, twice);
    }),
    ("I6", "two deliveries changed places", |history| {
        let at = nth(history, 2, 70);
        let events = last(history, 2);
        (events[at].what, events[at + 1].what) = (events[at + 1].what, events[at].what);
    }),
    ("I6", "another message was heard than the journal has there", |history| {
        let (one, two) = (nth(history, 2, 70), nth(history, 2, 71));
        let What::Delivered { message: other, .. } = last(history, 2)[two].what else { panic!() };
        let What::Delivered { message, .. } = &mut last(history, 2)[one].what else { panic!() };
        *message = other;
    }),
    ("I6", "a recovery that said it was whole left something out", |history| {
        let at = last(history, 1).iter().position(|e| matches!(e.what, What::Closed { .. }));
        last(history, 1).remove(at.unwrap() + 3);
    }),
    ("I6", "a recovery that said it was whole is of another history", |history| {
        let other = history.epochs.number("h.0");
        for event in last(history, 1) {
            if let What::Joined { epoch, recovery: Recovery::Whole, .. } = &mut event.what {
                *epoch = other;
            }
        }
    }),
    ("I6", "something was heard after the subscription had ended", |history| {
        let end = last(history, 0).len() - 1;
        last(history, 0).insert(end, event(17 * SECOND, What::Left { channel: ROOM, code: 0 }));
    }),
    ("I7", "the last word never came", |history| {
        last(history, 0).pop();
    }),
    (
        "I7",
        "after a fault nobody heard of what was committed in it until the next message",
        |history| {
            // The message that was under way when the node was killed, and all that follow it for 2 s.
            for event in last(history, 2).iter_mut() {
                if event.at > KILLED && event.at < KILLED + 2 * SECOND {
                    event.at = KILLED + 2 * SECOND;
                }
            }
        },
    ),
    ("I7", "somebody is still told a history that is over", |history| {
        history.eras.push(Era { generation: "h".into(), rows: Vec::new() });
    }),
    ("I8", "a delivery took 300 ms when all was well", |history| {
        let at = nth(history, 0, 20);
        let late = last(history, 0)[at].at + 300 * MS;
        for event in last(history, 0)[at..].iter_mut() {
            event.at = event.at.max(late);
        }
    }),
    ("I8", "who was cut off by the kill came back after 6 s", |history| {
        let late = KILLED + 6 * SECOND;
        let closed = last(history, 1).iter().position(|e| matches!(e.what, What::Closed { .. }));
        for event in last(history, 1)[closed.unwrap() + 1..].iter_mut() {
            event.at = event.at.max(late);
        }
    }),
    ("I8", "a delivery never came to one who stayed", |history| {
        let (from, events) = (17 * SECOND, last(history, 0));
        events.retain(|event| event.at < from);
    }),
    ("I9", "a short absence was not recovered", |history| {
        let joined = last(history, 1)
            .iter()
            .position(|e| matches!(e.what, What::Joined { recovery: Recovery::Whole, .. }));
        let events = last(history, 1);
        let back = events[joined.unwrap()].at;
        let mut top = 0;
        events.retain(|event| match event.what {
            What::Delivered { offset, .. } if event.at == back => {
                top = offset;
                false
            }
            _ => true,
        });
        events[joined.unwrap()].what =
            What::Joined { channel: ROOM, offset: top, epoch: 0, recovery: Recovery::Lost };
    }),
    ("I10", "somebody was closed with 3501", |history| {
        last(history, 0).push(event(19 * SECOND, What::Closed { code: 3501 }));
    }),
    ("I10", "a frame was called too long", |history| {
        last(history, 0).push(event(19 * SECOND, What::Closed { code: 1009 }));
    }),
    ("I10", "somebody was unsubscribed for good", |history| {
        let left = What::Left { channel: ROOM, code: 2000 };
        last(history, 0).push(event(19 * SECOND, left));
    }),
    ("I10", "a subscribe was refused for good", |history| {
        let refused = What::Refused { code: 103, temporary: false };
        last(history, 0).push(event(19 * SECOND, refused));
    }),
    ("I11", "something was acknowledged while the database was down", |history| {
        let down = |a: &&mut Attempt| a.invoked > STOPPED && a.invoked < STARTED;
        let attempt = history.attempts.iter_mut().find(down).unwrap();
        attempt.answered = attempt.invoked + 5 * MS;
        attempt.outcome = Outcome::Ok { offset: 1, epoch: 0 };
    }),
    ("I11", "everything is refused after the first fault", |history| {
        for attempt in history.attempts.iter_mut().filter(|a| a.invoked > 12 * SECOND) {
            attempt.outcome = Outcome::Refused { code: 100 };
        }
    }),
    ("I11", "nothing was under way when the node was killed", |history| {
        history
            .attempts
            .retain(|a| !(a.outcome == Outcome::Unknown && a.invoked < STOPPED - SECOND));
    }),
    ("I12", "nobody saw the fault", |history| {
        history.faults[0].witness = None;
    }),
    ("I12", "the fault was never done", |history| {
        history.faults[0].taken_at = None;
    }),
    ("I12", "nobody published when it was done", |history| {
        history.attempts.retain(|a| a.invoked.abs_diff(KILLED) > SECOND);
    }),
    ("I15", "a hub found an order broken", |history| {
        history.counters[1].order_broken = Some(1);
    }),
    ("I15", "a hub found a member behind", |history| {
        history.counters[2].member_behind = Some(1);
    }),
    ("I15", "somebody needed the feed when all was well", |history| {
        history.counters[3].learned_from_feed = Some(10);
    }),
];

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
