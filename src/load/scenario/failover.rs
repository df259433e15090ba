//! `failover`: under traffic the node with the most clients is killed. How long until all of them are back and have all
//! that they missed?

use std::time::Duration;

use super::{fill_rooms, rooms};
use crate::load::{Failure, report::Report, run::Run};

/// Traffic before the kill, and after everybody is back.
const BESIDE: Duration = Duration::from_secs(3);

/// Nobody waits longer for them to come back.
const BACK_WITHIN: Duration = Duration::from_secs(60);

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    fill_rooms(run);
    run.bring_in()?;
    let mut publishing = rooms::publishing(run);
    run.go_on(&mut publishing, Some(BESIDE), |_| false)?;

    let nothing = || Failure("failover needs nodes that it can kill: leave out --url".into());
    let (node, clients) = run.cluster.as_ref().ok_or_else(nothing)?.fullest()?;
    run.servers.ending(node)?;
    let from = run.mark()?;
    run.cluster.as_mut().ok_or_else(nothing)?.kill(node)?;
    let back = |run: &Run| run.tally.recovered + run.tally.unrecovered;
    let owed = back(run) + clients as u64;
    let all_are_back = |run: &Run| back(run) >= owed && run.swarm.up() == run.swarm.len();
    run.go_on(&mut publishing, Some(BACK_WITHIN), all_are_back)?;
    let to = run.mark()?;
    if !all_are_back(run) {
        return Err(Failure(format!(
            "{} of the {clients} clients of the killed node came back within {BACK_WITHIN:?}",
            clients as u64 + back(run) - owed
        )));
    }
    run.go_on(&mut publishing, Some(BESIDE), |_| false)?;
    run.drain()?;
    let cost = run.mark()?;
    let mut report = run.report(&from, &to, &cost)?;
    report.notes.push(format!("the killed node had {clients} clients"));
    Ok(report)
}
