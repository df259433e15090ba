//! A full disk: publishes are refused as temporary, everything else goes on, and it comes back by itself.

use std::process::Command;

use serde_json::json;

use crate::support::{Client, DEADLINE, Node, until};

/// Sets how large a file the node may write, in bytes; "unlimited" gives the disk back.
fn files_up_to(node: &Node, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let status = Command::new("prlimit").args(["--pid", &node.pid().to_string(), &limit]).status();
    assert!(status.expect("prlimit of util-linux").success());
}

#[test]
fn a_full_disk_refuses_publishes_as_temporary_and_is_forgotten_when_there_is_room_again() {
    let mut node = Node::prepared(&[]);
    // A write past the limit fails like one to a full disk, instead of ending the process.
    node.launch_after("trap '' XFSZ");
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
