//! SIGTERM: no new people, those who are here are sent elsewhere, nothing acknowledged is lost, exit 0.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Client, DEADLINE, Node, Socket, until};

#[test]
fn ready_goes_red_and_new_sockets_get_503_before_the_first_client_is_closed() {
    let mut node = Node::with(&[("SHUTDOWN__READY_DELAY", "2s")]);
    let mut client = Client::connect(&node, "ana");
    client.subscribe("room");
    node.signal(Signal::SIGTERM);
    let answer = until("/ready is red", DEADLINE, || node.ready().filter(|a| a.status != 200));
    assert_eq!(answer.status, 503);

    let refusal = Socket::try_open(node.port, "/connection/websocket", "").err();
    let refusal = refusal.expect("a new socket is refused");
    assert_eq!(refusal.status, 503);
    assert!(refusal.headers["retry-after"].parse::<u32>().is_ok(), "{refusal:?}");

    // Who is here already is served until it is sent away.
    client.publish("room", json!("one more"));
    let close = client.socket.closed();
    assert_eq!((close.code, &*close.reason), (3001, "shutdown"));
    assert_eq!(node.ended().code(), Some(0));
}

#[test]
fn ctrl_c_drains_as_well() {
    let mut node = Node::start();
    let mut client = Client::connect(&node, "ana");
    node.signal(Signal::SIGINT);
    assert_eq!(client.socket.closed().code, 3001);
    assert_eq!(node.ended().code(), Some(0));
}

#[test]
fn many_clients_leave_in_batches_within_the_deadline() {
    let mut node = Node::with(&[
        ("SHUTDOWN__DEADLINE", "10s"),
        ("SHUTDOWN__BATCH_SIZE", "50"),
        ("SHUTDOWN__BATCH_PAUSE", "100ms"),
    ]);
    let mut clients: Vec<_> =
        (0..200).map(|n| Client::connect(&node, &format!("user-{n}"))).collect();
    let begun = Instant::now();
    node.signal(Signal::SIGTERM);
    for client in &mut clients {
        assert_eq!(client.socket.closed().code, 3001);
    }
    assert_eq!(node.ended().code(), Some(0));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(150), "all at once, in {took:?}");
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

#[test]
fn a_client_that_does_not_go_holds_nobody_up_past_the_deadline() {
    let mut node = Node::with(&[("SHUTDOWN__DEADLINE", "3s")]);
    let mut frozen = Client::connect(&node, "frozen");
    frozen.subscribe("room");
    let mut writer = Client::connect(&node, "writer");
    for _ in 0..100 {
        writer.publish("room", json!("x".repeat(60_000)));
    }
    let begun = Instant::now();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(6), "it took {:?}", begun.elapsed());
}

#[test]
fn what_was_acknowledged_before_a_drain_is_there_after_it() {
    let mut node = Node::start();
    let mut client = Client::connect(&node, "ana");
    let ids: Vec<_> = (0..300)
        .map(|n| client.send(json!({ "publish": { "channel": "room", "data": n } })))
        .collect();
    node.signal(Signal::SIGTERM);
    let mut acknowledged = 0;
    while let Ok(reply) = client.next_reply() {
        assert_eq!(reply["id"], ids[acknowledged], "answers come in order");
        assert!(reply["publish"].is_object(), "{reply}");
        acknowledged += 1;
    }
    assert_eq!(node.ended().code(), Some(0));

    node.launch();
    let history = node.api("history", &json!({ "channel": "room", "limit": -1 }));
    let said: Vec<_> = history["result"]["publications"].as_array().unwrap().iter().collect();
    assert!(said.len() >= acknowledged, "{} of {acknowledged} are there", said.len());
    for (n, publication) in said.iter().enumerate() {
        assert_eq!((&publication["data"], &publication["offset"]), (&json!(n), &json!(n + 1)));
    }
}
