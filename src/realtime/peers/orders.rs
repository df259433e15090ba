//! How far each run has carried out the orders of each.
//!
//! A run numbers its own orders from 1. They are committed in that order, so whoever has read the feed to its end
//! and carried out number n has carried out all before it.

use super::{NodeId, Peers};

impl Peers {
    /// Whether an order has to be carried out: it was not yet.
    pub fn is_news(&self, run: NodeId, number: u64) -> bool {
        self.passed.get(&run).is_none_or(|passed| *passed < number)
    }

    /// An order was carried out here.
    pub fn passed(&mut self, run: NodeId, number: u64) {
        let passed = self.passed.entry(run).or_default();
        *passed = (*passed).max(number);
    }

    /// Live runs that have not said yet that they carried out an order of this run.
    pub fn lagging(&self, number: u64) -> usize {
        let lags = |passed: Option<&u64>| passed.is_none_or(|passed| *passed < number);
        self.runs.values().filter(|run| lags(run.beat.passed.get(&self.me))).count()
    }

    /// Live runs, this one included.
    pub fn count(&self) -> usize {
        self.runs.len() + 1
    }
}
