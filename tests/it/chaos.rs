//! The checker at work: parts of a cluster die under traffic, every promise holds; and what does not happen is noticed.

use std::process::{Command, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_fanfare");

/// Three nodes, their servers, their clients and the other tests share this machine, and nothing is optimised. It is time
/// that is allowed, no loss.
const SLACK: &str = "2";

/// Runs `load chaos` to its end: whether it was content, its JSON object and what it said beside it.
fn chaos(arguments: &[&str]) -> (bool, Value, String) {
    let ran = Command::new(BINARY)
        .args(["load", "chaos", "--spawn", "--json", "--slack", SLACK])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be started");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let report = serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (ran.status.success(), report, said)
}

#[test]
fn a_minute_of_six_faults_loses_nothing() {
    let (clean, report, said) = chaos(&["--nodes", "3", "--seed", "3", "--seconds", "60"]);
    assert!(clean, "{said}\n{report:#}");
    let faults = report["faults"].as_array().expect("faults");
    assert!(faults.len() >= 4, "{said}\n{report:#}");
    assert!(faults.iter().all(|fault| fault["took_effect"] == true), "{faults:?}");
    for nothing in ["unrecovered", "stuck", "terminal_closes", "lost", "duplicated", "reordered"] {
        assert_eq!(report[nothing], 0, "{nothing}: {said}");
    }
    assert!(report["acknowledged"].as_u64() >= Some(5_000), "{report:#}");
    assert!(report["acked_share"].as_f64() >= Some(0.95), "{report:#}");
}

#[test]
fn a_fault_whose_action_is_nothing_fails_the_run() {
    let arguments = ["--nodes", "1", "--seed", "1", "--seconds", "14", "--faults", "nothing"];
    let (clean, report, said) = chaos(&arguments);
    assert!(!clean, "{report:#}");
    let broken = report["broken"].as_array().expect("what was broken");
    assert!(broken.iter().any(|rule| rule["invariant"] == "I12"), "{broken:?}");
    assert!(said.contains("I12 BROKEN") && said.contains("nothing of "), "{said}");
    assert_eq!(report["faults"][0]["took_effect"], false);
}
