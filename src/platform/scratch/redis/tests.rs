//! Each kind of server does what its name says, and nothing is left of it.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::*;
use crate::platform::scratch::leash::program;

/// How long anything may take before a test gives up.
const SOON: Duration = Duration::from_secs(20);

#[track_caller]
fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !reached() {
        assert!(Instant::now() < deadline, "it did not happen");
        std::thread::yield_now();
    }
}

fn cli(url: &str, more: &[&str]) -> String {
    let program = program("redis-cli", "redis-tools").unwrap();
    let ran = Command::new(program).args(["-u", url, "-e"]).args(more).output().unwrap();
    String::from_utf8_lossy(if ran.status.success() { &ran.stdout } else { &ran.stderr })
        .into_owned()
}

#[test]
fn a_server_comes_back_on_its_port_empty_and_goes_with_its_folder() {
    let mut redis = Redis::start(&[]).unwrap();
    let (port, first) = (redis.port(), redis.pid().unwrap());
    redis.ask(&["SET", "key", "value"]).unwrap();
    assert_eq!(redis.ask(&["GET", "key"]).unwrap(), ["value"]);
    redis.kill().unwrap();
    assert!(redis.ask(&["PING"]).is_err(), "it is gone");
    redis.restart().unwrap();
    assert_eq!(redis.port(), port);
    assert_ne!(redis.pid().unwrap(), first);
    assert_eq!(redis.ask(&["GET", "key"]).unwrap(), [""]);
    let folder = redis.folder().to_owned();
    drop(redis);
    assert!(!folder.exists());
    assert!(super::words::ask(port, &["PING"]).is_err(), "it is gone");
}

#[test]
fn a_server_that_was_told_to_keeps_its_data() {
    let mut redis = Redis::start(&["appendonly yes", "appendfsync always"]).unwrap();
    redis.ask(&["SET", "key", "value"]).unwrap();
    redis.kill().unwrap();
    redis.restart().unwrap();
    assert_eq!(redis.ask(&["GET", "key"]).unwrap(), ["value"]);
}

#[test]
fn a_paused_server_answers_when_it_goes_on() {
    let redis = Redis::start(&[]).unwrap();
    redis.pause().unwrap();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| redis.ask(&["PING"]));
        let state = format!("/proc/{}/status", redis.pid().unwrap());
        until(|| std::fs::read_to_string(&state).unwrap().contains("State:\tT"));
        assert!(!asked.is_finished());
        redis.resume().unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), ["PONG"]);
    });
    redis.pause().unwrap();
    drop(redis);
}

#[test]
fn users_and_tls_are_asked_for() {
    let settings = ["user default off", "user ana on >hunter2 ~* &* +@all"];
    let redis = Redis::with_tls(&settings).unwrap();
    let (url, certificate) = redis.tls().unwrap();
    let trusting = ["--cacert", certificate.authority.to_str().unwrap(), "PING"];
    let as_ana = url.replace("//", "//ana:hunter2@");
    assert_eq!(cli(&as_ana, &trusting).trim(), "PONG");
    assert!(cli(&as_ana, &["PING"]).contains("certificate verify failed"));
    assert!(cli(&as_ana.replace("hunter2", "x"), &trusting).contains("WRONGPASS"));
    assert!(redis.ask(&["PING"]).unwrap_err().to_string().contains("NOAUTH"));
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let why = Redis::start(&["no-such-setting 1"]).unwrap_err().to_string();
    assert!(why.contains("no-such-setting"), "{why}");
}

#[test]
fn the_replica_takes_the_place_of_a_master_that_died() {
    let mut set = Sentinels::start(&[]).unwrap();
    let old = set.master().unwrap();
    let [master, replica] = set.servers();
    assert_eq!(old, master.port());
    master.ask(&["SET", "key", "value"]).unwrap();
    replica.until(SOON, &["GET", "key"], |answer| answer == ["value"]).unwrap();
    master.kill().unwrap();
    let new = set.promoted(old).unwrap();
    assert_ne!(new, old);
    assert_eq!(set.servers()[1].ask(&["SET", "key", "new"]).unwrap(), ["OK"]);
}

#[test]
fn a_cluster_serves_every_slot_and_tells_who_has_it() {
    let mut cluster = Cluster::start(&[]).unwrap();
    let [first, ..] = cluster.nodes() else { panic!("three masters") };
    let slots = first.ask(&["CLUSTER", "SLOTS"]).unwrap();
    assert!(["0", "16383"].iter().all(|slot| slots.iter().any(|s| s == slot)), "{slots:?}");
    let answers: Vec<_> =
        cluster.nodes().iter().map(|node| node.ask(&["SET", "key", "value"])).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let other = answers.iter().find_map(|answer| answer.as_ref().err()).unwrap().to_string();
    assert!(other.starts_with("MOVED 12539 "), "{other}");
}

/// Set in the process that owns a server in the test below.
const OWNER: &str = "FANFARE_TEST_OWNS_A_SERVER";

#[test]
fn a_server_goes_when_its_owner_is_killed() {
    if std::env::var_os(OWNER).is_some() {
        let redis = Redis::start(&[]).unwrap();
        writeln!(std::io::stderr(), "{} {}", redis.port(), redis.folder().display()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let name = "platform::scratch::redis::tests::a_server_goes_when_its_owner_is_killed";
    let mut owner = Command::new(std::env::current_exe().unwrap());
    owner.args(["--exact", name, "--nocapture"]).env(OWNER, "").stdin(Stdio::null());
    let mut owner = owner.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(owner.stderr.take().unwrap()).lines();
    let line = said.find_map(|line| Some(line.unwrap()).filter(|l| l.contains("fanfare-redis")));
    let line = line.expect("its server stands");
    let (port, folder) = line.split_once(' ').unwrap();
    let asks = || super::words::ask(port.parse().unwrap(), &["PING"]).is_ok();
    let stood = asks();
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(stood);
    until(|| !asks() && !std::path::Path::new(folder).exists());
}
