//! One run: a swarm and its score, moved on together through the phases that scenarios are made of.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Failure,
    clock::{Clock, nanos},
    conditions::Conditions,
    process::Process,
    publishing::Publishing,
    report::{Report, Server, rounded},
    servers::Servers,
    spawn::Cluster,
    swarm::Swarm,
    tally::Tally,
};

/// How long to listen for deliveries that nobody is owed: doubled ones come late.
const LISTEN_ON: Duration = Duration::from_millis(500);
/// The longest wait of one turn.
const TURN: Duration = Duration::from_millis(50);

/// A swarm at work.
pub struct Run {
    pub conditions: Conditions,
    pub swarm: Swarm,
    pub tally: Tally,
    pub clock: Clock,
    /// The server's processes, where they are known.
    pub servers: Servers,
    /// What was started for this run.
    pub cluster: Option<Cluster>,
    bar: ProgressBar,
}

/// The counters at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    pub at: u64,
    pub delivered: u64,
    pub acknowledged: u64,
    /// Of the server's processes; empty where they are not known.
    pub cpu_seconds: Vec<f64>,
    /// Of this process.
    pub own_cpu_seconds: f64,
}

impl Run {
    /// A run that begins now.
    pub fn new(
        conditions: Conditions,
        swarm: Swarm,
        rooms: usize,
        clock: Clock,
        servers: Servers,
    ) -> Self {
        let tally = Tally::new(rooms);
        Self { conditions, swarm, tally, clock, servers, cluster: None, bar: ProgressBar::hidden() }
    }

    /// Moves everything on, waiting at most `wait` nanoseconds for something to hear.
    pub fn turn(&mut self, wait: u64) -> Result<(), Failure> {
        self.swarm.turn(Duration::from_nanos(wait).min(TURN), &mut self.tally)
    }

    /// Lets all connections come in.
    pub fn bring_in(&mut self) -> Result<(), Failure> {
        let all = self.swarm.len();
        self.show("connecting", all as u64);
        self.until(
            "connections to come in",
            |run| run.swarm.up() as u64,
            |run| run.swarm.up() == all,
        )
    }

    /// Lets publishers work until they are done, or for so long.
    pub fn publish(
        &mut self,
        mut publishing: Publishing,
        time: Option<Duration>,
    ) -> Result<(), Failure> {
        self.go_on(&mut publishing, time, |_| false)
    }

    /// The same for publishers that go on later, and until something has happened.
    pub fn go_on(
        &mut self,
        publishing: &mut Publishing,
        time: Option<Duration>,
        happened: impl Fn(&Self) -> bool,
    ) -> Result<(), Failure> {
        let began = self.clock.now();
        let end = time.map_or(u64::MAX, |time| began + nanos(time));
        self.show("publishing", time.map_or(0, |time| time.as_millis() as u64));
        let mut watch = Watch::new(began, self.conditions.patience);
        loop {
            let now = self.clock.now();
            if now >= end || publishing.is_done() || happened(self) {
                return Ok(());
            }
            publishing.step(now, &mut self.swarm, &mut self.tally)?;
            let wait = publishing.until_next(now).unwrap_or(nanos(TURN));
            self.turn(wait.min(end - now))?;
            self.bar.set_position((now - began) / 1_000_000);
            watch
                .look(
                    now,
                    self.tally.checker.delivered() + self.tally.acknowledged + self.tally.sent,
                )
                .map_err(|()| self.stalled("publishes to be answered or delivered"))?;
        }
    }

    /// Waits until all publishes are answered.
    pub fn await_answers(&mut self) -> Result<(), Failure> {
        self.until(
            "answers to publishes",
            |run| run.tally.answered_count(),
            |run| !run.tally.is_publishing(),
        )
    }

