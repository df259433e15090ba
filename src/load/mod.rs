//! The load tool: clients of its own by the thousand, a judge of every delivery, one file a scenario.
//!
//! Knows a server by its sockets only. [`args`] is what it can be asked; [`conditions`] the numbers of a run; a
//! [`swarm`] of connections hears ([`hearing`]) what a [`checker`] judges and a [`report`] says.

pub mod args;

mod api;
mod bare;
mod chaos;
mod checker;
mod clock;
mod conditions;
mod connection;
mod conversation;
mod dashboard;
mod frame;
mod handshake;
mod hearing;
mod histogram;
mod http;
mod payload;
mod process;
mod publishing;
mod report;
mod run;
mod scenario;
mod servers;
pub mod spawn;
mod swarm;
mod tally;
mod target;
mod words;

#[cfg(test)]
mod fake;

pub use args::Args;

use std::{
    fmt,
    io::{Write, stdin, stdout},
    process::ExitCode,
    rc::Rc,
};

use serde::Serialize;

use self::{
    args::Scenario,
    clock::Clock,
    conditions::Conditions,
    process::Process,
    report::Report,
    run::Run,
    servers::Servers,
    spawn::{Cluster, Plan},
    swarm::Manner,
    target::{Access, Target},
};

/// Why a run could not be finished, in words for the person who started it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(pub String);

/// Runs a scenario and prints its report. 1 if a promise was broken or the run could not be finished.
pub fn run(args: Args) -> ExitCode {
    let outcome = match args.scenario {
        Scenario::BareWrite => return bare_write(&args),
        Scenario::IdlePart => return idle_part(&args),
        Scenario::Chaos => return ended(&args, chaos::run(&args)),
        Scenario::Dashboard => return ended(&args, dashboard::run(&args)),
        Scenario::Constant => return constant(&args),
        _ => load(&args).and_then(|report| show(&args, &report).map(|()| report)),
    };
    match outcome {
        Ok(report) if report.verdict().is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(Failure(words)) => {
            eprintln!("fanfare load {}: {words}", args.scenario.name());
            ExitCode::FAILURE
        }
    }
}

fn load(args: &Args) -> Result<Report, Failure> {
    let conditions = Conditions::of(args);
    let run = args.run.clone().unwrap_or_else(|| format!("{:08x}", rand::random::<u32>()));
    if args.scenario != Scenario::Idle || conditions.nodes == 1 {
        process::make_room_for(scenario::connections(&conditions))?;
    }
    let mut cluster = match &args.url {
        None => Some(Cluster::start(Plan::of(args, &run)?)?),
        Some(_) => None,
    };
    let measured = match &mut cluster {
        Some(cluster) if args.scenario == Scenario::Idle && conditions.nodes > 1 => {
            scenario::crowd(args, &conditions, cluster)
        }
        _ => load_from_here(args, conditions, &run, &mut cluster),
    };
    match (measured, cluster) {
        (Ok(report), Some(cluster)) => cluster.stop().map(|()| report),
        (Err(Failure(why)), Some(cluster)) => {
            Err(Failure(format!("{why}{}", cluster.last_words())))
        }
        (measured, None) => measured,
    }
}

/// All connections are of this process.
fn load_from_here(
    args: &Args,
    conditions: Conditions,
    run: &str,
    cluster: &mut Option<Cluster>,
) -> Result<Report, Failure> {
    let target = target(args, &conditions, run, cluster.as_ref())?;
    let processes = match (&cluster, args.pid) {
        (Some(cluster), _) => cluster.processes(),
        (None, pid) => pid.map(|pid| Process { pid }).into_iter().collect(),
    };
    let (report, started) = measure(conditions, target, Servers::new(&processes)?, cluster.take());
    *cluster = started;
    report
}

/// The server, as the command line says or as it was started.
fn target(
    args: &Args,
    conditions: &Conditions,
    run: &str,
    cluster: Option<&Cluster>,
) -> Result<Target, Failure> {
    let doors = cluster.map_or_else(|| args.door.clone(), Cluster::doors);
    let url = match (&args.url, doors.first()) {
        (Some(url), _) => url.clone(),
        (None, Some(door)) => format!("ws://{door}/connection/websocket"),
        (None, None) => return Err(Failure("no server to load".into())),
    };
    let given = |option: &Option<String>, own: Option<&String>| {
        option.as_ref().or(own).cloned().unwrap_or_default()
    };
    let secrets = cluster.map(|cluster| &cluster.secrets);
    let secret = given(&args.secret, secrets.map(|secrets| &secrets.token));
    let api_key = given(&args.api_key, secrets.map(|secrets| &secrets.api_key));
    if secret.is_empty() {
        return Err(Failure(
            "the clients need tokens: give the server's HMAC secret with --secret".into(),
        ));
    }
    let target = Target::new(&Access {
        url: &url,
        secret: &secret,
        api_key: &api_key,
        namespace: args.namespace.as_deref().unwrap_or_default(),
        encoding: conditions.encoding,
        personal: scenario::manner(conditions.scenario) == Manner::Personal,
        run,
    })?;
    Ok(target.through(doors, cluster.is_some_and(|cluster| cluster.plan.proxy)))
}

/// Runs the scenario; when it returns, its connections are closed. What was started comes back.
fn measure(
    conditions: Conditions,
    target: Target,
    servers: Servers,
    cluster: Option<Cluster>,
) -> (Result<Report, Failure>, Option<Cluster>) {
    let clock = Clock::start();
    let manner = scenario::manner(conditions.scenario);
    let rooms = scenario::rooms(&conditions);
    match swarm::Swarm::new(Rc::new(target), manner, clock, conditions.handshakes) {
        Ok(swarm) => {
            let mut run = Run::new(conditions, swarm, rooms, clock, servers);
            run.cluster = cluster;
            (scenario::run(&mut run), run.cluster.take())
        }
        Err(failure) => (Err(failure), cluster),
    }
}

fn show(args: &Args, report: &(impl Serialize + fmt::Display)) -> Result<(), Failure> {
    let text = match args.json {
        true => serde_json::to_string(report)
            .map_err(|e| Failure(format!("can't write the report: {e}")))?,
        false => report.to_string(),
    };
    writeln!(stdout(), "{}", text.trim_end())
        .map_err(|e| Failure(format!("can't print the report: {e}")))
}

/// A hidden child of `idle`.
fn idle_part(args: &Args) -> ExitCode {
    let conditions = Conditions::of(args);
    let part = || {
        process::make_room_for(conditions.connections)?;
        let target = target(args, &conditions, args.run.as_deref().unwrap_or_default(), None)?;
        scenario::part_of_a_crowd(&conditions, target, args.first as usize)
    };
    match part() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(words)) => {
            eprintln!("fanfare load idle-part: {words}");
            ExitCode::FAILURE
        }
    }
}

/// The exit code of a scenario that prints its own report: whether all that it checked was so.
fn ended(args: &Args, outcome: Result<bool, Failure>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure(words)) => {
            eprintln!("fanfare load {}: {words}", args.scenario.name());
            ExitCode::FAILURE
        }
    }
}

/// The hidden child of `dashboard`.
fn constant(args: &Args) -> ExitCode {
    let served = dashboard::serve_constant(stdin(), stdout());
    ended(args, served.map(|()| true).map_err(|e| Failure(e.to_string())))
}

/// The hidden child of `fanout`.
fn bare_write(args: &Args) -> ExitCode {
    let sockets = args.connections.map_or(0, |n| n as usize);
    match bare::serve(sockets, stdin().lock(), stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("fanfare load bare-write: {e}");
            ExitCode::FAILURE
        }
    }
}
