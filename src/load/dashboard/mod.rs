//! `dashboard`: seeded people look at their dashboards, and every answer is checked. `docs/LOAD.md`.

mod comparing;
mod constant;
mod crowd;
mod figures;
mod judge;
mod kept;
mod news;
mod person;
mod playing;
mod report;
#[cfg(test)]
mod tests;
mod told;
mod veteran;
mod watchers;
mod wire;

pub use constant::serve as serve_constant;

use std::time::Duration;

use self::{
    comparing::BUSY,
    crowd::Manner,
    kept::{Wanted, usual_cache},
    playing::{Field, play},
};
use super::{
    Args, Failure,
    process::{self, Process},
    servers::Servers,
    spawn::{Cluster, Plan},
    target::{Access, Target},
};
use crate::{protocol::Encoding, work::seed};

/// In which everybody arrives, if there are many.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Who arrives in a second, where nobody says that all caches are cold.
const CALMLY: u64 = 400;

/// What the channel of somebody's dashboard begins with.
const WATCHED: &str = "dashboard:#";

/// What is asked for.
struct Wish {
    people: usize,
    /// Of them; each has a socket too.
    watchers: usize,
    veteran: bool,
    seed: u64,
    cold: bool,
    time: Duration,
    manner: Manner,
    compare: bool,
}

impl Wish {
    fn of(args: &Args) -> Self {
        let people = args.people.map_or(1_000, |n| n as usize);
        let think = Duration::from_millis((args.think * 1e3) as u64);
        Self {
            people,
            watchers: (args.watchers as usize).min(people),
            veteran: args.veteran,
            seed: args.seed.unwrap_or(1),
            cold: args.cold,
            time: Duration::from_secs(args.seconds.unwrap_or(30).into()),
            manner: Manner { think, buys: args.buys.into() },
            compare: args.compare_constant,
        }
    }

    /// The time in which everybody comes.
    fn arrival(&self) -> Duration {
        match self.cold {
            true => ARRIVAL.min(self.time),
            false => ARRIVAL.min(Duration::from_millis(self.people as u64 * 1_000 / CALMLY)),
        }
    }
}

/// Does a run and prints its report. False if an answer did not come, or was not true.
pub fn run(args: &Args) -> Result<bool, Failure> {
    let wish = Wish::of(args);
    process::make_room_for(wish.people + wish.watchers + BUSY)?;
    let mut cluster = match &args.url {
        Some(_) => None,
        None => Some(Cluster::start(plan(args, &wish)?)?),
    };
    let measured = field(args, cluster.as_ref()).and_then(|field| play(&wish, &field));
    let report = match (measured, cluster.take()) {
        (Ok(report), Some(cluster)) => cluster.stop().map(|()| report)?,
        (Err(Failure(why)), Some(cluster)) => {
            return Err(Failure(format!("{why}{}", cluster.last_words())));
        }
        (measured, None) => measured?,
    };
    super::show(args, &report)?;
    if args.json {
        report.notes.iter().for_each(|note| eprintln!("{note}"));
    }
    Ok(report.is_clean())
}

/// Nodes on a copy of a database that is full of people.
fn plan(args: &Args, wish: &Wish) -> Result<Plan, Failure> {
    let run = format!("{:08x}", rand::random::<u32>());
    let plan = Plan::of(args, &run)?;
    let Wish { seed, people, veteran, .. } = *wish;
    let wanted = Wanted { store: plan.journal, seed, people, veteran };
    let cache = args.cache.clone().unwrap_or_else(usual_cache);
    Ok(Plan { seeded: Some(wanted.ready(&cache)?), ..plan })
}

/// Where people play: the nodes that were started, or a server that runs.
fn field(args: &Args, cluster: Option<&Cluster>) -> Result<Field, Failure> {
    let target = target(args, cluster)?;
    let operators = cluster.iter().flat_map(|cluster| cluster.nodes()).map(|node| node.operator);
    let processes = match cluster {
        Some(cluster) => cluster.processes(),
        None => args.pid.map(|pid| Process { pid }).into_iter().collect(),
    };
    Ok(Field { target, operators: operators.collect(), servers: Servers::new(&processes)? })
}

/// The server, as the command line says or as it was started.
fn target(args: &Args, cluster: Option<&Cluster>) -> Result<Target, Failure> {
    let doors = cluster.map_or_else(Vec::new, Cluster::doors);
    let url = match (&args.url, doors.first()) {
        (Some(url), _) => url.clone(),
        (None, Some(door)) => format!("ws://{door}"),
        (None, None) => return Err(Failure("no server to load".into())),
    };
    let secret = cluster.map(|cluster| cluster.secrets.token.clone()).or(args.secret.clone());
    let secret = secret.ok_or_else(|| {
        Failure("people need tokens: give the server's HMAC secret with --secret".into())
    })?;
    let target = Target::new(&Access {
        url: &url,
        secret: &secret,
        api_key: "",
        namespace: "",
        encoding: Encoding::Json,
        personal: false,
        run: "",
    })?;
    Ok(target.through(doors, false).called(seed::NAMES, &format!("{WATCHED}{}", seed::NAMES)))
}