    /// Waits until all that was acknowledged has arrived everywhere. What never arrives is for the verdict to say.
    pub fn drain(&mut self) -> Result<(), Failure> {
        self.show("last deliveries", 0);
        self.await_answers()?;
        let mut watch = Watch::new(self.clock.now(), self.conditions.patience);
        while self.tally.checker.owed() > 0 || self.swarm.up() < self.swarm.len() {
            self.turn(nanos(TURN))?;
            let progress = self.tally.checker.delivered() + self.swarm.up() as u64;
            if watch.look(self.clock.now(), progress).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Hears what else comes, for so long.
    pub fn rest(&mut self, time: Duration) -> Result<(), Failure> {
        self.show("resting", time.as_millis() as u64);
        let began = self.clock.now();
        loop {
            let gone = self.clock.now() - began;
            if gone >= nanos(time) {
                return Ok(());
            }
            self.bar.set_position(gone / 1_000_000);
            self.turn(nanos(time) - gone)?;
        }
    }

    /// The counters now.
    pub fn mark(&self) -> Result<Mark, Failure> {
        Ok(Mark {
            at: self.clock.now(),
            delivered: self.tally.checker.delivered(),
            acknowledged: self.tally.acknowledged,
            cpu_seconds: self.servers.cpu_seconds()?,
            own_cpu_seconds: Process { pid: std::process::id() }.cpu_seconds()?,
        })
    }

    /// How much the server's memory has grown since before the first connection, by connection.
    pub fn rss_per_connection(&self) -> Result<Option<u64>, Failure> {
        if !self.servers.are_known() {
            return Ok(None);
        }
        let growth: u64 = self.servers.growth()?.iter().sum();
        Ok(Some(growth / self.swarm.len().max(1) as u64))
    }

    /// Moves on until something has happened; fails when `progress` stands still.
    pub fn until(
        &mut self,
        what: &str,
        progress: impl Fn(&Self) -> u64,
        happened: impl Fn(&Self) -> bool,
    ) -> Result<(), Failure> {
        let mut watch = Watch::new(self.clock.now(), self.conditions.patience);
        while !happened(self) {
            self.turn(nanos(TURN))?;
            let made = progress(self);
            self.bar.set_position(made);
            watch.look(self.clock.now(), made).map_err(|()| self.stalled(what))?;
        }
        Ok(())
    }

    /// Shows a new phase on the terminal, if there is one.
    pub fn show(&mut self, what: &'static str, length: u64) {
        self.bar.finish_and_clear();
        let style = "{msg:18} {wide_bar} {percent:>3}% {elapsed_precise}";
        self.bar = ProgressBar::new(length).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
    }

    /// Listens on for a moment and writes the report. `from` and `to` are the measured part, `cost` its end with all
    /// that it owed.
    pub fn report(&mut self, from: &Mark, to: &Mark, cost: &Mark) -> Result<Report, Failure> {
        self.rest(LISTEN_ON)?;
        self.bar.finish_and_clear();
        let verdict = self.tally.checker.verdict();
        let seconds = (to.at - from.at) as f64 / 1e9;
        let delivered = cost.delivered - from.delivered;
        Ok(Report {
            scenario: self.conditions.scenario.name(),
            connections: self.swarm.len(),
            seconds: rounded(seconds),
            sent: self.tally.sent,
            acknowledged: self.tally.acknowledged,
            delivered: verdict.delivered,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            reordered: verdict.reordered,
            rate_per_s: rounded((to.delivered - from.delivered) as f64 / seconds),
            latency_ms: self.tally.latency.quantiles(),
            ack_ms: self.tally.ack.quantiles(),
            server: Server::of(&from.cpu_seconds, &cost.cpu_seconds, delivered),
            bare_write_us_per_delivery: None,
            ratio: None,
            client_cpu_us_per_delivery: (delivered > 0).then(|| {
                rounded((cost.own_cpu_seconds - from.own_cpu_seconds) * 1e6 / delivered as f64)
            }),
            notes: self.notes(),
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (what, count) in self.swarm.ends.iter().chain(&self.tally.refusals) {
            notes.push(format!("{count} x {what}"));
        }
        for (count, what) in [
            (self.tally.unreadable, "deliveries that are not what was sent"),
            (self.tally.unrecovered, "subscriptions came back without what they missed"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
        notes
    }

    fn stalled(&self, what: &str) -> Failure {
        let mut words = format!(
            "waited {} s in vain for {what}: {} of {} connections are in, {} publishes sent, {} acknowledged, {} delivered",
            self.conditions.patience.as_secs(),
            self.swarm.up(),
            self.swarm.len(),
            self.tally.sent,
            self.tally.acknowledged,
            self.tally.checker.delivered()
        );
        for note in self.notes() {
            words += "; ";
            words += &note;
        }
        Failure(words)
    }
}

/// Notices when a number stands still.
struct Watch {
    last: u64,
    since: u64,
    patience: u64,
}

impl Watch {
    fn new(now: u64, patience: Duration) -> Self {
        Self { last: 0, since: now, patience: nanos(patience) }
    }

    fn look(&mut self, now: u64, number: u64) -> Result<(), ()> {
        if number != self.last {
            *self = Self { last: number, since: now, ..*self };
        }
        if now - self.since > self.patience { Err(()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_stands_still_too_long_is_noticed_and_one_that_moves_is_not() {
        let mut watch = Watch::new(0, Duration::from_nanos(10));
        assert!(watch.look(5, 1).is_ok());
        assert!(watch.look(15, 1).is_ok());
        assert!(watch.look(16, 1).is_err());
        assert!(watch.look(16, 2).is_ok());
    }
}
