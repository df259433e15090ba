//! The server API and the operator's port, as HTTP sees them.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{API_KEY, Answer, Client, DEADLINE, Node, request};

fn call(node: &Node, head: &str, body: &str) -> Answer {
    request(node.port, head, body).expect("an answer")
}

#[test]
fn the_server_api_opens_with_the_key_in_any_of_three_places_and_not_without() {
    let node = Node::start();
    let escaped = API_KEY.replace(' ', "%20").replace(',', "%2C");
    for head in [
        format!("POST /api/info HTTP/1.1\r\nX-API-Key: {API_KEY}"),
        format!("POST /api/info HTTP/1.1\r\nAuthorization: apikey {API_KEY}"),
        format!("POST /api/info?api_key={escaped} HTTP/1.1"),
    ] {
        assert_eq!(call(&node, &head, "{}").status, 200, "{head}");
    }
    for head in ["POST /api/info HTTP/1.1", "POST /api/info HTTP/1.1\r\nX-API-Key: wrong"] {
        let answer = call(&node, head, "{}");
        assert_eq!(answer.status, 401, "{head}");
        assert!(!answer.body.contains(API_KEY));
    }
}

#[test]
fn what_is_no_call_of_the_server_api_gets_a_status_that_says_so() {
    let node = Node::start();
    let key = format!("HTTP/1.1\r\nX-API-Key: {API_KEY}");
    assert_eq!(call(&node, &format!("POST /api/publish {key}"), "garbage").status, 400);
    assert_eq!(call(&node, &format!("GET /api/publish {key}"), "").status, 405);
    assert_eq!(call(&node, &format!("POST /api/no_such_method {key}"), "{}").status, 404);
    assert_eq!(call(&node, &format!("POST /emulation {key}"), "{}").status, 404);
    assert_eq!(call(&node, &format!("POST /connection/http_stream {key}"), "{}").status, 404);
}

#[test]
fn who_never_finishes_a_request_is_let_go() {
    let node = Node::start();
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"POST /api/info HTTP/1.1\r\nX-Begun: ").unwrap();
    // 408 or nothing at all, and then the end.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the node ends it before the deadline");
    assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
}

#[test]
fn errors_of_the_server_api_are_in_the_body_or_by_wish_in_the_status() {
    let node = Node::start();
    let head = format!("POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}");
    let body = json!({ "channel": "nowhere:room", "data": 1 }).to_string();
    let answer = call(&node, &head, &body);
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (200, &json!(102)));
    let answer = call(&node, &format!("{head}\r\nX-Centrifugo-Error-Mode: transport"), &body);
    assert_eq!((answer.status, &answer.json()["code"]), (404, &json!(102)));
}

#[test]
fn an_empty_result_is_an_empty_object() {
    let node = Node::start();
    let answer = node.api("disconnect", &json!({ "user": "nobody" }));
    assert_eq!(answer, json!({ "result": {} }));
}

#[test]
fn a_refresh_by_the_server_changes_what_others_hear_of_a_connection() {
    let node = Node::start();
    let (mut ana, mut ben) = (Client::connect(&node, "ana"), Client::connect(&node, "ben"));
    for client in [&mut ana, &mut ben] {
        client.subscribe("room");
    }
    ana.publish("room", json!(1));
    assert_eq!(ben.push()["pub"]["info"]["conn_info"], json!(null));
    let body = json!({ "user": "ana", "info": { "name": "Ana" } });
    assert_eq!(node.api("refresh", &body), json!({ "result": {} }));
    while ana.push()["refresh"].is_null() {}
    ana.publish("room", json!(2));
    assert_eq!(ben.push()["pub"]["info"]["conn_info"], json!({ "name": "Ana" }));
}

#[test]
fn operators_see_life_readiness_version_and_metrics_on_a_port_of_their_own() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.subscribe("unmistakable");
    client.publish("unmistakable", json!("psst"));
    let get = |path: &str| {
        request(node.operator_port, &format!("GET {path} HTTP/1.1"), "").expect("an answer")
    };
    assert_eq!(get("/live").status, 200);
    assert_eq!(get("/ready").status, 200);
    assert!(get("/version").body.contains(env!("CARGO_PKG_VERSION")));
    let metrics = get("/metrics").body;
    assert!(metrics.contains("# HELP") && metrics.contains("process_resident_memory_bytes"));
    assert!(!metrics.contains("unmistakable"), "a channel's name is no label");
    for path in ["/live", "/ready", "/metrics", "/version"] {
        let answer = call(&node, &format!("GET {path} HTTP/1.1"), "");
        assert_eq!(answer.status, 404, "{path} is not for the public");
    }
}

#[test]
fn strangers_make_no_new_metrics() {
    let node = Node::start();
    let lines = || {
        let answer = request(node.operator_port, "GET /metrics HTTP/1.1", "").expect("metrics");
        answer.body.lines().filter(|line| !line.starts_with('#')).count()
    };
    call(&node, "GET /first HTTP/1.1", "");
    let before = lines();
    for n in 0..50 {
        call(&node, &format!("GET /stranger-{n} HTTP/1.1"), "");
        call(&node, &format!("INVENTED{n} /x HTTP/1.1"), "");
        call(&node, &format!("POST /api/invented-{n} HTTP/1.1"), "{}");
    }
    let after = lines();
    assert!(after <= before + 10, "{before} lines became {after}");
}
