//! Whole scenarios against a fake server, that keeps its promises or breaks one.

use std::{
    io::{self, BufRead, BufReader},
    thread,
    time::Duration,
};

use clap::Parser;

use super::*;
use crate::load::{
    Args, bare,
    checker::Verdict,
    clock::Clock,
    fake::{API_KEY, FakeServer, Fault, SECRET},
    measure,
    process::Process,
    servers::Servers,
    swarm::Swarm,
    target::{Access, Target},
};

pub fn conditions(line: &str) -> Conditions {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let words = std::iter::once("load").chain(line.split_whitespace());
    let patience = Duration::from_secs(1);
    Conditions { patience, ..Conditions::of(&Line::try_parse_from(words).unwrap().args) }
}

fn target(server: &FakeServer, secret: &str, api_key: &str, personal: bool) -> Target {
    let url = server.url();
    let encoding = crate::protocol::Encoding::Json;
    let access =
        Access { url: &url, secret, api_key, namespace: "", encoding, personal, run: "test" };
    Target::new(&access).unwrap()
}

fn attempt(line: &str, fault: Fault) -> Result<Report, Failure> {
    let (server, conditions) = (FakeServer::start(fault), conditions(line));
    let personal = conditions.scenario == Scenario::Devices;
    measure(
        conditions,
        target(&server, SECRET, API_KEY, personal),
        Servers::new(&[Process { pid: std::process::id() }]).unwrap(),
        None,
    )
    .0
}

fn load(line: &str, fault: Fault) -> Report {
    attempt(line, fault).unwrap()
}

/// `rooms` against servers of each fault, side by side.
fn at_once<const N: usize>(faults: [Fault; N]) -> [Report; N] {
    faults.map(|fault| thread::spawn(move || load(ROOMS, fault))).map(|run| run.join().unwrap())
}

const ROOMS: &str = "rooms --connections 6 --room-size 3 --rate 100 --seconds 1";

#[test]
fn rooms_hear_everything_once_and_in_order() {
    let report = load(ROOMS, Fault::None);
    assert!(report.verdict().is_clean(), "{report}");
    assert!((10..=100).contains(&report.sent), "the rate is not exceeded: {report}");
    assert_eq!((report.acknowledged, report.delivered), (report.sent, report.sent * 3));
    assert!(report.rate_per_s > 0.0 && report.latency_ms.is_some() && report.ack_ms.is_some());
    assert!(report.server.unwrap().cpu_us_per_delivery.is_some());
    assert_eq!(report.notes, [""; 0]);
}

#[test]
fn a_server_that_breaks_its_promise_is_found_out() {
    let table = [
        (Fault::Lose, 2, 0, 0),
        (Fault::Double, 0, 2, 0),
        (Fault::Swap, 0, 0, 2),
        (Fault::Alter, 2, 0, 0),
    ];
    let reports = at_once(table.map(|(fault, ..)| fault));
    for ((fault, lost, duplicated, reordered), report) in table.into_iter().zip(reports) {
        let found = Verdict { delivered: report.delivered, lost, duplicated, reordered };
        assert_eq!(report.verdict(), found, "{fault:?} {report}");
    }
}

#[test]
fn messages_that_come_in_fragments_are_put_together() {
    assert!(
        load(
            "rooms --connections 4 --room-size 2 --rate 50 --seconds 1 --payload 60",
            Fault::Fragment
        )
        .verdict()
        .is_clean()
    );
}

#[test]
fn who_is_cut_as_slow_comes_back_and_recovers() {
    let report = load(ROOMS, Fault::CutSlow);
    assert!(report.verdict().is_clean(), "{report}");
    assert!(report.notes.iter().any(|note| note.contains("3008 slow")), "{report}");
}

#[test]
fn a_subscription_that_the_server_ends_or_puts_off_is_asked_for_again_on_the_same_connection() {
    let reports = at_once([Fault::Unsubscribe, Fault::SubscribeLater]);
    let notes = ["2 x unsubscribed with 2500", "6 x subscribe refused: 111 too many requests"];
    for (report, note) in reports.into_iter().zip(notes) {
        assert!(report.verdict().is_clean(), "{report}");
        assert_eq!(report.notes, [note]);
    }
}

