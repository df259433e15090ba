//! Who is let in: origins, paths, limits of connections in all and of each user.

use serde_json::json;

use crate::support::{Client, DEADLINE, Node, Refused, Socket, request, sign, until};

const PATH: &str = "/connection/websocket";

fn refused(node: &Node, path: &str, headers: &str) -> Refused {
    Socket::try_open(node.port, path, headers).err().expect("the handshake is refused")
}

#[test]
fn pages_of_other_origins_are_refused_with_403() {
    let node = Node::start();
    for origin in ["https://evil.example", "http://127.0.0.1.evil.example", "null"] {
        let refusal = refused(&node, PATH, &format!("Origin: {origin}\r\n"));
        assert_eq!(refusal.status, 403, "{origin}");
    }
    for origin in ["http://127.0.0.1:3000", "http://localhost:5173"] {
        let headers = format!("Origin: {origin}\r\n");
        assert!(Socket::try_open(node.port, PATH, &headers).is_ok(), "{origin}");
    }
}

#[test]
fn pages_of_allowed_origins_come_in() {
    let node = Node::with(&[("CLIENT__ALLOWED_ORIGINS", r#"["https://*.example.com"]"#)]);
    let headers = "Origin: https://app.example.com\r\n";
    assert!(Socket::try_open(node.port, PATH, headers).is_ok());
    assert_eq!(refused(&node, PATH, "Origin: https://example.org\r\n").status, 403);
}

#[test]
fn only_the_one_path_upgrades() {
    let node = Node::start();
    for path in ["/", "/connection", "/connection/http_stream", "/connection/sse", "/api/info"] {
        assert_eq!(refused(&node, path, "").status, 404, "{path}");
    }
}

#[test]
fn an_upgrade_with_another_method_is_refused() {
    let node = Node::start();
    for method in ["POST", "PUT", "DELETE"] {
        let head = format!("{method} {PATH} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket");
        let status = request(node.port, &head, "").map(|answer| answer.status);
        assert!(matches!(status, Ok(404 | 405)), "{method}: {status:?}");
    }
}

#[test]
fn unknown_subprotocols_and_empty_ones_speak_json() {
    let node = Node::start();
    for headers in
        ["", "Sec-WebSocket-Protocol:\r\n", "Sec-WebSocket-Protocol: centrifuge-json\r\n"]
    {
        let mut client = Client::on(Socket::try_open(node.port, PATH, headers).unwrap());
        let reply = client.call(json!({ "connect": { "token": sign(&json!({ "sub": "ana" })) } }));
        assert!(reply["connect"]["client"].is_string(), "{headers:?}: {reply}");
    }
}

#[test]
fn past_the_limit_of_connections_a_handshake_gets_503_and_when_to_come_again() {
    let node = Node::with(&[("CLIENT__CONNECTION_LIMIT", "3")]);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(&node, "ana")).collect();
    let refusal = refused(&node, PATH, "");
    assert_eq!(refusal.status, 503);
    assert!(refusal.headers["retry-after"].parse::<u32>().is_ok(), "{refusal:?}");
    assert!(request(node.port, "GET / HTTP/1.1", "").is_ok(), "HTTP is still answered");

    clients.pop();
    until("a place is free again", DEADLINE, || Socket::try_open(node.port, PATH, "").ok());
}

#[test]
fn past_the_limit_of_a_user_the_next_device_is_closed_with_3504_and_others_come_in() {
    let node = Node::with(&[("CLIENT__USER_CONNECTION_LIMIT", "2")]);
    let mut devices: Vec<_> = (0..2).map(|_| Client::connect(&node, "ana")).collect();
    let third = |user: &str| {
        let mut client = Client::on(Socket::open(node.port));
        client.send(json!({ "connect": { "token": sign(&json!({ "sub": user })) } }));
        client.next_reply()
    };
    assert_eq!(third("ana").unwrap_err().unwrap().code, 3504);
    assert!(third("bo").is_ok());

    devices.pop();
    until("ana may come with another device", DEADLINE, || third("ana").ok());
}
