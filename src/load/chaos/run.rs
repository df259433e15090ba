//! One run: the plan is followed, the work goes on, and in the end everything that was seen lies before the judge.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    crowd::Crowd,
    dice::Dice,
    fault::{self, Shared, Told, locked},
    field::{Field, era, local},
    ledger::Ledger,
    plan::{Plan, Slot, Wish},
    record::{Fault, History, Nanos, SECOND},
    work::{All, Scale},
};
use crate::load::{Failure, clock::Clock};

/// For everybody to come in, on a machine that starts everything at once.
const IN_WITHIN: Nanos = 60 * SECOND;
/// Last words are said so long before each fault.
const BURST: Nanos = SECOND / 20;
/// A turn of the loop waits no longer than this.
const TURN: Duration = Duration::from_millis(2);
/// Everybody has so long to come back after a fault before all is to be quiet again.
const RECOVERY: Nanos = 11 * SECOND / 2;
/// And so long to go home, if it came back elsewhere.
const HOMEWARD: Nanos = SECOND;
/// The shortest quiet window.
const QUIET: Nanos = SECOND;
/// How long everybody listens on after the last publish.
const LISTEN_ON: Nanos = 4 * SECOND;
/// Publishes that are still not answered then never will be.
const ANSWERED_WITHIN: Nanos = 6 * SECOND;

/// What came of a run.
pub struct Ran {
    pub history: History,
    pub plan: Plan,
    pub connections: usize,
    /// Where each node's words are.
    pub logs: Vec<std::path::PathBuf>,
    /// Kept until the words have been read.
    _field: Shared,
}

/// Does a run.
pub fn run(wish: &Wish, rate: Option<f64>) -> Result<Ran, Failure> {
    let plan = Plan::draw(wish);
    eprint!("{plan}");
    if plan.slots.is_empty() {
        return Err(Failure(format!("{} s are too short for any of these faults", wish.seconds)));
    }
    let field = Field::start(wish.nodes)?;
    let doors = field.doors();
    let clock = Clock::start();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut dice = Dice::new(wish.seed);
    let mut crowd = Crowd::new(Ledger::new(rand::random()), clock, doors, dice.roll())?;
    let work = All::begin(&mut crowd, Scale::of(wish.seconds, rate), &mut dice);
    let connections = crowd.len();
    crate::load::process::make_room_for(connections)?;
    let field: Shared = Arc::new(Mutex::new(field));
    let (slots, take_slots) = mpsc::channel();
    let (go, take_go) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let theirs = field.clone();
    let doer = thread::Builder::new()
        .name("faults".into())
        .spawn(move || fault::work(&theirs, clock, &take_slots, &take_go, &tell))
        .map_err(|e| Failure(format!("can't start a thread: {e}")))?;
    let mut run = Run {
        crowd,
        work,
        field: &field,
        slots,
        go,
        told,
        phase: Phase::Quiet(0),
        bar: bar(&plan),
    };
    let outcome = run.bring_in().and_then(|began| run.follow(&plan, began));
    let Run { mut crowd, slots, go, .. } = run;
    drop((slots, go));
    let _ = doer.join();
    outcome?;
    let mut held = locked(&field);
    let eras = journals(&mut held, &crowd.ledger, began).map_err(|e| Failure(e.to_string()))?;
    let logs = held.nodes.iter().map(|node| node.log()).collect();
    drop(held);
    crowd.ledger.history.eras = eras;
    let history = crowd.ledger.history;
    Ok(Ran { history, plan, connections, logs, _field: field })
}

fn bar(plan: &Plan) -> ProgressBar {
    let bar = ProgressBar::new(plan.end / SECOND);
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} s  {msg}");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The journals of primaries that died, then the present one.
fn journals(field: &mut Field, ledger: &Ledger, began: u64) -> io::Result<Vec<super::record::Era>> {
    let mut eras = Vec::new();
    for old in &mut field.retired {
        old.restart()?;
        eras.push(era(local(old.port()), ledger, began)?);
        old.stop()?;
    }
    eras.push(era(local(field.postgres.port()), ledger, began)?);
    Ok(eras)
}

/// What goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No fault is there, since then.
    Quiet(Nanos),
    /// A slot is under way.
    Broken,
    /// A fault is to come once last words have been said, at this time.
    LastWords(Nanos),
    /// Everybody comes back, until then.
    Recovering(Nanos),
    /// Who came back elsewhere goes home, until then.
    GoingHome(Nanos),
}

struct Run<'a> {
    crowd: Crowd,
    work: All,
    field: &'a Shared,
    slots: Sender<(Slot, usize)>,
    go: Sender<()>,
    told: Receiver<Told>,
    phase: Phase,
    bar: ProgressBar,
}

