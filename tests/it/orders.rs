//! What backends order on one node is done on all, also to those who come later.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    feed::{meet, pair},
    support::{API_KEY, Client, Node, Socket, request, sign, until},
};

/// Connects with these claims; the code of the close if that is the answer.
fn come(node: &Node, claims: &Value) -> Result<Client, u16> {
    let mut client = Client::on(Socket::open(node.port));
    client.send(json!({ "connect": { "token": sign(claims) } }));
    match client.next_reply() {
        Ok(reply) if reply["connect"].is_object() => Ok(client),
        Ok(reply) => panic!("{reply}"),
        Err(close) => Err(close.expect("a close frame").code),
    }
}

#[track_caller]
fn let_in(node: &Node, claims: &Value) -> Client {
    come(node, claims).unwrap_or_else(|code| panic!("it was closed with {code}"))
}

/// The close that comes to somebody who says nothing.
#[track_caller]
fn closed(client: &mut Client) -> u16 {
    match client.next_reply() {
        Err(close) => close.expect("a close frame").code,
        Ok(reply) => panic!("expected a close, got {reply}"),
    }
}

/// The answer of the API, whatever it is.
fn ask(node: &Node, method: &str, body: &Value) -> Value {
    let head = format!(
        "POST /api/{method} HTTP/1.1\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json"
    );
    request(node.port, &head, &body.to_string()).expect("an answer").json()
}

#[track_caller]
fn order(node: &Node, method: &str, body: Value) {
    let answer = ask(node, method, &body);
    assert_eq!(answer, json!({ "result": {} }));
}

#[test]
fn a_user_is_disconnected_wherever_it_is() {
    let (_server, nodes) = pair(&[]);
    let mut people: Vec<_> = nodes.iter().map(|node| Client::connect(node, "ana")).collect();
    let mut other = Client::connect(&nodes[1], "bo");
    order(&nodes[0], "disconnect", json!({ "user": "ana" }));
    for ana in &mut people {
        assert_eq!(closed(ana), 3503);
    }
    other.subscribe("room");
}

#[test]
fn a_user_is_subscribed_and_unsubscribed_wherever_it_is() {
    let (_server, nodes) = pair(&[]);
    let mut ana = Client::connect(&nodes[1], "ana");
    let both = json!({ "user": "ana", "channel": "short:1", "data": { "why": "as ordered" } });
    order(&nodes[0], "subscribe", both);
    let push = ana.push();
    assert_eq!(
        (&push["channel"], &push["subscribe"]["data"]["why"]),
        (&json!("short:1"), &json!("as ordered"))
    );
    nodes[0].api("publish", &json!({ "channel": "short:1", "data": 1 }));
    let push = ana.push();
    assert_eq!(push["pub"]["data"], 1, "{push}");
    order(&nodes[0], "unsubscribe", json!({ "user": "ana", "channel": "short:1" }));
    assert_eq!(ana.push()["unsubscribe"]["code"], 2000);
    order(&nodes[0], "refresh", json!({ "user": "ana", "expired": true }));
    assert_eq!(closed(&mut ana), 3005);
}

#[test]
fn a_blocked_user_is_let_in_nowhere_also_after_a_restart_until_it_is_unblocked() {
    let (_server, mut nodes) = pair(&[]);
    let claims = json!({ "sub": "ana" });
    let mut ana = let_in(&nodes[1], &claims);
    order(&nodes[0], "block_user", json!({ "user": "ana" }));
    assert_eq!(closed(&mut ana), 3507);
    for node in &nodes {
        assert_eq!(come(node, &claims).err(), Some(3507));
    }
    nodes[1].kill();
    nodes[1].launch();
    assert_eq!(come(&nodes[1], &claims).err(), Some(3507));
    meet(&nodes[1], 1);
    until("the run before is forgotten, and nobody waits for it", Duration::from_secs(20), || {
        (ask(&nodes[1], "unblock_user", &json!({ "user": "ana" }))["error"].is_null()).then_some(())
    });
    for node in &nodes {
        assert!(come(node, &claims).is_ok());
    }
}

