//! `devices`: users with several devices each; the server API publishes into their personal channels. How long from
//! sending to each receipt?

use std::time::Duration;

use crate::load::{
    Failure,
    api::{ApiPublishers, Errand},
    clock::nanos,
    connection::Member,
    publishing::{BURST, Pace},
    report::Report,
    run::Run,
};

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    let conditions = run.conditions.clone();
    for who in 0..conditions.connections {
        let user = who / conditions.devices;
        run.swarm.add(Member { user, room: Some(user) });
    }
    run.bring_in()?;
    let mut api = ApiPublishers::start(
        &run.swarm.target,
        conditions.publishers,
        conditions.window,
        run.clock,
    )?;
    let from = run.mark()?;
    publish(run, &mut api, Duration::from_secs(conditions.seconds))?;
    let to = run.mark()?;
    run.show("last deliveries", 0);
    while api.under_way() > 0 {
        take_done(run, &mut api);
        run.turn(1_000_000)?;
    }
    run.drain()?;
    let cost = run.mark()?;
    run.report(&from, &to, &cost)
}

/// Publishes to one user after the other, at the rate or as fast as the publishers' hands allow.
fn publish(run: &mut Run, api: &mut ApiPublishers, time: Duration) -> Result<(), Failure> {
    let began = run.clock.now();
    let mut pace = run.conditions.rate.map(|rate| Pace::new(rate, began));
    run.show("publishing", time.as_millis() as u64);
    let mut sent = 0;
    loop {
        let now = run.clock.now();
        if now - began >= nanos(time) {
            return Ok(());
        }
        let due = pace.as_ref().map_or(BURST, |pace| pace.due(now).min(BURST));
        for _ in 0..due {
            if api.under_way() >= api.len() * run.conditions.window {
                break;
            }
            hand_over(run, api, sent, now)?;
            sent += 1;
            if let Some(pace) = &mut pace {
                pace.made();
            }
        }
        let wait = pace.as_ref().map_or(1_000_000, |pace| pace.until_next(now));
        run.turn(wait.min(1_000_000))?;
        take_done(run, api);
    }
}

fn hand_over(run: &mut Run, api: &mut ApiPublishers, sent: usize, now: u64) -> Result<(), Failure> {
    let (user, publisher) = (sent % run.conditions.users, sent % api.len());
    let stamp = (run.swarm.len() + publisher) as u32;
    let (number, json) = run.tally.message(stamp, user, run.conditions.payload, now);
    let mut errand =
        Errand { room: user, number, channel: run.swarm.target.channel(user), json, at: now };
    // Together they have room, but this one may be behind the others.
    let deadline = now + nanos(Duration::from_secs(20));
    while let Err(back) = api.give(publisher, errand) {
        if run.clock.now() > deadline {
            return Err(Failure("the server API has not answered for 20 s".into()));
        }
        errand = back;
        run.turn(1_000_000)?;
        take_done(run, api);
    }
    Ok(())
}

fn take_done(run: &mut Run, api: &mut ApiPublishers) {
    for done in api.take_done() {
        match done.outcome {
            Ok(()) => run.tally.acknowledge(done.room, done.number, done.took),
            Err(words) => run.tally.refuse(words),
        }
    }
}
