//! `fanfare cluster`: what it prints works, and nothing of it is left after Ctrl-C.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::until;

const BINARY: &str = env!("CARGO_BIN_EXE_fanfare");

/// Three servers and three nodes start and stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fanfare(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// All processes that this one has started, and those that they have.
fn descendants(of: u32) -> BTreeSet<u32> {
    let parents: BTreeMap<u32, u32> = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut all = BTreeSet::from([of]);
    loop {
        let more = parents.iter().filter(|(_, parent)| all.contains(parent)).map(|(pid, _)| *pid);
        let grown: BTreeSet<u32> = all.iter().copied().chain(more).collect();
        if grown.len() == all.len() {
            all.remove(&of);
            return all;
        }
        all = grown;
    }
}

/// The words of a line that is printed to be copied.
fn words<'a>(screen: &'a [String], verb: &str) -> Vec<&'a str> {
    let line = screen.iter().find(|line| line.contains(verb));
    line.unwrap_or_else(|| panic!("no {verb} in {screen:?}")).split_whitespace().collect()
}

#[test]
fn what_is_printed_works_and_ctrl_c_leaves_nothing() {
    let mut cluster = Running(fanfare(&["cluster"]).spawn().expect("it starts"));
    let pid = cluster.0.id();
    let output = cluster.0.stdout.take().expect("its output");
    let lines = BufReader::new(output).lines().map(|line| line.expect("text"));
    let mut screen = Vec::new();
    for line in lines {
        let last = line.contains("Ctrl-C");
        screen.push(line);
        if last {
            break;
        }
    }
    let started = descendants(pid);
    // Nodes, PostgreSQL, Redis and NGINX, each with a shell that ends it.
    assert!(started.len() >= 12, "{screen:?}");

    let secrets: Vec<(&str, &str)> =
        words(&screen, "export")[1..].iter().filter_map(|word| word.split_once('=')).collect();
    let [hear, say] = [" sub ", " pub "].map(|verb| words(&screen, verb));
    let mut listener = fanfare(&["sub", "--count", "1"]);
    let listener = listener.args(&hear[2..]).envs(secrets.iter().copied()).spawn();
    let mut listener = Running(listener.expect("it listens"));
    // It does not say when it is in, so this is said until it is heard.
    until("the last node hears what the first is told", PATIENCE, || {
        let mut publish = fanfare(&["pub", "hello", r#""from the first node""#]);
        let told = publish.args(&say[2..4]).envs(secrets.iter().copied()).status();
        assert!(told.expect("it publishes").success());
        listener.0.try_wait().expect("its status")
    });
    let mut heard = String::new();
    let output = listener.0.stdout.as_mut().expect("its output");
    output.read_to_string(&mut heard).expect("text");
    assert!(heard.contains("from the first node"), "{heard}");

    kill(Pid::from_raw(pid as i32), Signal::SIGINT).expect("it runs");
    let status = until("it ended", PATIENCE, || cluster.0.try_wait().expect("its status"));
    assert_eq!(status.code(), Some(0));
    let gone = |pid: &u32| !fs::exists(format!("/proc/{pid}")).unwrap_or(false);
    until("all that it started is gone", PATIENCE, || started.iter().all(gone).then_some(()));
}
