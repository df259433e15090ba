//! Who stops reading costs a bounded number of bytes and nobody else's time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, DEADLINE, Frame, Node, until};

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
