//! Who stops reading costs a bounded number of bytes and nobody else's time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Client, Crowd, DEADLINE, Frame, Node, Person, Socket, request, until};

/// Time enough for a frozen reader of these tests to wake up and read why it was closed.
const TO_READ_THE_CLOSE: (&str, &str) = ("WEBSOCKET__WRITE_TIMEOUT", "2m");

#[test]
fn a_slow_reader_is_cut_with_3008_and_others_do_not_wait() {
    let node = Node::with(&[TO_READ_THE_CLOSE]);
    let mut frozen = Client::connect(&node, "frozen");
    frozen.subscribe("room");
    let mut reader = Client::connect(&node, "reader");
    reader.subscribe("room");
    let mut writer = Client::connect(&node, "writer");

    // More than the sockets of the kernel and the outbox of 1 MiB can hold together.
    let data = json!("x".repeat(60_000));
    let mut slowest = Duration::ZERO;
    for _ in 0..400 {
        let begun = Instant::now();
        writer.publish("room", data.clone());
        assert_eq!(reader.push()["pub"]["data"], data);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "somebody waited {slowest:?}");

    let close = frozen.socket.closed();
    assert_eq!((close.code, &*close.reason), (3008, "slow"));
}

#[test]
fn a_reader_that_takes_nothing_is_cut_after_the_stall_however_little_waits() {
    let node = Node::with(&[
        ("CLIENT__WRITE_STALL", "1s"),
        ("CLIENT__QUEUE_MAX_SIZE", "64MiB"),
        TO_READ_THE_CLOSE,
    ]);
    let mut frozen = Client::connect(&node, "frozen");
    frozen.subscribe("room");
    let mut writer = Client::connect(&node, "writer");
    for _ in 0..200 {
        writer.publish("room", json!("x".repeat(60_000)));
    }
    // It is gone from the node before it reads a byte.
    until("the frozen reader is cut", DEADLINE, || {
        let stats = node.api("presence_stats", &json!({ "channel": "room" }));
        (stats["result"]["num_clients"] == 0).then_some(())
    });
    assert_eq!(frozen.socket.closed().code, 3008);
}

#[test]
fn frozen_readers_are_bounded_together_and_the_fullest_go_first() {
    const READERS: usize = 40;
    const ALL: u64 = 8 << 20;
    let node = Node::with(&[("CLIENT__QUEUES_MAX_SIZE", "8MiB"), TO_READ_THE_CLOSE]);
    let mut writer = Client::connect(&node, "writer");
    let mut readers: Vec<_> = (0..READERS)
        .map(|n| {
            let mut reader = Client::connect(&node, &format!("reader-{n}"));
            reader.subscribe("signal:room");
            reader
        })
        .collect();
    writer.subscribe("signal:room");
    let before = node.resident();
    let mut most = 0;
    for _ in 0..300 {
        writer.publish("signal:room", json!("x".repeat(60_000)));
        most = most.max(node.resident().saturating_sub(before));
        writer.push();
    }
    assert!(most < ALL * 4, "the node grew by {most} bytes");
    let codes: Vec<_> = readers.iter_mut().map(|reader| reader.socket.closed().code).collect();
    assert!(codes.iter().all(|code| *code == 3008), "{codes:?}");
}

/// What a metric without labels says.
#[track_caller]
fn gauge(node: &Node, name: &str) -> u64 {
    let answer = request(node.operator_port, "GET /metrics HTTP/1.1", "").expect("an answer");
    let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).expect("the metric is there")
}

#[test]
fn a_thousand_readers_that_freeze_at_once_are_bounded_together_and_harm_nobody_in_their_rooms() {
    const FROZEN: usize = 1000;
    // So many that what waits is hardly shared.
    const ROOMS: usize = 200;
    const ALL: u64 = 8 << 20;
    let node = Node::with(&[
        ("CLIENT__QUEUES_MAX_SIZE", "8MiB"),
        ("CLIENT__WRITE_STALL", "2m"),
        ("CLIENT__PING_INTERVAL", "2m"),
        TO_READ_THE_CLOSE,
    ]);
    let room = |n: usize| format!("signal:room-{}", n % ROOMS);
    let mut frozen = Crowd::enter(&node, FROZEN, Socket::open_narrow, room);
    let mut readers = Crowd::enter(&node, ROOMS, Socket::open, room);
    let channels: Vec<_> = (0..ROOMS).map(room).collect();
    let data = json!("x".repeat(20_000));
    let before = node.resident();
    let (mut most, mut grown, mut said) = (0, 0, 0);
    let cut = until("most of those who froze are cut", DEADLINE * 3, || {
        drop(node.api("broadcast", &json!({ "channels": channels, "data": data })));
        said += 1;
        let heard = |people: &[Person]| people.iter().all(|reader| reader.heard == said);
        readers.listen("who reads hears everything", DEADLINE, heard);
        most = most.max(gauge(&node, "fanfare_outbox_bytes"));
        grown = grown.max(node.resident().saturating_sub(before));
        let cut = gauge(&node, "fanfare_slow_readers_cut_total");
        (cut >= FROZEN as u64 * 3 / 4).then_some(cut)
    });
    assert!(most < ALL * 2, "{most} bytes waited");
    assert!(grown < ALL * 4, "the node grew by {grown} bytes");
    assert!(cut < FROZEN as u64, "those for whom little waits stay");
    assert_eq!(readers.closed(), 0);

    // All would take long: each reads what the kernels hold of it first.
    let many = |people: &[Person]| people.iter().filter(|p| p.closed.is_some()).count() >= 100;
    frozen.listen("some who froze read why", DEADLINE * 2, many);
    let closes: BTreeSet<_> = frozen.people.iter().filter_map(|reader| reader.closed).collect();
    assert_eq!(closes, [3008].into());
}

#[test]
fn a_reader_that_takes_not_even_the_close_frame_is_gone_after_the_write_timeout() {
    let node = Node::with(&[("CLIENT__WRITE_STALL", "1s"), ("WEBSOCKET__WRITE_TIMEOUT", "1s")]);
    let mut frozen = Client::connect(&node, "frozen");
    frozen.subscribe("room");
    let mut writer = Client::connect(&node, "writer");
    for _ in 0..200 {
        writer.publish("room", json!("x".repeat(60_000)));
    }
    until("its place is free", DEADLINE, || {
        let info = node.api("info", &json!({}));
        (info["result"]["nodes"][0]["num_clients"] == 1).then_some(())
    });
    until("it is at the end", DEADLINE, || {
        matches!(frozen.socket.next(), Frame::End).then_some(())
    });
}
