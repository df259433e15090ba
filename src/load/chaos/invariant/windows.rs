//! I11, I12 and I15: what has to hold of the windows in which faults were there, and of those in which none was.

use std::collections::HashMap;

use serde::Serialize;

use super::{Bounds, Index, behind, joined, seconds};
use crate::load::chaos::record::{Attempt, Fault, Nanos, Outcome, SECOND};

/// Fewer attempts in a window say nothing about a share.
const ENOUGH: u64 = 20;

/// How near to the beginning of a fault somebody must have published.
const NEAR: Nanos = SECOND / 4;

/// The figures of a run that follow from its records.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Figures {
    /// Recoveries within the limits that were not whole.
    pub unrecovered: u64,
    /// Members that did not stand at the top a while after a fault, or at the end.
    pub stuck: u64,
    /// Closes, unsubscribes and refusals after which an SDK does not come back.
    pub terminal_closes: u64,
    /// Publishes of which nobody was told whether they happened.
    pub indeterminate: u64,
    /// The lowest share of acknowledged publishes in a quiet window; none if no window was long enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acked_share: Option<f64>,
}

impl Figures {
    /// Counts.
    pub fn of(index: &Index<'_>, bounds: &Bounds) -> Self {
        let unknown = index.history.attempts.iter().filter(|a| a.outcome == Outcome::Unknown);
        Self {
            unrecovered: joined::recoveries_within_limits_are_whole(index, bounds).len() as u64,
            stuck: behind::nobody_is_stuck(index, bounds).len() as u64,
            terminal_closes: joined::nobody_is_sent_away_for_good(index).len() as u64,
            indeterminate: unknown.count() as u64,
            acked_share: shares(index).into_iter().map(|(_, share)| share).reduce(f64::min),
        }
    }
}

/// I11: no ok while the database is down, enough of them when all is well, an unanswered one in each fault that must
/// leave some.
pub fn publishes_fare_as_the_database_does(index: &Index<'_>, bounds: &Bounds) -> Vec<String> {
    let attempts = &index.history.attempts;
    let mut broken = Vec::new();
    for fault in &index.history.faults {
        let Some(taken) = fault.taken_at else { continue };
        let (_, healed) = fault.window();
        let lasted = (healed - taken) / (SECOND / 1000);
        let name = fault.kind.name();
        if fault.kind.takes_the_database_down()
            && let Some(until) = fault.held_until
        {
            let ok = attempts.iter().filter(|a| matches!(a.outcome, Outcome::Ok { .. }));
            broken.extend(ok.filter(|a| a.invoked >= taken && a.answered <= until).map(|a| {
                format!(
                    "{} was invoked at {} and acknowledged at {}, in the midst of {name}",
                    index.message(a.message),
                    seconds(a.invoked),
                    seconds(a.answered)
                )
            }));
        }
        let unanswered = |a: &&_| is_unanswered_in(a, taken, healed);
        if fault.kind.leaves_publishes_unanswered(lasted)
            && !attempts.iter().any(|a| unanswered(&a))
        {
            broken.push(format!(
                "{name} at {} left no publish unanswered: nothing was under way",
                seconds(taken)
            ));
        }
    }
    for ((from, to), share) in shares(index) {
        if share * 100.0 < bounds.acknowledged as f64 {
            broken.push(format!(
                "from {} to {} nothing was wrong, and only {:.1} % of what was published was acknowledged",
                seconds(from),
                seconds(to),
                share * 100.0
            ));
        }
    }
    broken
}

fn is_unanswered_in(attempt: &Attempt, from: Nanos, to: Nanos) -> bool {
    let under_way = attempt.invoked <= to && attempt.answered + NEAR >= from;
    attempt.outcome == Outcome::Unknown && under_way
}

/// The acknowledged share of each quiet window.
fn shares(index: &Index<'_>) -> Vec<((Nanos, Nanos), f64)> {
    let share = |window: &(Nanos, Nanos)| {
        let (mut all, mut ok) = (0u64, 0u64);
        for attempt in &index.history.attempts {
            if (window.0..window.1).contains(&attempt.invoked) {
                all += 1;
                ok += u64::from(matches!(attempt.outcome, Outcome::Ok { .. }));
            }
        }
        (all >= ENOUGH).then(|| (*window, ok as f64 / all as f64))
    };
    index.history.quiet.iter().filter_map(share).collect()
}

/// I12: each fault was seen to happen, and somebody was publishing just then.
pub fn faults_have_witnesses(index: &Index<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for fault in &index.history.faults {
        let name = fault.kind.name();
        let planned = seconds(fault.planned_at);
        match fault {
            Fault { taken_at: Some(at), witness: Some(_), .. } => {
                let near = |a: &Attempt| a.invoked.abs_diff(*at) <= NEAR;
                if !index.history.attempts.iter().any(near) {
                    broken.push(format!("{name} of {planned}: nobody published just then"));
                }
            }
            _ => broken.push(format!("{name} of {planned} was not seen to happen")),
        }
    }
    broken
}

/// I15: no hub ever finds an order broken or a member behind, and nobody needs the feed while all is well.
pub fn counters_stay(index: &Index<'_>, bounds: &Bounds) -> Vec<String> {
    let mut broken = Vec::new();
    let mut last: HashMap<(u8, u32), (Option<usize>, Option<u64>)> = HashMap::new();
    for sample in &index.history.counters {
        let named = [
            ("order_broken_total", sample.order_broken),
            ("member_behind_total", sample.member_behind),
        ];
        for (name, count) in named {
            if let Some(count @ 1..) = count {
                let at = seconds(sample.at);
                broken.push(format!("node {} counted {name} {count} at {at}", sample.node));
            }
        }
        let window =
            index.history.quiet.iter().position(|(from, to)| (*from..=*to).contains(&sample.at));
        let before = last.insert((sample.node, sample.pid), (window, sample.learned_from_feed));
        if let (Some((was, Some(before))), Some(now)) = (before, sample.learned_from_feed)
            && window.is_some()
            && bounds.bridge_is_first
            && was == window
            && now > before
        {
            broken.push(format!(
                "node {} learned {} from the feed by {}, when nothing was wrong",
                sample.node,
                now - before,
                seconds(sample.at)
            ));
        }
    }
    broken
}
