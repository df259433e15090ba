//! `publish`: publishers that keep a window of durable publishes under way, one subscriber a room. How many are
//! acknowledged a second?

use std::time::Duration;

use crate::load::{
    Failure,
    connection::Member,
    publishing::{Drive, Publisher, Publishing, Until},
    report::{Report, rounded},
    run::Run,
};

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    let conditions = run.conditions.clone();
    let rooms = conditions.publishers;
    for subscriber in 0..conditions.connections {
        run.swarm.add(Member { user: subscriber, room: Some(subscriber % rooms) });
    }
    let mut publishers = Vec::new();
    for room in 0..rooms {
        let who = run.swarm.add(Member { user: conditions.connections + room, room: None });
        publishers.push(Publisher::new(who, vec![room], None));
    }
    run.bring_in()?;
    let drive = Drive {
        rate: conditions.rate,
        window: conditions.window,
        until: Until::Acknowledged,
        size: conditions.payload,
    };
    let publishing = Publishing::new(publishers, drive, run.clock.now());
    let from = run.mark()?;
    run.publish(publishing, Some(Duration::from_secs(conditions.seconds)))?;
    let to = run.mark()?;
    run.drain()?;
    let cost = run.mark()?;
    let mut report = run.report(&from, &to, &cost)?;
    report.rate_per_s = rounded((to.acknowledged - from.acknowledged) as f64 / report.seconds);
    Ok(report)
}
