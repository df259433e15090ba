//! `chaos`: parts of a cluster die while people talk, and everything that was promised has to hold. `docs/CHECKER.md`.
//!
//! Shares nothing with the server but its sockets. A seeded plan says which faults are done when; workers of several
//! kinds publish and listen; what they saw is written down, and judged when all is over.

mod crowd;
mod fault;
mod field;
mod invariant;
mod keep;
mod kind;
mod ledger;
mod payload;
mod plan;
mod proxy;
mod record;
mod report;
mod run;
mod wire;
mod work;

use std::io::{Write, stdout};

use self::{invariant::Bounds, kind::Kind, plan::Wish, report::Report};
use super::{Args, Failure};
use crate::platform::dice;

/// A run of the command line's length and no more.
const SECONDS: u32 = 60;
const NODES: u32 = 3;

/// Does a run and prints its report. False if something that was promised did not hold.
pub fn run(args: &Args) -> Result<bool, Failure> {
    if args.url.is_some() {
        return Err(Failure("it kills what it is let at: it runs with --spawn alone".into()));
    }
    let nodes = u8::try_from(args.nodes.unwrap_or(NODES)).unwrap_or(u8::MAX);
    let wish = Wish {
        seed: args.seed.unwrap_or_else(|| rand::random::<u32>().into()),
        seconds: args.seconds.unwrap_or(SECONDS).into(),
        nodes,
        failpoints: cfg!(feature = "failpoints"),
        kinds: kinds(&args.faults, nodes)?,
    };
    let bounds = Bounds::PROMISED.slackened(args.slack);
    let ran = run::run(&wish, args.rate)?;
    let report = Report::of(&ran, nodes, &bounds);
    if let Some(folder) = &args.keep {
        keep::keep(&ran, &report.broken, folder)
            .map_err(|e| Failure(format!("can't keep records in {}: {e}", folder.display())))?;
    }
    for broken in &report.broken {
        eprintln!("{} BROKEN {} times: {}", broken.invariant, broken.count, broken.counterexample);
    }
    let text = match args.json {
        true => serde_json::to_string(&report)
            .map_err(|e| Failure(format!("can't write the report: {e}")))?,
        false => report.to_string(),
    };
    writeln!(stdout(), "{}", text.trim_end())
        .map_err(|e| Failure(format!("can't print the report: {e}")))?;
    Ok(report.is_clean())
}

/// The kinds of these names; none: whatever the plan draws.
fn kinds(names: &[String], nodes: u8) -> Result<Vec<Kind>, Failure> {
    let known = |name: &String| {
        Kind::named(name).ok_or_else(|| {
            let all: Vec<_> = kind::ALL.iter().map(|kind| kind.name()).collect();
            Failure(format!("there is no fault {name}; there are {}", all.join(", ")))
        })
    };
    let asked = names.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    match asked.iter().find(|kind| nodes < 2 && !kind.can_be_done_to_one_node()) {
        Some(kind) => Err(Failure(format!("{} takes --nodes 2 or more", kind.name()))),
        None => Ok(asked),
    }
}
