//! The load tool: clients of its own by the thousand, a judge of every delivery, one file a scenario.
//!
//! Knows a server by its sockets only. [`args`] is what it can be asked; [`conditions`] the numbers of a run; a
//! [`swarm`] of connections hears ([`hearing`]) what a [`checker`] judges and a [`report`] says.

pub mod args;

mod api;
mod bare;
mod checker;
mod clock;
mod conditions;
mod connection;
mod conversation;
mod frame;
mod handshake;
mod hearing;
mod histogram;
mod http;
mod node;
mod payload;
mod process;
mod publishing;
mod report;
mod run;
mod scenario;
mod swarm;
mod tally;
mod target;
mod words;

#[cfg(test)]
mod fake;

pub use args::Args;

use std::{
    io::{Write, stdin, stdout},
    process::ExitCode,
    rc::Rc,
};

use self::{
    args::Scenario,
    clock::Clock,
    conditions::Conditions,
    node::Node,
    process::Process,
    report::Report,
    run::Run,
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
        _ => load(&args).and_then(|report| print(&args, &report).map(|()| report)),
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
    process::make_room_for(scenario::connections(&conditions))?;
    let name = format!("{:08x}", rand::random::<u32>());
    let node = match &args.url {
        None => {
            let personal = args.scenario == Scenario::Devices;
            Some(Node::start(&name, args.node_config.as_deref(), personal)?)
        }
        Some(_) => None,
    };
    let url = match (&args.url, &node) {
        (Some(url), _) => url.clone(),
        (None, Some(node)) => node.url(),
        (None, None) => return Err(Failure("no server to load".into())),
    };
    let given = |option: &Option<String>, own: Option<&String>| {
        option.as_ref().or(own).cloned().unwrap_or_default()
    };
    let secret = given(&args.secret, node.as_ref().map(|node| &node.secret));
    let api_key = given(&args.api_key, node.as_ref().map(|node| &node.api_key));
    if secret.is_empty() {
        return Err(Failure(
            "the clients need tokens: give the server's HMAC secret with --secret".into(),
        ));
    }
    let manner = scenario::manner(conditions.scenario);
    let target = Target::new(&Access {
        url: &url,
        secret: &secret,
        api_key: &api_key,
        namespace: args.namespace.as_deref().unwrap_or_default(),
        encoding: conditions.encoding,
        personal: manner == Manner::Personal,
        run: &name,
    })?;
    let process = node.as_ref().map(Node::process).or(args.pid.map(|pid| Process { pid }));
    let report = measure(conditions, target, process)?;
    if let Some(node) = node {
        node.stop()?;
    }
    Ok(report)
}

/// Runs the scenario; when it returns, its connections are closed.
fn measure(
    conditions: Conditions,
    target: Target,
    process: Option<Process>,
) -> Result<Report, Failure> {
    let clock = Clock::start();
    let manner = scenario::manner(conditions.scenario);
    let swarm = swarm::Swarm::new(Rc::new(target), manner, clock, conditions.handshakes)?;
    let rooms = scenario::rooms(&conditions);
    scenario::run(&mut Run::new(conditions, swarm, rooms, clock, process)?)
}

fn print(args: &Args, report: &Report) -> Result<(), Failure> {
    let text = match args.json {
        true => serde_json::to_string(report)
            .map_err(|e| Failure(format!("can't write the report: {e}")))?,
        false => report.to_string(),
    };
    writeln!(stdout(), "{}", text.trim_end())
        .map_err(|e| Failure(format!("can't print the report: {e}")))
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
