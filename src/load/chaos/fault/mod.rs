//! Does faults to the field, each with a witness that it happened: one thread that follows the plan.

mod nginx;
mod nodes;
mod postgres;
mod redis;

use std::{
    io,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender},
    },
    thread,
    time::Duration,
};

use self::{postgres::Strangers, redis::Held};
use super::{
    field::Field,
    kind::{Kind, Part},
    plan::{Act, Slot},
    record::Nanos,
};
use crate::load::{
    Failure,
    clock::{Clock, nanos},
};

/// What the one who does the faults tells the one who moves the clients.
#[derive(Debug)]
pub enum Told {
    /// The next fault comes as soon as it is allowed: now is the time for last words.
    About,
    /// It is there; from when on, and what shows it.
    Taken(usize, Nanos, Option<String>),
    /// It is over: until when it was surely there, when everything was whole again, and what shows now that it happened.
    Healed(usize, Nanos, Nanos, Option<String>),
    /// All of the slot is over, and all nodes are ready.
    Over,
    Failed(String),
}

/// What is remembered of a fault that is there.
#[derive(Default)]
pub(super) struct Remembered {
    /// What the server was before: a process, a run id, a time.
    before: String,
    strangers: Option<Strangers>,
    held: Option<Held>,
}

/// What a fault showed when it was done: nothing, if it can't be shown before it is healed.
pub(super) type Shown = io::Result<Option<String>>;

/// The field, shared by the one who breaks it and the one who looks at it.
pub type Shared = Arc<Mutex<Field>>;

/// Follows orders, a slot each, until nobody gives any.
pub fn work(
    field: &Shared,
    clock: Clock,
    slots: &Receiver<(Slot, usize)>,
    go: &Receiver<()>,
    tell: &Sender<Told>,
) {
    while let Ok((slot, first)) = slots.recv() {
        let mut doing = Doing { field, clock, go, tell, first };
        let told = match doing.slot(&slot) {
            Ok(()) => Told::Over,
            Err(e) => Told::Failed(e.to_string()),
        };
        if tell.send(told).is_err() {
            return;
        }
    }
}

struct Doing<'a> {
    field: &'a Shared,
    clock: Clock,
    go: &'a Receiver<()>,
    tell: &'a Sender<Told>,
    /// The number of the slot's first fault.
    first: usize,
}

/// Longer than it takes to say last words.
const GO_WITHIN: Duration = Duration::from_secs(10);

/// Nodes that come back have so long, on a machine that is busy with a load.
const READY_WITHIN: Duration = Duration::from_secs(10);

impl Doing<'_> {
    fn slot(&mut self, slot: &Slot) -> io::Result<()> {
        let began = self.clock.now();
        let mut remembered: Vec<Option<Remembered>> = slot.acts.iter().map(|_| None).collect();
        // Beginnings and ends, in the order of their times.
        let begin = |(number, act): (usize, &Act)| (act.after, false, number);
        let end = |(number, act): (usize, &Act)| (act.after + act.lasts, true, number);
        let acts = slot.acts.iter().enumerate();
        let mut steps: Vec<_> = acts.clone().map(begin).chain(acts.map(end)).collect();
        steps.sort_unstable_by_key(|(at, ends, number)| (*at, *number, *ends));
        for (at, ends, number) in steps {
            let wait = (began + at).saturating_sub(self.clock.now());
            thread::sleep(Duration::from_nanos(wait));
            let act = &slot.acts[number];
            if !ends {
                remembered[number] = Some(self.begin(act, number)?);
            } else if let Some(before) = remembered[number].take() {
                self.end(act, number, before)?;
            }
        }
        let mut field = locked(self.field);
        field.raise_the_dead()?;
        for node in &mut field.nodes {
            // One that lives and never gets ready is for the invariants to find.
            until(READY_WITHIN, || node.is_ready());
            if let Some(status) = node.ended() {
                return Err(io::Error::other(format!("node {} ended with {status}", node.number)));
            }
        }
        Ok(())
    }

    fn begin(&mut self, act: &Act, number: usize) -> io::Result<Remembered> {
        let mut field = locked(self.field);
        let mut remembered = Remembered::default();
        prepare(&mut field, act, &mut remembered)?;
        let gone = |_| io::Error::other("the run is over");
        self.tell.send(Told::About).map_err(|_| gone(()))?;
        self.go.recv_timeout(GO_WITHIN).map_err(|_| gone(()))?;
        let witness = take(&mut field, act, &mut remembered)?;
        let at = self.clock.now();
        self.tell.send(Told::Taken(self.first + number, at, witness)).map_err(|_| gone(()))?;
        Ok(remembered)
    }

    fn end(&mut self, act: &Act, number: usize, mut remembered: Remembered) -> io::Result<()> {
        let mut field = locked(self.field);
        let held = self.clock.now();
        let witness = heal(&mut field, act, &mut remembered)?;
        // A node that died is dead for good; others go on without it at once.
        let healed = match act.kind {
            kind if kind == Kind::NodeKill || kind.failpoint().is_some() => held,
            _ => self.clock.now(),
        };
        field.raise_the_dead()?;
        let told = Told::Healed(self.first + number, held, healed, witness);
        self.tell.send(told).map_err(|_| io::Error::other("the run is over"))
    }
}

/// Looks at what will be broken, so that it can be shown that it was.
fn prepare(field: &mut Field, act: &Act, remembered: &mut Remembered) -> io::Result<()> {
    match act.kind.part() {
        Part::Postgres => postgres::prepare(field, act.kind, remembered),
        Part::Redis => redis::prepare(field, act.kind, remembered),
        Part::Nginx => nginx::prepare(field, remembered),
        Part::Node => Ok(()),
    }
}

fn take(field: &mut Field, act: &Act, remembered: &mut Remembered) -> Shown {
    match act.kind.part() {
        Part::Node => nodes::take(field, act, remembered),
        Part::Postgres => postgres::take(field, act.kind, remembered),
        Part::Redis => redis::take(field, act.kind, remembered),
        Part::Nginx => nginx::take(field, act.kind, remembered),
    }
}

fn heal(field: &mut Field, act: &Act, remembered: &mut Remembered) -> Shown {
    match act.kind.part() {
        Part::Node => nodes::heal(field, act),
        Part::Postgres => postgres::heal(field, act.kind, remembered),
        Part::Redis => redis::heal(field, act.kind, remembered),
        Part::Nginx => nginx::heal(field, act.kind, remembered),
    }
}

/// The field; a thread that fell while it held it has failed the run anyway.
pub fn locked(field: &Shared) -> std::sync::MutexGuard<'_, Field> {
    field.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Looks again and again, for at most so long.
fn until(limit: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let clock = Clock::start();
    while !reached() {
        if clock.now() > nanos(limit) {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// What a field can't do: there is no such part.
fn lacks(what: &str) -> io::Error {
    io::Error::other(Failure(format!("there is no {what} in this run")).0)
}
