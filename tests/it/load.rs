//! `fanfare load` with nodes, PostgreSQL, Redis and NGINX of its own: what it reports of a cluster.

use std::process::Command;

use serde_json::Value;

use crate::support::run;

/// Runs it with so many files for each process; the exit code, and the object that it prints.
fn load(files: u32, line: &str) -> (Option<i32>, Value) {
    let mut command = Command::new("sh");
    let limited = format!("ulimit -n {files}; exec \"$0\" load --json \"$@\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_fanfare")]).args(line.split_whitespace());
    let (code, out, err) = run(command);
    let report = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    (code, report)
}

#[test]
fn all_clients_of_a_killed_node_come_back_and_miss_nothing() {
    let (code, report) = load(4096, "failover --connections 120 --room-size 12 --rate 40");
    assert_eq!((code, &report["lost"]), (Some(0), &0.into()), "{report}");
    assert!(report["delivered"].as_u64() > Some(0), "{report}");
    assert!(report["seconds"].as_f64() < Some(30.0), "{report}");
    let nodes = report["server"]["nodes"].as_array().map(Vec::len);
    assert_eq!(nodes, Some(3), "{report}");
}

#[test]
fn a_crowd_of_several_processes_is_measured_and_spoken_to() {
    let (code, report) = load(1600, "idle --nodes 2 --connections 2400 --seconds 1");
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["delivered"], &report["lost"]), (&3.into(), &0.into()), "{report}");
    let memory = report["server"]["rss_bytes_per_connection"].as_u64();
    assert!(memory > Some(500) && memory < Some(50_000), "{report}");
}
