//! A full disk, or a limit of file sizes: publishes are refused as temporary, everything else goes on, and it comes
//! back by itself.

use std::process::Command;

use serde_json::json;

use crate::support::{Client, DEADLINE, Node, request, until};

/// Sets how large a file the node may write, in bytes; "unlimited" gives the disk back.
fn files_up_to(node: &Node, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let status = Command::new("prlimit").args(["--pid", &node.pid().to_string(), &limit]).status();
    assert!(status.expect("prlimit of util-linux").success());
}

#[test]
fn a_full_disk_refuses_publishes_as_temporary_and_is_forgotten_when_there_is_room_again() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.subscribe("room");
    client.publish("room", json!("before"));
    let data = json!("x".repeat(30_000));
    let publish = json!({ "publish": { "channel": "room", "data": data } });

    files_up_to(&node, "1000000");
    let refusal = until("a publish is refused", DEADLINE, || {
        Some(client.call(publish.clone())).filter(|reply| reply["error"].is_object())
    });
    assert_eq!(
        (&refusal["error"]["code"], &refusal["error"]["temporary"]),
        (&json!(100), &json!(true))
    );

    // Reading and signals need no disk.
    let history = client.call(json!({ "history": { "channel": "room", "limit": 1 } }));
    assert_eq!(history["history"]["publications"][0]["data"], "before", "{history}");
    client.subscribe("signal:room");
    client.publish("signal:room", json!("typing"));

    files_up_to(&node, "unlimited");
    until("a publish is acknowledged again", DEADLINE, || {
        Some(client.call(publish.clone())).filter(|reply| reply["publish"].is_object())
    });
    let history = node.api("history", &json!({ "channel": "room", "limit": -1 }));
    let publications = history["result"]["publications"].as_array().unwrap();
    let offsets: Vec<_> = publications.iter().map(|p| p["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (1..=publications.len() as u64).collect::<Vec<_>>(), "a hole");
}

#[test]
fn a_limit_of_file_sizes_refuses_publishes_and_does_not_end_the_node() {
    let mut node = Node::prepared(&[]);
    // In blocks of 512 bytes: 2 MiB for each of the journal's files.
    node.launch_after("ulimit -f 4096");
    let mut client = Client::connect(&node, "ana");
    let mut acknowledged = 0;
    let refusal = until("a publish is refused", DEADLINE, || {
        let data = json!({ "n": acknowledged, "text": "x".repeat(30_000) });
        let reply = client.call(json!({ "publish": { "channel": "room", "data": data } }));
        let refused = reply["error"].is_object();
        acknowledged += u64::from(!refused);
        refused.then_some(reply)
    });
    assert_eq!(
        (&refusal["error"]["code"], &refusal["error"]["temporary"]),
        (&json!(100), &json!(true))
    );
    assert!(acknowledged > 0, "nothing fitted below the limit");
    let alive = request(node.operator_port, "GET /live HTTP/1.1", "").expect("an answer");
    assert_eq!(alive.status, 200, "{alive:?}");

    // As after a power cut, and with room again.
    node.kill();
    node.launch();
    let history = node.api("history", &json!({ "channel": "room", "limit": -1 }));
    let publications = history["result"]["publications"].as_array().unwrap();
    assert!(publications.len() as u64 >= acknowledged, "{acknowledged} were acknowledged");
    for (n, publication) in publications.iter().enumerate() {
        assert_eq!((&publication["data"]["n"], &publication["offset"]), (&json!(n), &json!(n + 1)));
    }
}
