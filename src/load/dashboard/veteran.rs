//! Somebody with twelve years of transactions among the others: how long they wait, and whether a node stands still for
//! them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{Builder, JoinHandle, sleep},
    time::Duration,
};

use serde::Serialize;

use super::{
    crowd::{Crowd, Manner, Server},
    figures::Figures,
};
use crate::load::{
    Failure,
    clock::Clock,
    histogram::{Histogram, Quantiles},
    http::Http,
};

/// They look and buy much more often than anybody: there is one of them, and a run is short.
const MANNER: Manner = Manner { think: Duration::from_millis(200), buys: 500 };
/// Between two questions whether a node is alive.
const BREATH: Duration = Duration::from_millis(10);

/// What they saw, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Seen {
    /// Their first look, which no cache knows of, with its connection.
    pub first_ms: Option<f64>,
    pub latency_ms: Option<Quantiles>,
    /// Of one transaction more.
    pub write_latency_ms: Option<Quantiles>,
    /// `/live` of the first node meanwhile.
    pub live_ms: Option<Quantiles>,
}

/// The veteran, on a thread of their own, and another one that asks whether the node is alive.
pub struct Veteran {
    stop: Arc<AtomicBool>,
    playing: JoinHandle<Result<Figures, Failure>>,
    asking: Option<JoinHandle<Result<Histogram, Failure>>>,
}

impl Veteran {
    /// Lets them come. `operator` is the port of a node that says whether it is alive.
    pub fn start(
        server: Server,
        token: String,
        operator: Option<SocketAddr>,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure(format!("can't start a thread: {e}"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let playing = Builder::new().name("veteran".into());
        let playing =
            playing.spawn(move || play(server, &token, clock, &stopped)).map_err(failed)?;
        let asking = operator.map(|operator| {
            let stopped = stop.clone();
            Builder::new().name("live".into()).spawn(move || ask(operator, clock, &stopped))
        });
        let asking = asking.transpose().map_err(failed)?;
        Ok(Self { stop, playing, asking })
    }

    /// They go. What they saw, and what of it was wrong.
    pub fn end(self) -> Result<(Seen, Figures), Failure> {
        self.stop.store(true, Relaxed);
        let fell = |_| Err(Failure("the veteran fell".into()));
        let figures = self.playing.join().unwrap_or_else(fell)?;
        let live_ms = match self.asking {
            Some(asking) => {
                let fell = |_| Err(Failure("who asked whether a node lives fell".into()));
                asking.join().unwrap_or_else(fell)?.quantiles()
            }
            None => None,
        };
        let seen = Seen {
            first_ms: figures.firsts.quantiles().map(|first| first.max),
            latency_ms: figures.looks.quantiles(),
            write_latency_ms: figures.write_latency.quantiles(),
            live_ms,
        };
        Ok((seen, figures))
    }
}

fn play(server: Server, token: &str, clock: Clock, stop: &AtomicBool) -> Result<Figures, Failure> {
    let mut alone = Crowd::new(server, &[token.to_owned()], MANNER, clock)?;
    alone.measure();
    alone.come(Duration::ZERO);
    while !stop.load(Relaxed) {
        alone.turn()?;
    }
    alone.close()?;
    Ok(alone.figures)
}

fn ask(operator: SocketAddr, clock: Clock, stop: &AtomicBool) -> Result<Histogram, Failure> {
    let mut http = Http::new(operator, &operator.to_string());
    let mut times = Histogram::default();
    while !stop.load(Relaxed) {
        let asked = clock.now();
        let answer = http.get("/live")?;
        if answer.status != 200 {
            return Err(Failure(format!("/live of {operator} says {}", answer.status)));
        }
        times.record(clock.now() - asked);
        sleep(BREATH);
    }
    Ok(times)
}
