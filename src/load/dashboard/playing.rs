//! A run from the first arrival to the report.

use std::{net::SocketAddr, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Wish,
    comparing::{compare, grown},
    crowd::{Crowd, Server},
    report::Report,
    told::Told,
    veteran::Veteran,
    watchers::Watchers,
};
use crate::{
    load::{
        Failure,
        clock::{Clock, nanos},
        histogram::Histogram,
        report::rounded,
        servers::Servers,
        target::Target,
    },
    work::seed,
};

/// How long the last ones may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where people play.
pub struct Field {
    pub target: Target,
    /// The ports of the nodes that tell how they are; none of a server elsewhere.
    pub operators: Vec<SocketAddr>,
    pub servers: Servers,
}

/// Lets people play as they wish.
pub fn play(wish: &Wish, field: &Field) -> Result<Report, Failure> {
    let clock = Clock::start();
    let tokens = (1..=wish.people).map(|number| field.target.token(number));
    let tokens = tokens.collect::<Result<Vec<String>, Failure>>()?;
    let mut crowd = Crowd::new(Server::of(&field.target), &tokens, wish.manner, clock)?;
    let bar = bar();
    if !wish.cold {
        arrive(wish, &mut crowd, clock, &bar)?;
    }
    let watchers = (wish.watchers > 0)
        .then(|| Watchers::start(field.target.clone(), wish.watchers, clock))
        .transpose()?;
    if let Some(watchers) = &watchers {
        crowd.show(wish.watchers, watchers.known.clone());
    }
    let (before, cpu) = (Told::ask(&field.operators)?, field.servers.cpu_seconds()?);
    let veteran = wish.veteran.then(|| veteran(field, clock)).transpose()?;
    crowd.measure();
    if wish.cold {
        crowd.come(wish.arrival());
    }
    bar.set_message("seconds");
    bar.set_length(wish.time.as_secs());
    let (from, length) = (clock.now(), nanos(wish.time));
    while clock.now() - from < length {
        crowd.turn()?;
        bar.set_position((clock.now() - from) / 1_000_000_000);
    }
    let seconds = (clock.now() - from) as f64 / 1e9;
    crowd.close()?;
    let counts = Told::ask(&field.operators)?.since(&before);
    let cpu = grown(&cpu, &field.servers.cpu_seconds()?).map(rounded);
    let seen = veteran.map(Veteran::end).transpose()?.map(|(seen, figures)| {
        crowd.figures.blame(figures);
        seen
    });
    let ages = watchers.map(Watchers::end).map(|watched| {
        crowd.figures.blame(watched.figures);
        watched.ages
    });
    let mut report = Report::of(wish.people, seconds, &crowd.figures, &counts);
    (report.server_cpu_seconds, report.veteran) = (cpu, seen);
    report.first_latency_ms = report.first_latency_ms.filter(|_| wish.cold);
    report.told_of_ticks = ages.as_ref().map(Histogram::count);
    report.tick_to_watcher_ms = ages.and_then(|ages| ages.quantiles());
    if wish.compare && field.servers.are_known() {
        bar.set_message("comparing");
        let compared = compare(&field.target, &tokens, &field.servers, &crowd.sample, wish.time)?;
        report.compared = Some(compared);
    }
    bar.finish_and_clear();
    Ok(report)
}

/// Everybody comes and sees their dashboard once, before anything is measured.
fn arrive(wish: &Wish, crowd: &mut Crowd, clock: Clock, bar: &ProgressBar) -> Result<(), Failure> {
    crowd.come(wish.arrival());
    bar.set_message("people have arrived");
    bar.set_length(wish.people as u64);
    let end = clock.now() + nanos(wish.arrival() + PATIENCE);
    while crowd.arrived() < wish.people {
        crowd.turn()?;
        bar.set_position(crowd.arrived() as u64);
        if clock.now() > end {
            let (arrived, all) = (crowd.arrived(), wish.people);
            let why = crowd.figures.words.keys().next().cloned().unwrap_or_default();
            return Err(Failure(format!("{arrived} of {all} people saw their dashboard; {why}")));
        }
    }
    Ok(())
}

fn veteran(field: &Field, clock: Clock) -> Result<Veteran, Failure> {
    let token = field.target.token_of(seed::VETERAN)?;
    let operator = field.operators.first().copied();
    Veteran::start(Server::of(&field.target), token, operator, clock)
}

/// Shown to people only: nothing is drawn where standard error is a file or a pipe.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:20} {pos}/{len}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