#[test]
fn a_revoked_token_and_those_of_before_a_moment_are_let_in_nowhere() {
    let (_server, nodes) = pair(&[]);
    let revoked = json!({ "sub": "ana", "jti": "t1", "iat": 1_000 });
    let other = json!({ "sub": "ana", "jti": "t2", "iat": 1_000 });
    let newer = json!({ "sub": "ana", "iat": 2_000 });
    let mut people: Vec<_> =
        [&revoked, &other, &newer].iter().map(|claims| let_in(&nodes[1], claims)).collect();
    order(&nodes[0], "revoke_token", json!({ "uid": "t1" }));
    assert_eq!(closed(&mut people[0]), 3500);
    people[1].subscribe("room");
    order(&nodes[0], "invalidate_user_tokens", json!({ "user": "ana", "issued_before": 2_000 }));
    assert_eq!(closed(&mut people[1]), 3500);
    people[2].subscribe("room");
    for node in &nodes {
        for claims in [&revoked, &other, &json!({ "sub": "ana" })] {
            assert_eq!(come(node, claims).err(), Some(3500), "{claims}");
        }
        assert!(come(node, &newer).is_ok());
    }
    // Who is in can't go on with it, either.
    let token = sign(&other);
    people[2].send(json!({ "refresh": { "token": token } }));
    assert_eq!(closed(&mut people[2]), 3500);
}

#[test]
fn a_node_alone_keeps_who_is_blocked_in_its_file() {
    let mut node = Node::start();
    let claims = json!({ "sub": "ana" });
    let mut ana = let_in(&node, &claims);
    order(&node, "block_user", json!({ "user": "ana" }));
    assert_eq!(closed(&mut ana), 3507);
    node.kill();
    node.launch();
    assert_eq!(come(&node, &claims).err(), Some(3507));
    order(&node, "unblock_user", json!({ "user": "ana" }));
    assert!(come(&node, &claims).is_ok());
    let past = json!({ "user": "ana", "expire_at": 1_000 });
    order(&node, "block_user", past);
    assert!(come(&node, &claims).is_ok(), "it is over");
}

#[test]
fn info_and_channels_tell_of_all_nodes() {
    let (_server, nodes) = pair(&[]);
    let mut people: Vec<_> = ["ana", "bo", "cy"]
        .iter()
        .zip([0, 1, 1])
        .map(|(user, n)| Client::connect(&nodes[n], user))
        .collect();
    for client in &mut people {
        client.subscribe("room");
    }
    people[2].subscribe("other");
    let answer = ask(&nodes[0], "channels", &json!({}));
    let expected = json!({ "room": { "num_clients": 3 }, "other": { "num_clients": 1 } });
    assert_eq!(answer["result"]["channels"], expected, "{answer}");
    let some = ask(&nodes[0], "channels", &json!({ "pattern": "ot*" }));
    assert_eq!(some["result"]["channels"].as_object().map(|all| all.len()), Some(1), "{some}");
    until("the beats tell how many are there", Duration::from_secs(5), || {
        let answer = ask(&nodes[0], "info", &json!({}));
        let told: Vec<_> = answer["result"]["nodes"].as_array()?.clone();
        let clients = |name: &str| {
            let node = told.iter().find(|node| node["name"] == name)?;
            node["num_clients"].as_u64()
        };
        (told.len() == 2 && clients("one") == Some(1) && clients("two") == Some(2)).then_some(())
    });
}

#[test]
fn a_node_that_does_not_answer_is_named_and_does_it_when_it_is_back() {
    let (_server, nodes) = pair(&[]);
    let mut ana = Client::connect(&nodes[1], "ana");
    nodes[1].signal(Signal::SIGSTOP);
    let asked = Instant::now();
    let answer = ask(&nodes[0], "disconnect", &json!({ "user": "ana" }));
    nodes[1].signal(Signal::SIGCONT);
    assert_eq!(answer["error"]["code"], 100, "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("1 of 2 nodes"), "{message}");
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    assert_eq!(closed(&mut ana), 3503);
}
