//! The records, sorted so that questions about them are cheap: rows by place, answers by message, stays of members.

use std::collections::HashMap;

use crate::load::chaos::{
    kind::Kind,
    record::{
        Attempt, BY_WISH_CLOSED, BY_WISH_LEFT, Era, FOREIGN, Fault, History, Nanos, Outcome,
        Recovery, Row, What,
    },
};

/// A history and what follows from it.
pub struct Index<'a> {
    pub history: &'a History,
    /// Rows of each era, by channel, life and offset.
    pub logs: Vec<Vec<Row>>,
    /// By message: when it was first invoked, if it was.
    pub invoked: Vec<Option<Nanos>>,
    /// By message: its first acknowledgement.
    pub acknowledged: Vec<Option<Acknowledged>>,
    pub stays: Vec<Stay>,
}

/// The answer that made a message one that may not be lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    pub at: Nanos,
    pub offset: u32,
    pub epoch: u16,
}

/// One uninterrupted subscription of one subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stay {
    pub subscriber: u32,
    pub channel: u32,
    pub epoch: u16,
    /// Whether its subscriber does not always read.
    pub slow: bool,
    pub joined: Nanos,
    /// When the stay before this one broke, if nobody had asked for that.
    pub broken_at: Option<Nanos>,
    /// Where it stood before the first delivery of this stay.
    pub start: u32,
    /// None: until the end of the run.
    pub ended: Option<Nanos>,
    pub heard: Vec<(u32, Nanos)>,
}

impl Stay {
    /// Where it stood at a time: the last offset that it had been told.
    pub fn stood(&self, at: Nanos) -> u32 {
        let before = self.heard.partition_point(|(_, heard)| *heard <= at);
        before.checked_sub(1).map_or(self.start, |last| self.heard[last].0)
    }

    /// Whether it went on from before `from` until after `to`.
    pub fn covers(&self, from: Nanos, to: Nanos) -> bool {
        self.joined <= from && self.ended.is_none_or(|ended| ended > to)
    }
}

impl<'a> Index<'a> {
    /// Sorts a history.
    pub fn new(history: &'a History) -> Self {
        let sorted = |era: &Era| {
            let mut rows = era.rows.clone();
            rows.sort_unstable_by_key(|row| (row.channel, row.life, row.offset));
            rows
        };
        let mut invoked = vec![None; history.messages.len()];
        let mut acknowledged: Vec<Option<Acknowledged>> = vec![None; history.messages.len()];
        for attempt in &history.attempts {
            let Some(first) = invoked.get_mut(attempt.message as usize) else { continue };
            let earliest = first.map_or(attempt.invoked, |at: Nanos| at.min(attempt.invoked));
            *first = Some(earliest);
            let known = &mut acknowledged[attempt.message as usize];
            if let Some(new) = answer(attempt)
                && known.is_none_or(|known| new.at < known.at)
            {
                *known = Some(new);
            }
        }
        Self {
            history,
            logs: history.eras.iter().map(sorted).collect(),
            invoked,
            acknowledged,
            stays: stays(history),
        }
    }

    /// The rows of a channel under an epoch, by offset; none if no journal has that generation.
    pub fn log(&self, channel: u32, epoch: u16) -> Option<&[Row]> {
        let epoch = self.history.epochs.get(epoch)?;
        let era = self.history.eras.iter().position(|era| era.generation == epoch.generation)?;
        Some(self.log_of(era, channel, epoch.life))
    }

    /// The rows of a channel's life in one era, by offset.
    pub fn log_of(&self, era: usize, channel: u32, life: u32) -> &[Row] {
        let rows = &self.logs[era];
        let from = rows.partition_point(|row| (row.channel, row.life) < (channel, life));
        let length = rows[from..].partition_point(|row| (row.channel, row.life) == (channel, life));
        &rows[from..from + length]
    }

    /// The row at a place.
    pub fn row(&self, channel: u32, epoch: u16, offset: u32) -> Option<&Row> {
        let rows = self.log(channel, epoch)?;
        let at = rows.binary_search_by_key(&offset, |row| row.offset).ok()?;
        rows.get(at)
    }

    /// Whether this epoch is of the generation that the journal has at the end.
    pub fn is_present(&self, epoch: u16) -> bool {
        let last = self.history.eras.last().map(|era| era.generation.as_str());
        self.history.epochs.get(epoch).map(|epoch| epoch.generation.as_str()) == last
    }

