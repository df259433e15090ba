//! `rooms --fault redis-down`: Redis is killed under traffic and stays away. How late is what is said meanwhile?

use std::time::Duration;

use super::{fill_rooms, rooms};
use crate::load::{Failure, report::Report, run::Run};

/// Traffic before Redis goes, so that the nodes believe in it, and after it is back.
const BESIDE: Duration = Duration::from_secs(5);

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    fill_rooms(run);
    run.bring_in()?;
    let mut publishing = rooms::publishing(run);
    run.go_on(&mut publishing, Some(BESIDE), |_| false)?;

    let failed = |e: std::io::Error| Failure(format!("Redis does not obey: {e}"));
    redis(run)?.kill().map_err(failed)?;
    let from = run.mark()?;
    run.tally.latency = Default::default();
    run.tally.timed = from.at..u64::MAX;
    run.go_on(&mut publishing, Some(Duration::from_secs(run.conditions.seconds)), |_| false)?;
    let to = run.mark()?;
    run.tally.timed.end = to.at;
    // Still without it: whatever was said has to arrive.
    run.drain()?;
    let cost = run.mark()?;
    let owed = run.tally.checker.owed();

    redis(run)?.restart().map_err(failed)?;
    run.go_on(&mut publishing, Some(BESIDE), |_| false)?;
    run.drain()?;
    let mut report = run.report(&from, &to, &cost)?;
    if owed > 0 {
        report.notes.push(format!("{owed} deliveries did not come before Redis was back"));
    }
    Ok(report)
}

fn redis(run: &mut Run) -> Result<&mut crate::platform::scratch::Redis, Failure> {
    let nothing =
        || Failure("--fault redis-down needs nodes that were started with --nodes".into());
    run.cluster.as_mut().ok_or_else(nothing)?.redis()
}
