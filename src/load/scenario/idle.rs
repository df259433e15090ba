//! `idle`: what a connection costs in memory while it rests, and how much of a burst's memory comes back.

use std::time::Duration;

use super::fill_rooms;
use crate::load::{
    Failure,
    publishing::{Drive, Publisher, Publishing, Until},
    report::{Report, Server},
    run::Run,
};

/// The burst: messages into each room, of the asked payload,
const MESSAGES_A_ROOM: u64 = 200;
/// and one of this size by each connection.
const LARGE: usize = 32 * 1024;

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    let conditions = run.conditions.clone();
    let rest = Duration::from_secs(conditions.seconds);
    fill_rooms(run);
    run.bring_in()?;
    run.rest(rest)?;
    let at_rest = run.rss_per_connection()?;

    let drive = |size| Drive {
        rate: conditions.rate,
        window: conditions.window,
        until: Until::Delivered,
        size,
    };
    let room_of = |who: usize| who / conditions.room_size;
    let firsts = (0..conditions.connections).step_by(conditions.room_size);
    let many = firsts.map(|who| Publisher::new(who, vec![room_of(who)], Some(MESSAGES_A_ROOM)));
    let large =
        (0..conditions.connections).map(|who| Publisher::new(who, vec![room_of(who)], Some(1)));
    let from = run.mark()?;
    run.publish(Publishing::new(many.collect(), drive(conditions.payload), run.clock.now()), None)?;
    run.publish(Publishing::new(large.collect(), drive(LARGE), run.clock.now()), None)?;
    run.drain()?;
    let to = run.mark()?;
    run.rest(rest)?;
    let after_burst = run.rss_per_connection()?;

    let report = run.report(&from, &to, &to)?;
    let server = report.server.map(|server| Server {
        rss_bytes_per_connection: at_rest,
        rss_bytes_after_burst_per_connection: after_burst,
        ..server
    });
    Ok(Report { server, ..report })
}
