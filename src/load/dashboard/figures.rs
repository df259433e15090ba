//! What is counted while people look at their dashboards.

use std::collections::BTreeMap;

use crate::load::histogram::Histogram;

/// Different words of errors that are kept.
const MOST_WORDS: usize = 20;

/// Counters of a run. Requests and latencies are those of the measured part, errors and wrong answers of all of it.
#[derive(Clone, Default)]
pub struct Figures {
    pub requests: u64,
    /// Those of them that wrote something.
    pub writes: u64,
    pub errors: u64,
    pub wrong: u64,
    /// From the moment that a look was due to the last byte of its answer.
    pub looks: Histogram,
    /// The same of each person's first look, with its connection.
    pub firsts: Histogram,
    pub write_latency: Histogram,
    /// What went wrong, in words, and how often.
    pub words: BTreeMap<String, u64>,
}

impl Figures {
    /// An answer of the measured part.
    pub fn answered(&mut self, write: bool, latency: u64, first: bool) {
        self.requests += 1;
        match write {
            true => {
                self.writes += 1;
                self.write_latency.record(latency);
            }
            false => self.looks.record(latency),
        }
        if first {
            self.firsts.record(latency);
        }
    }

    /// A request without the answer that it should have.
    pub fn error(&mut self, words: String) {
        self.errors += 1;
        self.note(words);
    }

    /// An answer that is not true.
    pub fn wrong(&mut self, words: String) {
        self.wrong += 1;
        self.note(format!("wrong: {words}"));
    }

    /// What went wrong for somebody else counts, too.
    pub fn blame(&mut self, other: Self) {
        self.errors += other.errors;
        self.wrong += other.wrong;
        for (words, times) in other.words {
            *self.words.entry(words).or_default() += times;
        }
    }

    fn note(&mut self, words: String) {
        if self.words.len() < MOST_WORDS || self.words.contains_key(&words) {
            *self.words.entry(words).or_default() += 1;
        }
    }
}