impl Run<'_> {
    /// Lets everybody in; returns when they were.
    fn bring_in(&mut self) -> Result<Nanos, Failure> {
        let deadline = self.crowd.clock.now() + IN_WITHIN;
        while !self.crowd.is_settled() {
            self.crowd.turn(TURN)?;
            if self.crowd.clock.now() > deadline {
                return Err(Failure(format!(
                    "not everybody came in within {} s: {}",
                    IN_WITHIN / SECOND,
                    self.crowd.unsettled()
                )));
            }
        }
        Ok(self.crowd.clock.now())
    }

    /// Follows the plan, whose times begin at `began`.
    fn follow(&mut self, plan: &Plan, began: Nanos) -> Result<(), Failure> {
        let end = began + plan.end;
        let mut slots: VecDeque<Slot> = plan.slots.clone().into();
        self.phase = Phase::Quiet(began);
        self.count();
        loop {
            let now = self.crowd.clock.now();
            // What takes longer than planned makes the run longer, not its plan shorter.
            let is_quiet = matches!(self.phase, Phase::Quiet(since) if now >= since + QUIET);
            if now >= end && slots.is_empty() && is_quiet {
                break;
            }
            self.bar.set_position((now - began) / SECOND);
            self.work.step(now, &mut self.crowd)?;
            self.hear(now)?;
            match self.phase {
                Phase::Quiet(since) => {
                    let due = slots
                        .front()
                        .is_some_and(|slot| now >= began + slot.at && now >= since + QUIET);
                    if let Some(slot) = due.then(|| slots.pop_front()).flatten() {
                        self.count();
                        self.crowd.ledger.history.quiet.push((since, self.crowd.clock.now()));
                        self.begin(slot)?;
                    }
                }
                Phase::LastWords(until) => {
                    self.work.last_words(now, &mut self.crowd);
                    if now >= until {
                        self.crowd.flush();
                        self.phase = Phase::Broken;
                        let _ = self.go.send(());
                    }
                }
                Phase::Recovering(until) if now >= until => {
                    self.crowd.go_home();
                    self.phase = Phase::GoingHome(now + HOMEWARD);
                }
                Phase::GoingHome(until) if now >= until => {
                    self.phase = Phase::Quiet(now);
                    self.count();
                }
                Phase::Broken | Phase::Recovering(_) | Phase::GoingHome(_) => {}
            }
            self.crowd.turn(TURN)?;
        }
        self.finish()
    }

    /// Hands a slot to the one who does the faults.
    fn begin(&mut self, slot: Slot) -> Result<(), Failure> {
        let faults = &mut self.crowd.ledger.history.faults;
        let first = faults.len();
        let now = self.crowd.clock.now();
        faults.extend(slot.acts.iter().map(|act| Fault {
            kind: act.kind,
            node: act.node,
            planned_at: now + act.after,
            taken_at: None,
            witness: None,
            held_until: None,
            healed_at: None,
        }));
        let words: Vec<String> = slot.acts.iter().map(ToString::to_string).collect();
        self.bar.set_message(words.join("; "));
        self.phase = Phase::Broken;
        self.slots.send((slot, first)).map_err(|_| Failure("nobody does the faults".into()))
    }

    /// What the one who does the faults has to say.
    fn hear(&mut self, now: Nanos) -> Result<(), Failure> {
        while let Ok(told) = self.told.try_recv() {
            let faults = &mut self.crowd.ledger.history.faults;
            match told {
                Told::About => self.phase = Phase::LastWords(now + BURST),
                Told::Taken(number, at, witness) => {
                    if let Some(fault) = faults.get_mut(number) {
                        (fault.taken_at, fault.witness) = (Some(at), witness);
                    }
                }
                Told::Healed(number, held, healed, witness) => {
                    if let Some(fault) = faults.get_mut(number) {
                        (fault.held_until, fault.healed_at) = (Some(held), Some(healed));
                        fault.witness = fault.witness.take().or(witness);
                    }
                }
                Told::Over => {
                    self.phase = Phase::Recovering(now + RECOVERY);
                    self.bar.set_message("all is to be quiet");
                }
                Told::Failed(words) => {
                    return Err(Failure(format!("a fault could not be done: {words}")));
                }
            }
        }
        Ok(())
    }

    /// Writes down what the nodes have counted.
    fn count(&mut self) {
        let counters = locked(self.field).counters(self.crowd.clock.now());
        self.crowd.ledger.history.counters.extend(counters);
    }

    /// Nobody says anything any more; everybody hears the rest.
    fn finish(&mut self) -> Result<(), Failure> {
        let now = self.crowd.clock.now();
        if let Phase::Quiet(since) = self.phase {
            self.crowd.ledger.history.quiet.push((since, now));
            self.count();
        }
        self.crowd.everybody_reads()?;
        self.crowd.ledger.history.published_until = now;
        self.bar.set_message("last words are heard");
        let deadline = now + LISTEN_ON + ANSWERED_WITHIN;
        while self.crowd.clock.now() < now + LISTEN_ON
            || self.crowd.ledger.under_way > 0 && self.crowd.clock.now() < deadline
        {
            self.crowd.turn(TURN)?;
        }
        let end = self.crowd.clock.now();
        self.crowd.ledger.close(end);
        self.bar.finish_and_clear();
        Ok(())
    }
}
