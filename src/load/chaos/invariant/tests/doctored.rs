//! For each rule, histories in which it is broken.

use super::*;

/// Each breaks the rule of its name, perhaps others with it.
pub(super) type Doctor = fn(&mut History);

pub(super) const DOCTORED: &[(&str, &str, Doctor)] = &[
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