    /// When the primary died that held this epoch's generation, if it did.
    pub fn superseded(&self, epoch: u16) -> Option<Nanos> {
        let epoch = self.history.epochs.get(epoch)?;
        let era = self.history.eras.iter().position(|era| era.generation == epoch.generation)?;
        let promotions = self.history.faults.iter().filter(|f| f.kind == Kind::PostgresPromote);
        promotions.filter_map(|fault| fault.taken_at).nth(era)
    }

    /// When a row was committed, at the latest: its acknowledgement, else the end of whatever held it up.
    pub fn committed(&self, row: &Row) -> Nanos {
        let told = self.acknowledged.get(row.message as usize).copied().flatten();
        if let Some(told) = told {
            return told.at;
        }
        let held = self.faults_at(row.at).map(|fault| fault.window().1).max();
        held.map_or(row.at, |healed| healed.max(row.at))
    }

    /// The faults that were there at a time.
    pub fn faults_at(&self, at: Nanos) -> impl Iterator<Item = &'a Fault> {
        self.faults_between(at, at)
    }

    /// The faults that were there at some time of these.
    pub fn faults_between(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = &'a Fault> {
        self.history.faults.iter().filter(move |fault| {
            let (began, ended) = fault.window();
            began <= to && from <= ended
        })
    }

    /// A channel's name, for people.
    pub fn channel(&self, channel: u32) -> &'a str {
        self.history.channels.get(channel as usize).map_or("a strange channel", |c| &c.name)
    }

    /// A message, for people.
    pub fn message(&self, message: u32) -> String {
        match self.history.messages.get(message as usize) {
            Some(known) => format!("message {} of publisher {}", known.n, known.publisher),
            None if message == FOREIGN => "a message that nobody sent".into(),
            None => format!("message {message}, which nobody sent"),
        }
    }

    /// A subscriber, for people.
    pub fn subscriber(&self, subscriber: u32) -> String {
        let role = self.history.subscribers.get(subscriber as usize).map_or("?", |s| s.role);
        format!("subscriber {subscriber} ({role})")
    }

    /// An epoch, for people.
    pub fn epoch(&self, epoch: u16) -> String {
        let known = self.history.epochs.get(epoch);
        known.map_or("?".into(), |epoch| format!("{}.{}", epoch.generation, epoch.life))
    }
}

fn answer(attempt: &Attempt) -> Option<Acknowledged> {
    match attempt.outcome {
        Outcome::Ok { offset, epoch } => Some(Acknowledged { at: attempt.answered, offset, epoch }),
        _ => None,
    }
}

/// What is known of a subscription that ended.
#[derive(Clone, Copy)]
struct Past {
    position: u32,
    broken_at: Option<Nanos>,
}

fn stays(history: &History) -> Vec<Stay> {
    let mut all: Vec<Stay> = Vec::new();
    for (number, subscriber) in history.subscribers.iter().enumerate() {
        // By channel: its stay in `all`, and where it stood when the last one ended.
        let mut open: HashMap<u32, usize> = HashMap::new();
        let mut stood: HashMap<u32, Past> = HashMap::new();
        let end =
            |all: &mut Vec<Stay>, stood: &mut HashMap<u32, Past>, stay: usize, at, unasked| {
                let stay = &mut all[stay];
                stay.ended = Some(at);
                let broken_at = if unasked { Some(at) } else { None };
                stood.insert(stay.channel, Past { position: stay.stood(Nanos::MAX), broken_at });
            };
        for event in &subscriber.events {
            match event.what {
                What::Joined { channel, offset, epoch, recovery } => {
                    if let Some(stay) = open.remove(&channel) {
                        end(&mut all, &mut stood, stay, event.at, true);
                    }
                    let past = stood.get(&channel).copied();
                    let start = match (recovery, past) {
                        (Recovery::Whole, Some(past)) => past.position,
                        _ => offset,
                    };
                    open.insert(channel, all.len());
                    all.push(Stay {
                        subscriber: number as u32,
                        channel,
                        epoch,
                        slow: subscriber.slow,
                        joined: event.at,
                        broken_at: past.and_then(|past| past.broken_at),
                        start,
                        ended: None,
                        heard: Vec::new(),
                    });
                }
                What::Delivered { channel, offset, .. } => {
                    if let Some(stay) = open.get(&channel) {
                        all[*stay].heard.push((offset, event.at));
                    }
                }
                What::Left { channel, code } => {
                    if let Some(stay) = open.remove(&channel) {
                        end(&mut all, &mut stood, stay, event.at, code != BY_WISH_LEFT);
                    }
                }
                What::Closed { code } => {
                    for (_, stay) in open.drain() {
                        end(&mut all, &mut stood, stay, event.at, code != BY_WISH_CLOSED);
                    }
                }
                What::Connected { .. } | What::Refused { .. } => {}
            }
        }
    }
    all
}
