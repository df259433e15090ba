//! A node whose durable channels are in PostgreSQL: what it keeps, what it says, what it refuses.

use std::time::Duration;

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::support::{API_KEY, Node, request, run, until};

/// A server, and a node's settings that lead to it with a password.
fn server(settings: &[&str]) -> (Postgres, String) {
    let server = Postgres::start(settings).expect("a PostgreSQL server");
    let url = server.url("postgres").replace("fanfare@", "fanfare:hunter2@");
    (server, url)
}

fn publish(node: &Node, data: &str) -> Value {
    node.api("publish", &json!({ "channel": "room", "data": data }))
}

fn history(node: &Node) -> Vec<Value> {
    let answer = node.api("history", &json!({ "channel": "room", "limit": 100 }));
    answer["result"]["publications"].as_array().expect("publications").clone()
}

#[test]
fn what_a_node_acknowledged_is_in_the_database_after_kill_9() {
    let (_server, url) = server(&[]);
    let mut node = Node::with(&[("POSTGRES__URL", &url)]);
    for n in 1..=5 {
        let answer = publish(&node, &format!("message {n}"));
        assert_eq!(answer["result"]["offset"], n, "{answer}");
    }
    let before = history(&node);
    node.kill();
    node.launch();
    assert_eq!(history(&node), before);
    assert_eq!(before.len(), 5);
    assert_eq!(publish(&node, "after")["result"]["offset"], 6);
    assert!(!node.data_dir().join("fanfare.db").exists(), "there is no second journal");
}

#[test]
fn two_nodes_on_one_database_share_channels() {
    let (_server, url) = server(&[]);
    let nodes = [Node::with(&[("POSTGRES__URL", &url)]), Node::with(&[("POSTGRES__URL", &url)])];
    for n in 1..=6 {
        let answer = publish(&nodes[n % 2], "x");
        assert_eq!(answer["result"]["offset"], n, "{answer}");
    }
    assert_eq!(history(&nodes[0]).len(), 6);
}

#[test]
fn neither_password_nor_message_is_ever_logged() {
    let (_server, url) = server(&[]);
    let node = Node::with(&[("POSTGRES__URL", &url), ("LOG__LEVEL", "trace")]);
    publish(&node, "a secret message");
    assert_eq!(history(&node).len(), 1);
    let log = node.log();
    assert!(log.contains("postgres at 127.0.0.1:"), "{log}");
    for secret in ["hunter2", "a secret message"] {
        assert!(!log.contains(secret), "{secret}");
    }
    let bytes = "a secret message".bytes().map(|byte| byte.to_string()).collect::<Vec<_>>();
    assert!(!log.contains(&bytes.join(", ")), "as numbers");
    let (code, out, err) = run(node.command(&["migrate"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("postgres at 127.0.0.1:") && !out.contains("hunter2"), "{out}");
    let (_, out, _) = run(node.command(&["config", "print"]));
    assert!(out.contains("[postgres]") && !out.contains("hunter2"), "{out}");
}

#[test]
fn a_server_that_may_lose_commits_is_refused_with_its_setting_and_78() {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let (_server, url) = server(&[&format!("{setting}=off")]);
        let node = Node::prepared(&[("POSTGRES__URL", &url)]);
        let (code, _, err) = run(node.command(&["serve"]));
        assert_eq!(code, Some(78), "{err}");
        assert!(err.contains(setting), "{err}");
    }
}

#[test]
fn a_server_that_is_not_there_ends_the_start_with_1_and_a_reason() {
    let node = Node::prepared(&[("POSTGRES__URL", "postgres://ana:hunter2@127.0.0.1:9/chat")]);
    let (code, _, err) = run(node.command(&["serve"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("Connection refused") && !err.contains("hunter2"), "{err}");
}

#[test]
fn generated_secrets_do_not_go_with_a_shared_database() {
    let node = Node::prepared(&[
        ("POSTGRES__URL", "postgres://ana:hunter2@127.0.0.1:9/chat"),
        ("HTTP_API__KEY", ""),
    ]);
    let (code, _, err) = run(node.command(&["serve"]));
    assert_eq!(code, Some(78), "{err}");
    assert!(err.contains("postgres.url") && !err.contains("hunter2"), "{err}");
}

#[test]
fn while_the_server_is_away_publishes_are_refused_in_time_and_it_comes_back_by_itself() {
    let (mut server, url) = server(&[]);
    let node = Node::with(&[("POSTGRES__URL", &url)]);
    assert_eq!(publish(&node, "before")["result"]["offset"], 1);
    server.stop().expect("it stops");
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json"
    );
    let body = json!({ "channel": "room", "data": "while it is away" }).to_string();
    let refused = request(node.port, &head, &body).expect("an answer").json();
    assert_eq!(refused["error"]["code"], 100, "{refused}");
    assert!(node.log().contains("the journal could not append: "), "an operator is told why");
    server.restart().expect("it starts again");
    let offset = until("publishes are taken again", Duration::from_secs(10), || {
        publish(&node, "after")["result"]["offset"].as_u64()
    });
    assert_eq!(offset, 2, "what was refused did not happen");
}
