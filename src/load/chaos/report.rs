//! What a run found: the object of the other scenarios, the figures of the checker, the faults, and what was broken.

use std::fmt;

use serde::Serialize;

use super::{
    invariant::{Bounds, Broken, Figures, Index, check, longest_gaps},
    kind::Kind,
    record::{History, Nanos, Outcome, SECOND, What},
    run::Ran,
};
use crate::load::{
    histogram::{Histogram, Quantiles},
    report::rounded,
};

/// The result of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub seed: u64,
    pub nodes: u8,
    pub connections: usize,
    /// While people published.
    pub seconds: f64,
    pub sent: u64,
    pub acknowledged: u64,
    pub delivered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub rate_per_s: f64,
    /// From the publish to each receipt, faults and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_ms: Option<Quantiles>,
    #[serde(flatten)]
    pub figures: Figures,
    pub faults: Vec<FaultReport>,
    pub broken: Vec<Broken>,
}

/// What became of a fault.
#[derive(Debug, Serialize)]
pub struct FaultReport {
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<u8>,
    pub at_s: f64,
    /// Whether it was seen to happen, and as what.
    pub took_effect: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    pub lasted_ms: f64,
    /// The longest time from a commit to a receipt in it, or in the time to recover from it.
    pub longest_gap_ms: f64,
}

impl Report {
    /// Judges a run.
    pub fn of(ran: &Ran, nodes: u8, bounds: &Bounds) -> Self {
        let history = &ran.history;
        let broken = check(history, bounds);
        let index = Index::new(history);
        let figures = Figures::of(&index, bounds);
        let gaps = longest_gaps(&index);
        let (latency, ack) = latencies(&index);
        let count = |names: &[&str]| -> u64 {
            broken.iter().filter(|b| names.contains(&b.invariant)).map(|b| b.count).sum()
        };
        let acknowledged = index.acknowledged.iter().flatten().count() as u64;
        let first = history.quiet.first().map_or(0, |(from, _)| *from);
        let seconds = seconds(history.published_until.saturating_sub(first));
        Self {
            scenario: "chaos",
            seed: ran.plan.seed,
            nodes,
            connections: ran.connections,
            seconds: rounded(seconds),
            sent: history.messages.len() as u64,
            acknowledged,
            delivered: delivered(history),
            lost: count(&["I1"]) + figures.stuck,
            duplicated: count(&["I4"]),
            reordered: count(&["I5", "I6"]),
            rate_per_s: rounded(acknowledged as f64 / seconds.max(0.001)),
            latency_ms: latency.quantiles(),
            ack_ms: ack.quantiles(),
            figures,
            faults: history
                .faults
                .iter()
                .zip(gaps)
                .map(|(fault, gap)| {
                    let (planned, to) = fault.window();
                    let from = fault.taken_at.unwrap_or(planned);
                    FaultReport {
                        kind: fault.kind,
                        node: fault.node,
                        at_s: rounded(self::seconds(from)),
                        took_effect: fault.taken_at.is_some() && fault.witness.is_some(),
                        witness: fault.witness.clone(),
                        lasted_ms: millis(to - from),
                        longest_gap_ms: millis(gap),
                    }
                })
                .collect(),
            broken,
        }
    }

    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }
}

fn delivered(history: &History) -> u64 {
    let events = history.subscribers.iter().flat_map(|subscriber| &subscriber.events);
    events.filter(|event| matches!(event.what, What::Delivered { .. })).count() as u64
}

/// From invocations to receipts, and to acknowledgements.
fn latencies(index: &Index<'_>) -> (Histogram, Histogram) {
    let (mut latency, mut ack) = (Histogram::default(), Histogram::default());
    for attempt in &index.history.attempts {
        if matches!(attempt.outcome, Outcome::Ok { .. }) {
            ack.record(attempt.answered.saturating_sub(attempt.invoked));
        }
    }
    // Recoveries bring what their clients chose to miss: only what came to somebody who was there counts.
    for subscriber in index.history.subscribers.iter().filter(|subscriber| !subscriber.slow) {
        let mut joined = 0;
        for event in &subscriber.events {
            match event.what {
                What::Joined { .. } => joined = event.at,
                What::Delivered { message, .. } if event.at > joined => {
                    let invoked = index.invoked.get(message as usize).copied().flatten();
                    if let Some(invoked) = invoked {
                        latency.record(event.at.saturating_sub(invoked));
                    }
                }
                _ => {}
            }
        }
    }
    (latency, ack)
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

fn millis(nanos: Nanos) -> f64 {
    rounded(nanos as f64 / 1e6)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: String| {
            writeln!(f, "  {name:<22}{value}")
        };
        writeln!(f, "chaos, seed {}, {} nodes", self.seed, self.nodes)?;
        line(f, "sent, acknowledged", format!("{}, {}", self.sent, self.acknowledged))?;
        line(f, "indeterminate", self.figures.indeterminate.to_string())?;
        line(f, "delivered", self.delivered.to_string())?;
        if let Some(share) = self.figures.acked_share {
            line(f, "acknowledged, quiet", format!("{:.2} % at least", share * 100.0))?;
        }
        for (name, quantiles) in [("latency", self.latency_ms), ("acknowledged after", self.ack_ms)]
        {
            if let Some(Quantiles { p50, p95, p99, max }) = quantiles {
                let words = format!("p50 {p50:.1}  p95 {p95:.1}  p99 {p99:.1}  max {max:.1} ms");
                line(f, name, words)?;
            }
        }
        for fault in &self.faults {
            let node = fault.node.map(|node| format!(" of node {node}")).unwrap_or_default();
            let what = format!("{}{node}", fault.kind.name());
            let witness = fault.witness.as_deref().unwrap_or("NOT SEEN TO HAPPEN");
            writeln!(
                f,
                "  {:>7.1} s  {what:<28}{:>7.0} ms, longest gap {:>6.0} ms; {witness}",
                fault.at_s, fault.lasted_ms, fault.longest_gap_ms
            )?;
        }
        match self.is_clean() {
            true => line(f, "verdict", "every invariant holds".into()),
            false => line(f, "verdict", format!("{} BROKEN", self.broken.len())),
        }
    }
}
