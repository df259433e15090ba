//! Open dashboards while something about them goes wrong: what their people are told, and how often.
//!
//! Needs the feature `failpoints`; `make test` turns it on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    metrics::series,
    panics::{arm, hits},
    prices::ask,
    support::{Client, Cluster, DEADLINE, Node, until},
};

/// Behind the reading of what is told, before it is told.
const READ: &str = "screens.read";

fn node() -> Node {
    Node::with(&[("PRICES__PROVIDER", "none")])
}

/// Founds a portfolio, which changes what holdings show.
fn founds(node: &Node, user: &str, name: &str) {
    let made = ask(node, user, "POST /v1/portfolios", &json!({ "name": name }));
    assert!(made["id"].is_string(), "{made}");
}

/// The portfolios of the next message about holdings.
fn told(screen: &mut Client) -> usize {
    loop {
        let part: Value = screen.push()["pub"]["data"].take();
        if part["type"] == "holdings" {
            return part["portfolios"].as_array().map_or(0, Vec::len);
        }
    }
}

#[test]
fn nothing_is_computed_for_who_does_not_watch() {
    let node = node();
    // Each reading is counted.
    arm(&node, &format!("{READ}=pause(1)"));
    let mut screen = Client::connect(&node, "ana");
    screen.subscribe("dashboard:#ana");
    assert_eq!(told(&mut screen), 0);
    let before = hits(&node, READ);
    for name in ["one", "two", "three"] {
        founds(&node, "bo", name);
    }
    founds(&node, "ana", "one");
    assert_eq!(told(&mut screen), 1);
    assert_eq!(hits(&node, READ), before + 1, "bo changed three times");
}

#[test]
fn what_is_written_at_one_node_is_told_by_all_that_are_watched_at() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } =
        Cluster::with(2, &[("PRICES__PROVIDER", "none")]);
    let mut screens: Vec<Client> = nodes.iter().map(|node| Client::connect(node, "ana")).collect();
    for screen in &mut screens {
        screen.subscribe("dashboard:#ana");
        assert_eq!(told(screen), 0);
    }
    for (n, node) in nodes.iter().enumerate() {
        founds(node, "ana", &format!("the {n}th"));
        for screen in &mut screens {
            assert_eq!(told(screen), n + 1, "written at the {n}th node");
        }
    }
}

#[test]
fn a_part_that_was_read_slowly_is_followed_by_the_next_a_second_later() {
    let node = node();
    arm(&node, &format!("{READ}=pause(900)*1"));
    let mut screen = Client::connect(&node, "ana");
    screen.subscribe("dashboard:#ana");
    until("it is read", DEADLINE, || (hits(&node, READ) == 1).then_some(()));
    founds(&node, "ana", "one");
    assert_eq!(told(&mut screen), 0, "it was read before");
    let first = Instant::now();
    assert_eq!(told(&mut screen), 1);
    // As they come here: the first one may have been under way for some milliseconds.
    assert!(first.elapsed() > Duration::from_millis(900), "after {:?}", first.elapsed());
}

#[test]
fn a_dashboard_that_panics_is_tried_again_and_all_others_are_told() {
    let node = node();
    let mut bo = Client::connect(&node, "bo");
    bo.subscribe("dashboard:#bo");
    assert_eq!(told(&mut bo), 0);
    arm(&node, &format!("{READ}=panic*2"));
    let mut ana = Client::connect(&node, "ana");
    ana.subscribe("dashboard:#ana");
    until("it panicked", DEADLINE, || (hits(&node, READ) >= 1).then_some(()));
    assert_eq!(told(&mut ana), 0, "the third time");
    founds(&node, "bo", "one");
    assert_eq!(told(&mut bo), 1);
    assert_eq!(node.log().matches("dashboard shows could not be computed").count(), 1, "said once");
    assert_eq!(series(&node, "fanfare_restarts_total{actor=\"screens\"}").unwrap_or(0.0), 0.0);
}
