//! Pings, pongs, and those who never say a word.

use serde_json::json;

use crate::support::{Client, Frame, Node, Socket, sign};

const QUICK: [(&str, &str); 3] = [
    ("CLIENT__PING_INTERVAL", "1s"),
    ("CLIENT__PONG_TIMEOUT", "500ms"),
    ("CLIENT__STALE_CLOSE_DELAY", "1s"),
];

#[test]
fn who_answers_pings_stays() {
    let node = Node::with(&QUICK);
    let mut client = Client::on(Socket::open(node.port));
    let reply = client.call(json!({ "connect": { "token": sign(&json!({ "sub": "ana" })) } }));
    assert_eq!((&reply["connect"]["ping"], &reply["connect"]["pong"]), (&json!(1), &json!(true)));
    for _ in 0..4 {
        assert_eq!(client.socket.next(), Frame::Text("{}".into()));
        client.socket.text("{}");
    }
    client.publish("room", json!("still here"));
}

#[test]
fn who_does_not_answer_a_ping_is_closed_with_3012() {
    let node = Node::with(&QUICK);
    let mut client = Client::connect(&node, "ana");
    let close = client.socket.closed();
    assert_eq!((close.code, &*close.reason), (3012, "no pong"));
}

#[test]
fn who_answers_a_ping_twice_is_closed_with_3501() {
    let node = Node::with(&QUICK);
    let mut client = Client::connect(&node, "ana");
    assert_eq!(client.socket.next(), Frame::Text("{}".into()));
    client.socket.text("{}");
    client.socket.text("{}");
    assert_eq!(client.socket.closed().code, 3501);
}

#[test]
fn who_never_connects_is_closed_with_3502() {
    let node = Node::with(&QUICK);
    let mut silent = Socket::open(node.port);
    let close = silent.closed();
    assert_eq!((close.code, &*close.reason), (3502, "stale"));
}

#[test]
fn who_asks_for_pings_of_websocket_gets_no_others() {
    let node = Node::with(&QUICK);
    let path = "/connection/websocket?cf_ws_frame_ping_pong=true";
    let mut client = Client::on(Socket::try_open(node.port, path, "").unwrap());
    let reply = client.call(json!({ "connect": { "token": sign(&json!({ "sub": "ana" })) } }));
    assert!(reply["connect"]["ping"].is_null(), "{reply}");
    // The socket of this test answers no ping of WebSocket, so it is closed in the end, and nothing came before.
    assert!(matches!(client.socket.next(), Frame::Close(close) if close.code == 3012));
}
