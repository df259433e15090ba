//! What a core can do: dashboards without a pause, then constant bytes without a pause.

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
/// Each side needs no longer to show what it can do.
const LONGEST: Duration = Duration::from_secs(10);

/// Dashboards as fast as some connections can ask, then constant bytes of the same length in the same way.
pub fn compare(
    target: &Target,
    tokens: &[String],
    servers: &Servers,
    sample: &[u8],
    time: Duration,
) -> Result<Compared, Failure> {
    let tokens = &tokens[..tokens.len().min(BUSY)];
    let dashboards = flat_out(Server::of(target), tokens, servers, time)?;
    let constant = Constant::start(sample)?;
    let host = constant.address.to_string();
    let same = Server { doors: vec![constant.address], host };
    let constants = flat_out(same, tokens, &Servers::new(&[constant.process()])?, time)?;
    Ok(Compared {
        dashboard_rate_per_s: rounded(dashboards),
        constant_rate_per_s: rounded(constants),
        ratio: rounded(dashboards / constants.max(1e-9)),
    })
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
    let end = clock.now() + nanos(time.min(LONGEST));
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
