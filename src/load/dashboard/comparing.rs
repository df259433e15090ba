//! What a core can do: dashboards without a pause, and constant bytes without a pause, in turn.

use std::time::Duration;

use super::{
    constant::Constant,
    crowd::{Crowd, Manner, Server},
    report::Compared,
};
use crate::load::{
    Failure,
    clock::{Clock, nanos},
    report::rounded,
    servers::Servers,
    target::Target,
};

/// Connections that ask without a pause.
pub const BUSY: usize = 64;
/// Each side needs no longer to show what it can do, all rounds together.
const LONGEST: Duration = Duration::from_secs(10);
/// What else a machine does comes and goes: the round in the middle counts. Odd.
const ROUNDS: usize = 3;

/// Dashboards as fast as some connections can ask, then constant bytes of the same length in the same way.
pub fn compare(
    target: &Target,
    tokens: &[String],
    servers: &Servers,
    sample: &[u8],
    time: Duration,
) -> Result<Compared, Failure> {
    let tokens = &tokens[..tokens.len().min(BUSY)];
    let time = time.min(LONGEST) / ROUNDS as u32;
    let constant = Constant::start(sample)?;
    let its = Servers::new(&[constant.process()])?;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let dashboards = flat_out(Server::of(target), tokens, servers, time)?;
        let (doors, host) = (vec![constant.address], constant.address.to_string());
        let constants = flat_out(Server { doors, host }, tokens, &its, time)?;
        rounds.push(Compared {
            dashboard_rate_per_s: rounded(dashboards),
            constant_rate_per_s: rounded(constants),
            ratio: rounded(dashboards / constants.max(1e-9)),
        });
    }
    rounds.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
    Ok(rounds.swap_remove(ROUNDS / 2))
}

/// GETs a second of the server's processor time, nobody thinking.
fn flat_out(
    server: Server,
    tokens: &[String],
    servers: &Servers,
    time: Duration,
) -> Result<f64, Failure> {
    let clock = Clock::start();
    let mut crowd = Crowd::new(server, tokens, Manner { think: Duration::ZERO, buys: 0 }, clock)?;
    crowd.come(Duration::ZERO);
    let warm = nanos(Duration::from_secs(1).min(time));
    while clock.now() < warm {
        crowd.turn()?;
    }
    let cpu = servers.cpu_seconds()?;
    crowd.measure();
    let end = clock.now() + nanos(time);
    while clock.now() < end {
        crowd.turn()?;
    }
    crowd.close()?;
    let spent = grown(&cpu, &servers.cpu_seconds()?).unwrap_or_default();
    if let Some(words) = crowd.figures.words.keys().next() {
        return Err(Failure(format!("the comparison met an error: {words}")));
    }
    Ok(crowd.figures.requests as f64 / spent.max(1e-3))
}

/// Processor time of all processes between two readings; none if there are none.
pub fn grown(before: &[f64], after: &[f64]) -> Option<f64> {
    (!before.is_empty()).then(|| after.iter().sum::<f64>() - before.iter().sum::<f64>())
}
