//! What has to hold over the records of a run. Pure: no clock, no socket; each rule names its first counterexample.
//!
//! Numbers are those of `docs/CHECKER.md`. A rule that never fails is no rule: `tests.rs` holds for each a history in
//! which it does.

mod answers;
mod behind;
mod index;
mod joined;
mod lateness;
mod rows;
mod sequence;
mod windows;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::{index::Index, joined::is_final_close, lateness::longest_gaps, windows::Figures};
use super::record::{History, Nanos, SECOND};

/// A rule that did not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Broken {
    pub invariant: &'static str,
    /// How often.
    pub count: u64,
    /// The first time, in words.
    pub counterexample: String,
    /// The others.
    #[serde(skip)]
    pub others: Vec<String>,
}

/// How late things may be, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// From the commit to the receipt, when nothing is wrong.
    pub quiet: Nanos,
    /// The same for who stays connected while something is wrong, and after it has healed.
    pub connected: Nanos,
    /// For who has to come back.
    pub coming_back: Nanos,
    /// How much of what is invoked in a quiet window must be acknowledged, in percent.
    pub acknowledged: u64,
    /// A recovery that misses more messages than this need not be whole.
    pub recovery_messages: u64,
    /// Or more bytes than this.
    pub recovery_bytes: u64,
    /// Whether the bridge always wins its race with the feed when nothing is wrong.
    pub bridge_is_first: bool,
}

impl Bounds {
    /// Those of the promise.
    pub const PROMISED: Self = Self {
        quiet: SECOND / 4,
        connected: 3 * SECOND / 2,
        coming_back: 5 * SECOND,
        acknowledged: 95,
        recovery_messages: 300,
        recovery_bytes: 512 * 1024,
        bridge_is_first: true,
    };

    /// The same on a machine that is so many times slower than the one that the promise is for.
    pub fn slackened(self, times: u32) -> Self {
        let times = Nanos::from(times.max(1));
        Self {
            quiet: self.quiet * times,
            connected: self.connected * times,
            coming_back: self.coming_back * times,
            bridge_is_first: times == 1,
            ..self
        }
    }
}

/// All rules that do not hold, in the order of their numbers.
pub fn check(history: &History, bounds: &Bounds) -> Vec<Broken> {
    let index = Index::new(history);
    let late = lateness::late(&index, bounds);
    let rules: [(&'static str, Vec<String>); 13] = [
        ("I1", answers::acknowledged_are_in_the_journal(&index)),
        ("I2", rows::offsets_have_no_hole(&index)),
        ("I3", rows::nothing_comes_from_nowhere(&index)),
        ("I4", rows::a_key_happens_once(&index)),
        ("I5", answers::order_of_answers_is_order_of_offsets(&index)),
        ("I6", sequence::each_hears_all_once_in_order(&index)),
        ("I7", behind::nobody_is_stuck(&index, bounds)),
        ("I8", late),
        ("I9", joined::recoveries_within_limits_are_whole(&index, bounds)),
        ("I10", joined::nobody_is_sent_away_for_good(&index)),
        ("I11", windows::publishes_fare_as_the_database_does(&index, bounds)),
        ("I12", windows::faults_have_witnesses(&index)),
        ("I15", windows::counters_stay(&index, bounds)),
    ];
    rules
        .into_iter()
        .filter(|(_, found)| !found.is_empty())
        .map(|(invariant, found)| {
            let count = found.len() as u64;
            let mut found = found.into_iter();
            let counterexample = found.next().unwrap_or_default();
            Broken { invariant, count, counterexample, others: found.collect() }
        })
        .collect()
}

/// Nanoseconds as seconds, for people.
fn seconds(at: Nanos) -> String {
    format!("{:.3} s", at as f64 / SECOND as f64)
}
