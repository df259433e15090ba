//! What operators count: each number moves when what it names happens.

use serde_json::json;

use crate::support::{Client, DEADLINE, Node, Socket, request, sign, until};

/// The value of one series, as it is written: `name` or `name{label="value"}`.
pub fn series(node: &Node, name: &str) -> Option<f64> {
    let text = request(node.operator_port, "GET /metrics HTTP/1.1", "").expect("metrics").body;
    let line =
        text.lines().find(|line| line.strip_prefix(name).is_some_and(|l| l.starts_with(' ')));
    line?.rsplit(' ').next()?.parse().ok()
}

#[track_caller]
fn becomes(node: &Node, name: &str, holds: impl Fn(f64) -> bool) {
    until(&format!("{name} shows what happened"), DEADLINE, || {
        series(node, name).filter(|value| holds(*value))
    });
}

#[test]
fn people_rooms_and_messages_are_counted_and_forgotten_when_they_go() {
    let node = Node::start();
    let mut phone = Client::connect(&node, "ana");
    let mut laptop = Client::connect(&node, "ana");
    phone.subscribe("room");
    laptop.subscribe("room");
    phone.publish("room", json!("hello"));
    laptop.push();
    for (name, value) in [
        ("fanfare_connections", 2.0),
        ("fanfare_subscriptions", 2.0),
        ("fanfare_users", 1.0),
        ("fanfare_rooms", 1.0),
        ("fanfare_publish_ack_seconds_count", 1.0),
        ("fanfare_fan_out_seconds_count", 2.0),
        ("fanfare_journal_batch_size_count", 1.0),
    ] {
        becomes(&node, name, |seen| seen == value);
    }
    for name in
        ["fanfare_messages_in_total", "fanfare_messages_out_total", "fanfare_bytes_in_total"]
    {
        becomes(&node, name, |seen| seen > 0.0);
    }
    drop((phone, laptop));
    for name in ["fanfare_connections", "fanfare_subscriptions", "fanfare_users"] {
        becomes(&node, name, |seen| seen == 0.0);
    }
}

#[test]
fn refusals_closes_and_recoveries_are_counted_by_their_code() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    let epoch = client.subscribe("room")["epoch"].clone();
    client.publish("room", json!("missed"));
    client.call(json!({ "publish": { "channel": "closed:room", "data": 1 } }));
    let recover =
        |epoch| json!({ "subscribe": { "channel": "room", "recover": true, "epoch": epoch } });
    Client::connect(&node, "bo").call(recover(epoch));
    Client::connect(&node, "eve").call(recover(json!("other")));
    let mut forger = Client::on(Socket::open(node.port));
    forger.send(json!({ "connect": { "token": format!("{}x", sign(&json!({ "sub": "ana" }))) } }));
    assert!(forger.next_reply().is_err());
    for name in [
        r#"fanfare_refused_total{code="103"}"#,
        r#"fanfare_closed_total{code="3500"}"#,
        r#"fanfare_recovered_total{outcome="whole"}"#,
        r#"fanfare_recovered_total{outcome="not_recovered"}"#,
    ] {
        becomes(&node, name, |seen| seen == 1.0);
    }
}

#[test]
fn full_mailboxes_would_be_seen() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.subscribe("room");
    client.publish("room", json!("hello"));
    for actor in ["hub", "room", "journal_writer"] {
        let name = format!("fanfare_mailbox_depth_count{{actor=\"{actor}\"}}");
        becomes(&node, &name, |seen| seen > 0.0);
    }
}

#[cfg(feature = "failpoints")]
#[test]
fn a_restart_is_counted_by_the_actor_that_fell() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    // A room without members may learn of its first message when it reads where its journal ends, and hands nothing over.
    client.subscribe("room");
    for (point, actor) in [("room.handed_over", "room"), ("append.committed", "journal_writer")] {
        let plan = format!("{point}=panic*1");
        request(node.operator_port, "POST /failpoints HTTP/1.1", &plan).expect("it is armed");
        client.call(json!({ "publish": { "channel": "room", "data": 1 } }));
        becomes(&node, &format!("fanfare_restarts_total{{actor=\"{actor}\"}}"), |seen| seen == 1.0);
    }
}
