//! What the nodes tell of themselves at `/metrics` (docs/METRICS.md), added up over all nodes.
//!
//! What no node has a metric of is none, never 0.

use std::{collections::BTreeMap, net::SocketAddr};

use super::report::HitRatio;
use crate::load::{Failure, http::Http};

/// Calls to the provider of prices.
const UPSTREAM: &str = "fanfare_price_calls_total";
/// Dashboards, or parts of them, that were read from the database.
const COMPUTATIONS: &str = "fanfare_cache_loads_total";
/// What a level of the cache had, and what it did not have.
const HITS: &str = "fanfare_cache_hits_total";
const MISSES: &str = "fanfare_cache_misses_total";

/// Samples by their names with labels.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Told(BTreeMap<String, f64>);

/// What went on between two askings.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Counts {
    pub hits: HitRatio,
    pub computations: Option<u64>,
    pub upstream_calls: Option<u64>,
}

impl Told {
    /// Asks all nodes.
    pub fn ask(operators: &[SocketAddr]) -> Result<Self, Failure> {
        let mut told = Self::default();
        for operator in operators {
            let answer = Http::new(*operator, &operator.to_string()).get("/metrics")?;
            told.add(&String::from_utf8_lossy(&answer.body));
        }
        Ok(told)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            if let Ok(value) = value.parse::<f64>() {
                *self.0.entry(name.to_owned()).or_default() += value;
            }
        }
    }

    /// All samples of a metric whose labels have these words; none if there is none.
    fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let of = |sample: &str| {
            let rest = sample.strip_prefix(name)?;
            let fits = rest.is_empty() || rest.starts_with('{');
            (fits && labels.iter().all(|label| rest.contains(label))).then_some(())
        };
        let mut found = self.0.iter().filter(|(sample, _)| of(sample).is_some()).peekable();
        found.peek()?;
        Some(found.map(|(_, value)| value).sum())
    }

    /// What happened since `before`.
    pub fn since(&self, before: &Self) -> Counts {
        let grown = |name: &str, labels: &[&str]| {
            Some(self.sum(name, labels)? - before.sum(name, labels).unwrap_or(0.0))
        };
        let count = |name: &str| grown(name, &[]).map(|n| n.max(0.0).round() as u64);
        let hits = |level: &str| {
            let hits = grown(HITS, &[level])?;
            let all = hits + grown(MISSES, &[level])?;
            (all > 0.0).then(|| hits / all)
        };
        let hits = HitRatio {
            page: hits("level=\"page\""),
            memory: hits("level=\"memory\""),
            redis: hits("level=\"redis\""),
        };
        Counts { hits, computations: count(COMPUTATIONS), upstream_calls: count(UPSTREAM) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        let mut told = Told::default();
        told.add(text);
        told
    }

    #[test]
    fn what_nodes_tell_is_added_up_and_compared_with_before() {
        let memory = |hits: u32, misses: u32| {
            format!("{HITS}{{level=\"memory\"}} {hits}\n{MISSES}{{level=\"memory\"}} {misses}\n")
        };
        let before = told(&format!("# HELP x\n{UPSTREAM} 5\n{}", memory(0, 10)));
        let mut after = told(&format!("{UPSTREAM} 9\n{}", memory(20, 30)));
        after.add(&format!("{UPSTREAM} 1\n{}", memory(40, 0)));
        let counts = after.since(&before);
        assert_eq!((counts.upstream_calls, counts.hits.memory), (Some(5), Some(0.75)));
        assert_eq!((counts.computations, counts.hits.redis), (None, None));
        assert_eq!(
            told("fanfare_price_calls_total_of_another 3\n").since(&before).upstream_calls,
            None
        );
    }
}
