//! What a run found: one JSON object for machines, a summary for people.

use std::fmt;

use serde::Serialize;

use super::{figures::Figures, told::Counts, veteran::Seen};
use crate::load::{histogram::Quantiles, report::rounded};

/// The result of a run. What the server does not tell, or nobody measured, is null.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub people: usize,
    /// The measured part.
    pub seconds: f64,
    /// Of the measured part, `writes` among them.
    pub requests: u64,
    pub writes: u64,
    /// Requests without the answer that they should have; also of the part before.
    pub errors: u64,
    /// Answers that are not true; also of the part before.
    pub wrong: u64,
    pub rate_per_s: f64,
    /// Of `GET /v1/dashboard`, from the moment when it was due.
    pub latency_ms: Option<Quantiles>,
    /// Of each person's first one, with its connection; `--cold` alone measures them.
    pub first_latency_ms: Option<Quantiles>,
    pub write_latency_ms: Option<Quantiles>,
    pub hit_ratio: HitRatio,
    pub computations: Option<u64>,
    pub upstream_calls: Option<u64>,
    /// From the observation of a price to who watches what it is worth.
    pub tick_to_watcher_ms: Option<Quantiles>,
    /// How often somebody who watches was told of new prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_of_ticks: Option<u64>,
    /// Processor time of the nodes in the measured part.
    pub server_cpu_seconds: Option<f64>,
    /// With `--veteran`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub veteran: Option<Seen>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// What went wrong, in words, and how often; for the summary, and beside the JSON object on standard error.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Of lookups that a cache answered, of 1.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct HitRatio {
    /// Of whole answers, as they were sent.
    pub page: Option<f64>,
    pub memory: Option<f64>,
    pub redis: Option<f64>,
}

/// Dashboards against constant bytes: GETs a second of the server's own processor time, which is what a core can do.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Compared {
    pub dashboard_rate_per_s: f64,
    pub constant_rate_per_s: f64,
    pub ratio: f64,
}

impl Report {
    /// Of the counters of a run.
    pub fn of(people: usize, seconds: f64, figures: &Figures, counts: &Counts) -> Self {
        let notes = figures.words.iter().map(|(words, times)| format!("{times} x {words}"));
        Self {
            scenario: "dashboard",
            people,
            seconds: rounded(seconds),
            requests: figures.requests,
            writes: figures.writes,
            errors: figures.errors,
            wrong: figures.wrong,
            rate_per_s: rounded(figures.requests as f64 / seconds.max(1e-9)),
            latency_ms: figures.looks.quantiles(),
            first_latency_ms: figures.firsts.quantiles(),
            write_latency_ms: figures.write_latency.quantiles(),
            hit_ratio: counts.hits,
            computations: counts.computations,
            upstream_calls: counts.upstream_calls,
            tick_to_watcher_ms: None,
            told_of_ticks: None,
            server_cpu_seconds: None,
            veteran: None,
            compared: None,
            notes: notes.collect(),
        }
    }

    /// Whether every request was answered, and truly.
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.wrong == 0 && self.requests > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "  {name:<23}{value}");
        line("people", self.people.to_string())?;
        line("measured", format!("{:.1} s", self.seconds))?;
        line("requests", format!("{}, {} of them writes", self.requests, self.writes))?;
        line("rate", format!("{:.0}/s", self.rate_per_s))?;
        let quantiles = |Quantiles { p50, p95, p99, max }| {
            format!("p50 {p50:.2}  p95 {p95:.2}  p99 {p99:.2}  max {max:.2} ms")
        };
        let seen = self.veteran.as_ref();
        for (name, times) in [
            ("latency", self.latency_ms),
            ("  of first looks", self.first_latency_ms),
            ("  of writes", self.write_latency_ms),
            ("tick to watcher", self.tick_to_watcher_ms),
            ("the veteran's looks", seen.and_then(|seen| seen.latency_ms)),
            ("the veteran's writes", seen.and_then(|seen| seen.write_latency_ms)),
            ("alive meanwhile", seen.and_then(|seen| seen.live_ms)),
        ] {
            if let Some(times) = times {
                line(name, quantiles(times))?;
            }
        }
        if let Some(first) = seen.and_then(|seen| seen.first_ms) {
            line("the veteran's first", format!("{first:.2} ms"))?;
        }
        let of_100 = |share: f64| format!("{:.1} %", share * 100.0);
        for (name, value) in [
            ("hits of whole answers", self.hit_ratio.page.map(of_100)),
            ("hits in memory", self.hit_ratio.memory.map(of_100)),
            ("hits in Redis", self.hit_ratio.redis.map(of_100)),
            ("computations", self.computations.map(|n| n.to_string())),
            ("upstream calls", self.upstream_calls.map(|n| n.to_string())),
            ("new prices told", self.told_of_ticks.map(|n| n.to_string())),
            ("server CPU", self.server_cpu_seconds.map(|s| format!("{s:.2} s"))),
        ] {
            if let Some(value) = value {
                line(name, value)?;
            }
        }
        if let Some(Compared { dashboard_rate_per_s, constant_rate_per_s, ratio }) = self.compared {
            line("a core's dashboards", format!("{dashboard_rate_per_s:.0}/s"))?;
            line("a core's constants", format!("{constant_rate_per_s:.0}/s"))?;
            line("  ratio", format!("{ratio:.3}"))?;
        }
        for note in &self.notes {
            line("note", note.clone())?;
        }
        match (self.is_clean(), self.requests) {
            (true, _) => line("verdict", "every answer came and was right".into()),
            (_, 0) => line("verdict", "NOTHING was measured".into()),
            _ => line("verdict", format!("{} ERRORS, {} WRONG", self.errors, self.wrong)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_object_has_the_agreed_names_and_null_for_what_is_not_told() {
        let mut figures = Figures::default();
        figures.answered(false, 2_000_000, true);
        let report = Report::of(10, 2.0, &figures, &Counts::default());
        let json = serde_json::to_value(&report).unwrap();
        for name in [
            "requests",
            "errors",
            "wrong",
            "rate_per_s",
            "latency_ms",
            "hit_ratio",
            "computations",
            "upstream_calls",
            "tick_to_watcher_ms",
        ] {
            assert!(json.get(name).is_some(), "{name} in {json}");
        }
        assert!(json["computations"].is_null() && json["hit_ratio"]["redis"].is_null());
        assert_eq!((json["latency_ms"]["p95"].as_f64(), json.get("ratio")), (Some(2.0), None));
        let compared = Compared { dashboard_rate_per_s: 1.0, constant_rate_per_s: 2.0, ratio: 0.5 };
        let json = serde_json::to_value(Report { compared: Some(compared), ..report }).unwrap();
        assert_eq!((&json["constant_rate_per_s"], &json["ratio"]), (&2.0.into(), &0.5.into()));
    }

    #[test]
    fn one_error_or_one_lie_and_silence_are_no_clean_run() {
        let mut figures = Figures::default();
        let clean = |figures: &Figures| Report::of(1, 1.0, figures, &Counts::default()).is_clean();
        assert!(!clean(&figures));
        figures.answered(false, 1, false);
        assert!(clean(&figures));
        let (mut one, mut other) = (figures.clone(), figures);
        one.error("status 500".into());
        other.wrong("the value of a holding".into());
        assert!(!clean(&one) && !clean(&other));
        let said = Report::of(1, 1.0, &other, &Counts::default()).to_string();
        assert!(said.contains("1 x wrong: the value of a holding"), "{said}");
    }
}