#[test]
fn publish_counts_acknowledgements() {
    let report = load("publish --publishers 3 --window 2 --seconds 1", Fault::None);
    assert!(report.verdict().is_clean(), "{report}");
    assert_eq!(report.connections, 6);
    assert_eq!(report.acknowledged, report.delivered);
    assert!(report.rate_per_s > 10.0);
}

#[test]
fn a_storm_is_over_when_everybody_has_what_they_missed() {
    let line = "storm --connections 9 --room-size 3 --missed 4 --publishers 2";
    let report = load(line, Fault::None);
    assert!(report.verdict().is_clean(), "{report}");
    assert_eq!((report.sent, report.delivered), (15, 45));
    assert!(report.notes.is_empty(), "{report}");
    let broken = load(line, Fault::Forget);
    assert_eq!(broken.lost, 36, "{broken}");
}

#[test]
fn devices_of_a_user_all_hear_what_the_server_api_says() {
    let report =
        load("devices --users 3 --devices 4 --rate 60 --seconds 1 --publishers 2", Fault::None);
    assert!(report.verdict().is_clean(), "{report}");
    assert!((5..=60).contains(&report.sent) && report.delivered == report.sent * 4, "{report}");
}

#[test]
fn idle_bursts_and_measures_memory_before_and_after() {
    let report = load("idle --connections 4 --room-size 2 --payload 300 --seconds 1", Fault::None);
    assert!(report.verdict().is_clean(), "{report}");
    assert_eq!((report.sent, report.delivered), (404, 808));
    let server = report.server.unwrap();
    assert!(server.rss_bytes_per_connection.is_some());
    assert!(server.rss_bytes_after_burst_per_connection.is_some());
}

#[test]
fn fanout_and_the_bare_loop_are_read_by_the_same_code() {
    let server = FakeServer::start(Fault::None);
    let conditions = conditions("fanout --connections 5 --seconds 1");
    let clock = Clock::start();
    let swarm =
        Swarm::new(target(&server, SECRET, "", false).into(), Manner::Client, clock, 8).unwrap();
    let mut run = Run::new(conditions, swarm, 1, clock, Servers::default());
    let (report, _) = fanout::run_server(&mut run).unwrap();
    assert!(report.verdict().is_clean() && report.delivered == report.sent * 5, "{report}");

    let (input, mut give) = io::pipe().unwrap();
    let (take, output) = io::pipe().unwrap();
    thread::spawn(move || bare::serve(5, input, output));
    let mut address = String::new();
    BufReader::new(take).read_line(&mut address).unwrap();
    let this = Process { pid: std::process::id() };
    let (us, kept) =
        fanout::run_bare(&run, address.trim().parse().unwrap(), this, &mut give).unwrap();
    assert!(us > 0.0 && kept);
}

#[test]
fn pings_are_answered() {
    let server = FakeServer::start(Fault::None);
    let conditions = conditions(ROOMS);
    measure(conditions, target(&server, SECRET, "", false), Servers::default(), None).0.unwrap();
    assert_eq!(server.pongs(), 6);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let report = load(ROOMS, Fault::BusyOnce);
    assert!(report.verdict().is_clean(), "{report}");
    assert_eq!(report.notes, ["1 x 503 busy"]);
}

#[test]
fn a_wrong_secret_and_a_dead_port_are_said_in_words() {
    let server = FakeServer::start(Fault::None);
    let measured =
        |target| measure(conditions(ROOMS), target, Servers::default(), None).0.unwrap_err();
    let wrong = measured(target(&server, "wrong", "", false));
    assert!(wrong.0.contains("3500 invalid token"), "{wrong:?}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = target(&server, SECRET, "", false).at(port);
    let nobody = measured(dead);
    assert!(nobody.0.contains("nobody listens"), "{nobody:?}");
}
