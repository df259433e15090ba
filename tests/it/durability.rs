//! Acknowledged means on the disk: kill -9 can't show that, since the kernel keeps what was written.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::support::{Client, Node};

const PUBLISHES: usize = 20;

#[test]
pub fn each_acknowledgement_waits_for_the_disk() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.publish("room", json!("the room is awake"));

    let log = std::env::temp_dir().join(format!("fanfare-strace-{}", node.pid()));
    let mut tracer = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-p", &node.pid().to_string(), "-o"])
        .arg(&log)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    let mut said = BufReader::new(tracer.stderr.take().expect("its errors")).lines();
    let attached = said.next().expect("a line").expect("text");
    assert!(attached.contains("attached"), "{attached}");

    // One after the other: no two of them can share a commit.
    for n in 0..PUBLISHES {
        client.publish("room", json!(n));
    }

    kill(Pid::from_raw(tracer.id() as i32), Signal::SIGINT).expect("strace is there");
    tracer.wait().expect("strace ends");
    let calls = fs::read_to_string(&log).expect("its log");
    drop(fs::remove_file(&log));
    let synced =
        calls.lines().filter(|line| line.contains("sync(") && line.ends_with("= 0")).count();
    assert!(
        synced >= PUBLISHES,
        "{PUBLISHES} acknowledgements, {synced} times to the disk:\n{calls}"
    );
}
