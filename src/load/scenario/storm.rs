//! `storm`: everybody drops at once, misses some messages, comes back at once and recovers. How long until all have all?

use rand::seq::SliceRandom;

use super::fill_rooms;
use crate::load::{
    Failure,
    conditions::Conditions,
    connection::Member,
    publishing::{Drive, Publisher, Publishing, Until},
    report::Report,
    run::Run,
};

/// Who publishes while the members are away: connections of their own, which stay.
pub fn publishers(conditions: &Conditions) -> usize {
    conditions.publishers.min(conditions.rooms())
}

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    let conditions = run.conditions.clone();
    let (members, rooms) = (conditions.connections, conditions.rooms());
    fill_rooms(run);
    let count = publishers(&conditions);
    let publishers: Vec<(usize, Vec<usize>)> = (0..count)
        .map(|first| {
            let who = run.swarm.add(Member { user: members + first, room: None });
            (who, (first..rooms).step_by(count).collect())
        })
        .collect();
    run.bring_in()?;
    // A first message each, so that everybody stands somewhere.
    publish_to_each_room(run, &publishers, 1)?;
    run.drain()?;

    let from = run.mark()?;
    for who in 0..members {
        run.swarm.cut(who, &mut run.tally);
    }
    publish_to_each_room(run, &publishers, conditions.missed as u64)?;
    // In no order: a crowd does not come back room by room.
    let mut crowd: Vec<usize> = (0..members).collect();
    crowd.shuffle(&mut rand::rng());
    for who in crowd {
        run.swarm.come_back(who);
    }
    run.show("recovering", members as u64);
    run.until(
        "everybody to recover",
        |run| run.tally.recovered + run.tally.unrecovered + run.tally.checker.delivered(),
        |run| {
            let back = run.tally.recovered + run.tally.unrecovered >= members as u64;
            back && (run.tally.checker.owed() <= 0 || run.tally.unrecovered > 0)
        },
    )?;
    let to = run.mark()?;
    run.drain()?;
    let cost = run.mark()?;
    run.report(&from, &to, &cost)
}

/// Publishes so many messages into each room and waits until all are answered.
fn publish_to_each_room(
    run: &mut Run,
    publishers: &[(usize, Vec<usize>)],
    messages: u64,
) -> Result<(), Failure> {
    let publishers = publishers
        .iter()
        .map(|(who, rooms)| {
            let quota = messages * rooms.len() as u64;
            Publisher::new(*who, rooms.clone(), Some(quota))
        })
        .collect();
    let conditions = &run.conditions;
    let drive = Drive {
        rate: conditions.rate,
        window: conditions.window,
        until: Until::Acknowledged,
        size: conditions.payload,
    };
    run.publish(Publishing::new(publishers, drive, run.clock.now()), None)?;
    run.await_answers()
}
