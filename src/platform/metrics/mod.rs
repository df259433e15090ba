//! What the node counts: one table of all metrics, whose help text is their documentation.
//!
//! Every label has a closed set of values, known at start: no id is a label, and no stranger can make a series.
//! A counter is one atomic that all workers share: whoever counts many at once adds once (`inc_by`).

mod family;
pub mod lag;
mod table;

pub use family::Family;
pub use table::{Labels, Metrics, ROWS, Row, Shape};

use prometheus::{Encoder, TextEncoder};

impl Metrics {
    /// All metrics in the text format of Prometheus.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// `docs/METRICS.md`: the table for people.
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n<!-- Written from src/platform/metrics/table.rs; FANFARE_WRITE_DOCS=1 cargo test writes it anew. -->\n\n\
         `GET /metrics` on the operator port answers in the text format of Prometheus. Every label has a closed set of\n\
         values: no id is a label, and no client can make a series.\n\n\
         | name | kind | label | what it says |\n|---|---|---|---|\n",
    );
    for row in ROWS {
        let (kind, label) = row.shape.words();
        page += &format!("| `fanfare_{}` | {kind} | {label} | {} |\n", row.name, row.help);
    }
    page += "| `fanfare_http_requests_total` | counter | endpoint, method, status | HTTP requests to known routes; 404 and 405 are left out. |\n\
             | `fanfare_http_requests_duration_seconds` | histogram | endpoint, method, status | How long they took. |\n\
             | `process_*` | | | The process: CPU seconds, resident and virtual memory, open files, threads, start time (Linux). |\n";
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&Labels { refusals: vec![100, 109], closes: vec![3000], workers: 2 }).unwrap()
    }

    #[test]
    fn what_is_counted_is_seen_from_outside() {
        let metrics = metrics();
        metrics.connections.set(3);
        metrics.messages_out_total.inc_by(7);
        metrics.refused_total.code(109).inc();
        metrics.event_loop_lag_seconds.code(1).observe(0.5);
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            "fanfare_connections 3",
            "fanfare_messages_out_total 7",
            "fanfare_refused_total{code=\"109\"} 1",
            "fanfare_event_loop_lag_seconds_count{worker=\"1\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        #[cfg(target_os = "linux")]
        assert!(text.contains("process_cpu_seconds_total"));
    }

    #[test]
    fn a_code_that_is_not_ours_makes_no_series() {
        let metrics = metrics();
        let before = metrics.text().unwrap().iter().filter(|b| **b == b'\n').count();
        for code in 0..5000 {
            metrics.closed_total.code(code).inc();
        }
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        assert_eq!(text.lines().count(), before);
        assert!(text.contains("fanfare_closed_total{code=\"other\"} 4999"), "{text}");
        assert!(text.contains("fanfare_closed_total{code=\"3000\"} 1"));
    }

    #[test]
    fn latencies_are_told_apart_below_50_ms() {
        let latency =
            |row: &&Row| row.name.ends_with("_seconds") && !row.name.ends_with("_age_seconds");
        for row in ROWS.iter().filter(latency) {
            let buckets = row.shape.buckets();
            assert!(buckets.iter().filter(|le| **le <= 0.05).count() >= 10, "{}", row.name);
        }
    }

    #[test]
    fn the_page_of_metrics_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        if std::env::var_os("FANFARE_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/METRICS.md is stale: run FANFARE_WRITE_DOCS=1 cargo test");
    }
}
