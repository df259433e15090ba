//! Tokens on the raw wire: what is forged, foreign or odd is refused with its code.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Client, Close, DEADLINE, Node, SECRET, Socket, sign, until};

/// A public key (P-256) of which nobody has the other half.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEOgzHqj/fjzyKzxR+nqO5abE7cKRK
8j3wStmEtCl7OmhV61pIfOMH/HkyqqDYZFXDxkSC9TIBHSnJnVLjnA20Dw==
-----END PUBLIC KEY-----
";

fn connect(node: &Node, token: &str) -> Result<Value, Option<Close>> {
    let mut client = Client::on(Socket::open(node.port));
    client.send(json!({ "connect": { "token": token } }));
    client.next_reply()
}

#[track_caller]
fn closes_with(node: &Node, token: &str, code: u16) {
    let close = connect(node, token).expect_err("this token is refused").expect("a close frame");
    assert_eq!(close.code, code);
}

#[test]
fn a_public_key_taken_for_a_secret_opens_nothing() {
    let node = Node::with(&[("CLIENT__TOKEN__ECDSA_PUBLIC_KEY", PUBLIC_KEY)]);
    for secret in [PUBLIC_KEY, PUBLIC_KEY.trim_end(), ""] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = encode(&Header::new(algorithm), &json!({ "sub": "root" }), &key).unwrap();
            closes_with(&node, &token, 3500);
        }
    }
}

#[test]
fn every_length_of_the_same_secret_is_good() {
    let node = Node::start();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&Header::new(algorithm), &json!({ "sub": "ana" }), &key).unwrap();
        assert!(connect(&node, &token).unwrap()["connect"].is_object());
    }
}

#[test]
fn a_token_that_is_not_yet_good_is_answered_like_one_that_was() {
    let node = Node::start();
    let in_an_hour = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let nbf = in_an_hour.as_secs() + 3600;
    let reply = connect(&node, &sign(&json!({ "sub": "ana", "nbf": nbf }))).unwrap();
    assert_eq!(reply["error"]["code"], 109, "{reply}");
    let reply = connect(&node, &sign(&json!({ "sub": "ana", "exp": 1 }))).unwrap();
    assert_eq!(reply["error"]["code"], 109, "{reply}");
    assert!(reply["error"]["message"].as_str().is_some_and(|words| !words.is_empty()));
}

#[test]
fn a_previous_secret_is_good_as_long_as_it_is_named() {
    let previous = "the secret of last year, 32 bytes or more";
    let key = EncodingKey::from_secret(previous.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &json!({ "sub": "ana" }), &key).unwrap();
    let node = Node::with(&[("CLIENT__TOKEN__HMAC_PREVIOUS_SECRET_KEY", previous)]);
    assert!(connect(&node, &token).unwrap()["connect"].is_object());
    closes_with(&Node::start(), &token, 3500);
}

#[test]
fn audience_and_issuer_have_to_be_the_expected_ones() {
    let node =
        Node::with(&[("CLIENT__TOKEN__AUDIENCE", "us"), ("CLIENT__TOKEN__ISSUER", "our backend")]);
    let good = json!({ "sub": "ana", "aud": ["them", "us"], "iss": "our backend" });
    assert!(connect(&node, &sign(&good)).unwrap()["connect"].is_object());
    for (claim, value) in [("aud", json!("them")), ("iss", json!("else")), ("aud", Value::Null)] {
        let mut bad = good.clone();
        bad[claim] = value;
        closes_with(&node, &sign(&bad), 3500);
    }
}

#[test]
fn a_token_for_a_channel_that_cannot_be_is_refused_at_once() {
    let node = Node::start();
    let begun = std::time::Instant::now();
    let reply = connect(&node, &sign(&json!({ "sub": "ana", "channels": ["nowhere:room"] })));
    assert_eq!(reply.unwrap()["error"]["code"], 102);
    let reply = connect(&node, &sign(&json!({ "sub": "ana", "channels": ["a b"] })));
    assert_eq!(reply.unwrap()["error"]["code"], 107);
    assert!(begun.elapsed().as_secs() < 2, "it took {:?}", begun.elapsed());
}

#[test]
fn anonymous_users_come_in_only_where_it_is_allowed() {
    let node = Node::with(&[("CLIENT__DISALLOW_ANONYMOUS_CONNECTION_TOKENS", "true")]);
    closes_with(&node, &sign(&json!({ "sub": "" })), 3507);
    closes_with(&node, "", 3501);
    let node = Node::with(&[("CLIENT__ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN", "true")]);
    assert!(connect(&node, "").unwrap()["connect"].is_object());
}

#[test]
fn an_insecure_node_lets_everybody_do_everything_but_believes_no_forged_token() {
    let node = Node::with(&[("CLIENT__INSECURE", "true")]);
    let mut nobody = Client::on(Socket::open(node.port));
    nobody.call(json!({ "connect": {} }));
    nobody.subscribe("closed:room");
    nobody.publish("closed:room", json!(1));
    assert_eq!(nobody.push()["pub"]["data"], 1);
    closes_with(&node, "a.forged.token", 3500);
}

#[test]
fn a_personal_channel_is_there_for_each_user_and_nobody_else() {
    let node = Node::with(&[("CLIENT__SUBSCRIBE_TO_USER_PERSONAL_CHANNEL__ENABLED", "true")]);
    let mut devices: Vec<_> = (0..3).map(|_| Client::connect(&node, "ana")).collect();
    let mut bo = Client::connect(&node, "bo");
    node.api("publish", &json!({ "channel": "#ana", "data": "for ana" }));
    node.api("publish", &json!({ "channel": "#bo", "data": "for bo" }));
    for device in &mut devices {
        let push = until("a publication came", DEADLINE, || {
            Some(device.push()).filter(|push| push["pub"].is_object())
        });
        assert_eq!((&push["channel"], &push["pub"]["data"]), (&json!("#ana"), &json!("for ana")));
    }
    let reply = bo.call(json!({ "subscribe": { "channel": "#ana" } }));
    assert_eq!(reply["error"]["code"], 103, "{reply}");
}
