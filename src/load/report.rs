//! What a run found: one JSON object for machines, a summary for people.

use std::fmt;

use serde::Serialize;

use super::{checker::Verdict, histogram::Quantiles};

/// The result of a run. Fields that the run can't know are left out of the JSON.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    /// All connections of the run, publishers included.
    pub connections: usize,
    /// The measured part alone; `storm`: from the drop to the last recovery.
    pub seconds: f64,
    pub sent: u64,
    pub acknowledged: u64,
    pub delivered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    /// Acknowledgements in `publish`, deliveries elsewhere, in the measured part.
    pub rate_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_ms: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What a bare loop of writes costs, in the same run, read by the same code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_write_us_per_delivery: Option<f64>,
    /// The server's processor time a delivery over that of the bare loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// What a delivery cost the tool itself, for the summary: it shares the machine with the server.
    #[serde(skip)]
    pub client_cpu_us_per_delivery: Option<f64>,
    /// What went on beside the plan, for the summary.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// What the run cost the server's process.
#[derive(Clone, Default, PartialEq, Debug, Serialize)]
pub struct Server {
    /// Growth of its resident memory from before the first connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_per_connection: Option<u64>,
    /// The same after the burst of `idle` and a rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_after_burst_per_connection: Option<u64>,
    /// User and system time from the first publish to the last delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us_per_delivery: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Of several nodes each; the figures above are of all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
}

/// What the run cost one of several nodes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Node {
    pub cpu_seconds: f64,
}

impl Server {
    /// What the processes took between two readings; none if there are none.
    pub fn of(before: &[f64], after: &[f64], delivered: u64) -> Option<Self> {
        let cpu: Vec<f64> =
            before.iter().zip(after).map(|(before, after)| after - before).collect();
        let all: f64 = cpu.iter().sum();
        let nodes = cpu.iter().map(|cpu| Node { cpu_seconds: rounded(*cpu) });
        (!cpu.is_empty()).then(|| Self {
            cpu_seconds: Some(rounded(all)),
            cpu_us_per_delivery: (delivered > 0).then(|| rounded(all * 1e6 / delivered as f64)),
            nodes: if cpu.len() > 1 { nodes.collect() } else { Vec::new() },
            ..Self::default()
        })
    }
}

impl Report {
    /// The verdict in it.
    pub fn verdict(&self) -> Verdict {
        Verdict {
            delivered: self.delivered,
            lost: self.lost,
            duplicated: self.duplicated,
            reordered: self.reordered,
        }
    }
}

/// To three decimals: what lies below is noise.
pub fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: String| {
            writeln!(f, "  {name:<22}{value}")
        };
        writeln!(f, "{}", self.scenario)?;
        line(f, "connections", grouped(self.connections as u64))?;
        line(f, "measured", format!("{:.3} s", self.seconds))?;
        line(
            f,
            "sent, acknowledged",
            format!("{}, {}", grouped(self.sent), grouped(self.acknowledged)),
        )?;
        line(f, "delivered", grouped(self.delivered))?;
        line(f, "rate", format!("{}/s", grouped(self.rate_per_s as u64)))?;
        for (name, quantiles) in [("latency", self.latency_ms), ("acknowledged after", self.ack_ms)]
        {
            if let Some(Quantiles { p50, p95, p99, max }) = quantiles {
                line(
                    f,
                    name,
                    format!("p50 {p50:.2}  p95 {p95:.2}  p99 {p99:.2}  max {max:.2} ms"),
                )?;
            }
        }
        if let Some(server) = &self.server {
            let figures = [
                ("memory a connection", server.rss_bytes_per_connection.map(kib)),
                ("  after the burst", server.rss_bytes_after_burst_per_connection.map(kib)),
                ("server CPU", server.cpu_seconds.map(|s| format!("{s:.2} s"))),
                ("  a delivery", server.cpu_us_per_delivery.map(|us| format!("{us:.2} us"))),
            ];
            for (name, value) in figures {
                if let Some(value) = value {
                    line(f, name, value)?;
                }
            }
        }
        for (number, node) in self.server.iter().flat_map(|server| &server.nodes).enumerate() {
            line(f, &format!("  node {}", number + 1), format!("{:.2} s", node.cpu_seconds))?;
        }
        if let Some(us) = self.bare_write_us_per_delivery {
            line(f, "  a bare write", format!("{us:.2} us"))?;
        }
        if let Some(ratio) = self.ratio {
            line(f, "  ratio", format!("{ratio:.3}"))?;
        }
        if let Some(us) = self.client_cpu_us_per_delivery {
            line(f, "the tool's own CPU", format!("{us:.2} us a delivery"))?;
        }
        for note in &self.notes {
            line(f, "note", note.clone())?;
        }
        match self.verdict().is_clean() {
            true => line(f, "verdict", "nothing lost, doubled or out of order".into()),
            false => line(
                f,
                "verdict",
                format!(
                    "BROKEN: {} lost, {} duplicated, {} reordered",
                    self.lost, self.duplicated, self.reordered
                ),
            ),
        }
    }
}

fn kib(bytes: u64) -> String {
    format!("{:.2} KiB", bytes as f64 / 1024.0)
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            scenario: "fanout",
            connections: 10_000,
            seconds: 20.0,
            sent: 100,
            acknowledged: 100,
            delivered: 1_000_000,
            lost: 0,
            duplicated: 0,
            reordered: 0,
            rate_per_s: 50_000.0,
            latency_ms: Some(Quantiles { p50: 1.0, p95: 2.0, p99: 3.0, max: 4.0 }),
            ack_ms: None,
            server: Some(Server { cpu_us_per_delivery: Some(7.5), ..Server::default() }),
            bare_write_us_per_delivery: Some(7.0),
            ratio: Some(1.071),
            client_cpu_us_per_delivery: Some(3.5),
            notes: vec!["closed with 3008 slow: 2".into()],
        }
    }

    #[test]
    fn the_json_object_has_the_agreed_names_and_leaves_out_what_is_unknown() {
        let json = serde_json::to_value(report()).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let agreed = [
            "scenario",
            "connections",
            "seconds",
            "sent",
            "acknowledged",
            "delivered",
            "lost",
            "duplicated",
            "reordered",
            "rate_per_s",
            "latency_ms",
            "server",
            "bare_write_us_per_delivery",
            "ratio",
        ];
        assert_eq!(names.len(), agreed.len());
        assert!(agreed.iter().all(|name| names.contains(name)), "{names:?}");
        assert_eq!(json["latency_ms"]["p95"], 2.0);
        assert_eq!(json["server"], serde_json::json!({"cpu_us_per_delivery": 7.5}));
    }

    #[test]
    fn the_summary_says_what_was_measured_and_the_verdict() {
        let summary = report().to_string();
        for words in [
            "10,000",
            "1,000,000",
            "50,000/s",
            "p95 2.00",
            "7.50 us",
            "1.071",
            "3008",
            "nothing lost",
        ] {
            assert!(summary.contains(words), "{words} in {summary}");
        }
        let broken = Report { lost: 3, ..report() };
        assert!(broken.to_string().contains("BROKEN: 3 lost"));
        assert!(!broken.verdict().is_clean());
    }
}
