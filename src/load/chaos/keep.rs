//! Keeps the records of a run as text, a line each, for a look at what led to a counterexample.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{invariant::Broken, run::Ran};

/// Writes everything into a folder.
pub fn keep(ran: &Ran, broken: &[Broken], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
    let history = &ran.history;
    fs::write(folder.join("plan"), ran.plan.to_string())?;
    let mut out = file("channels")?;
    for (number, channel) in history.channels.iter().enumerate() {
        writeln!(out, "{number}\t{}", channel.name)?;
    }
    let mut out = file("messages")?;
    for (number, message) in history.messages.iter().enumerate() {
        writeln!(out, "{number}\t{message:?}")?;
    }
    let mut out = file("attempts")?;
    for attempt in &history.attempts {
        writeln!(out, "{}\t{}\t{attempt:?}", attempt.invoked, attempt.answered)?;
    }
    let mut out = file("events")?;
    for (number, subscriber) in history.subscribers.iter().enumerate() {
        for event in &subscriber.events {
            let role = subscriber.role;
            writeln!(out, "{number}\t{role}\t{}\t{:?}", event.at, event.what)?;
        }
    }
    let mut out = file("rows")?;
    for era in &history.eras {
        for row in &era.rows {
            writeln!(out, "{}\t{row:?}", era.generation)?;
        }
    }
    let mut out = file("faults")?;
    for fault in &history.faults {
        writeln!(out, "{fault:?}")?;
    }
    writeln!(out, "quiet {:?}\ncounters {:?}", history.quiet, history.counters)?;
    let mut out = file("broken")?;
    for Broken { invariant, counterexample, others, .. } in broken {
        for example in [counterexample].into_iter().chain(others) {
            writeln!(out, "{invariant}\t{example}")?;
        }
    }
    for (number, log) in ran.logs.iter().enumerate() {
        // A node that never said anything has no words to keep.
        let _ = fs::copy(log, folder.join(format!("node-{number}.log")));
    }
    Ok(())
}
