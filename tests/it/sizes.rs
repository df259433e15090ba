//! Messages that are too large are refused before they are read.

use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Node, Socket, frame, head, sign};

/// `websocket.message_size_limit` as it is built in.
const LIMIT: usize = 65_536;

/// A publish that is exactly so many bytes long.
fn publish_of(length: usize) -> String {
    let frame =
        |text: &str| format!(r#"{{"id":2,"publish":{{"channel":"room","data":"{text}"}}}}"#);
    frame(&"x".repeat(length - frame("").len()))
}

#[test]
fn a_message_of_the_limit_passes_and_one_byte_more_is_closed_with_1009() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.socket.text(&publish_of(LIMIT));
    assert!(client.reply(2)["publish"].is_object());
    client.socket.text(&publish_of(LIMIT + 1));
    let close = client.socket.closed();
    assert_eq!((close.code, &*close.reason), (1009, "message size limit exceeded"));
}

#[test]
fn a_message_over_the_limit_in_pieces_below_it_is_closed_with_1009() {
    let node = Node::start();
    let mut socket = Socket::open(node.port);
    socket.send(&frame(false, 1, &vec![b' '; LIMIT / 2]));
    socket.send(&frame(false, 0, &vec![b' '; LIMIT / 2]));
    socket.send(&frame(true, 0, b" "));
    assert_eq!(socket.closed().code, 1009);
}

#[test]
fn frames_that_declare_a_gibibyte_cost_nothing() {
    let node = Node::start();
    let _warm = Client::connect(&node, "ana");
    let before = node.resident();
    let attackers: Vec<_> = (0..50)
        .map(|_| {
            let mut socket = Socket::open(node.port);
            socket.give_up_sending_after(Duration::from_secs(5));
            socket.send(&head(true, 1, 1 << 30));
            socket.send(&[0; 4]);
            socket.send(&vec![b'x'; 256 << 10]);
            socket
        })
        .collect();
    for mut socket in attackers {
        assert_eq!(socket.closed().code, 1009);
    }
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 24 << 20, "the node grew by {grown} bytes");
}

#[test]
fn ten_thousand_subscriptions_stop_at_the_limit() {
    let node = Node::with(&[("CLIENT__RATE_LIMIT__DEVICE_COMMAND_BURST", "20000")]);
    let mut client = Client::connect(&node, "ana");
    let allowed = 128;
    for n in 0..allowed {
        client.subscribe(&format!("room-{n}"));
    }
    for n in allowed..10_000 {
        let channel = format!("room-{n}");
        let reply = client.call(json!({ "subscribe": { "channel": channel } }));
        assert_eq!(reply["error"]["code"], 106, "{reply}");
    }
    client.publish("room-0", json!("still here"));
}

#[test]
fn a_channel_name_of_255_characters_passes_and_one_more_does_not() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.subscribe(&"x".repeat(255));
    for name in ["x".repeat(256), "a b\u{7}".into(), "caf\u{e9}".into(), "a\nb".into()] {
        let reply = client.call(json!({ "subscribe": { "channel": name } }));
        assert_eq!(reply["error"]["code"], 107, "{name:?}: {reply}");
    }
}

#[test]
fn more_server_side_channels_than_the_limit_are_closed_with_3505() {
    let node = Node::start();
    let channels: Vec<_> = (0..129).map(|n| format!("room-{n}")).collect();
    let token = sign(&json!({ "sub": "ana", "channels": channels }));
    let mut client = Client::on(Socket::open(node.port));
    client.send(json!({ "connect": { "token": token } }));
    assert_eq!(client.next_reply().unwrap_err().unwrap().code, 3505);
}
