//! kill -9 in the middle of traffic: everything that was acknowledged is there, once and in order.

use std::{collections::BTreeMap, thread};

use rand::RngExt;
use serde_json::{Value, json};

use crate::support::{Client, Node};

/// What one publisher knows of its messages: the number, and whether it was acknowledged.
type Sent = BTreeMap<u64, bool>;

const CHANNELS: usize = 4;
const WINDOW: usize = 8;

/// Publishes numbers from `first` on into `channel`, always 8 under way, until the node is gone.
fn publish_until_it_dies(mut client: Client, channel: &str, first: u64, sent: &mut Sent) {
    let mut under_way = BTreeMap::new();
    let mut next = first;
    loop {
        while under_way.len() < WINDOW {
            let data = json!({ "channel": channel, "n": next });
            let id = client.send(json!({ "publish": { "channel": channel, "data": data } }));
            under_way.insert(id, next);
            sent.insert(next, false);
            next += 1;
        }
        let Ok(reply) = client.next_reply() else { return };
        let id = reply["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap();
        let n = under_way.remove(&id).expect("a reply to what was sent");
        assert!(reply["publish"].is_object(), "{reply}");
        sent.insert(n, true);
    }
}

#[test]
fn every_acknowledged_message_survives_kill_9_once_and_in_order() {
    let mut node = Node::start();
    let channels: Vec<_> = (0..CHANNELS).map(|n| format!("crash-{n}")).collect();
    let mut sent = vec![Sent::new(); CHANNELS];
    let mut random = rand::rng();

    for _ in 0..5 {
        let enough = random.random_range(20..150);
        let mut witness = Client::connect(&node, "witness");
        for channel in &channels {
            witness.subscribe(channel);
        }
        thread::scope(|scope| {
            for (channel, sent) in channels.iter().zip(&mut sent) {
                let client = Client::connect(&node, channel);
                let first = sent.last_key_value().map_or(1, |(n, _)| n + 1);
                scope.spawn(move || publish_until_it_dies(client, channel, first, sent));
            }
            // The moment is chosen by traffic, so that each kill falls into the middle of it.
            for _ in 0..enough {
                witness.push();
            }
            node.kill();
        });
        node.launch();
        for (channel, sent) in channels.iter().zip(&sent) {
            check(&node, channel, sent);
        }
    }
    let acknowledged: usize = sent.iter().flat_map(BTreeMap::values).filter(|ok| **ok).count();
    assert!(acknowledged >= 100, "only {acknowledged} were acknowledged");
}

#[track_caller]
fn check(node: &Node, channel: &str, sent: &Sent) {
    let history = node.api("history", &json!({ "channel": channel, "limit": -1 }));
    let publications = history["result"]["publications"].as_array().unwrap();
    let top = history["result"]["offset"].as_u64().unwrap();
    let number = |publication: &Value| publication["data"]["n"].as_u64().unwrap();

    let offsets: Vec<_> = publications.iter().map(|p| p["offset"].as_u64().unwrap()).collect();
    let oldest = top + 1 - publications.len() as u64;
    assert_eq!(offsets, (oldest..=top).collect::<Vec<_>>(), "{channel} has a hole");
    let there: Vec<_> = publications.iter().map(number).collect();
    assert!(there.is_sorted_by(|a, b| a < b), "{channel} is out of order or has something twice");
    assert!(publications.iter().all(|p| p["data"]["channel"] == *channel), "of another channel");
    assert!(there.iter().all(|n| sent.contains_key(n)), "{channel} has what nobody sent");

    // The namespace keeps 1,000 messages; what is older may be gone.
    let first = there.first().copied().unwrap_or(0);
    let lost: Vec<_> =
        sent.iter().filter(|(n, ok)| **ok && **n >= first && !there.contains(n)).collect();
    assert!(lost.is_empty(), "{channel} lost {lost:?}");
}

#[test]
fn an_epoch_outlives_kill_9() {
    let mut node = Node::start();
    node.api("publish", &json!({ "channel": "room", "data": 1 }));
    let position = |node: &Node| {
        let history = node.api("history", &json!({ "channel": "room", "limit": 0 }));
        (history["result"]["epoch"].clone(), history["result"]["offset"].clone())
    };
    let before = position(&node);
    node.kill();
    node.launch();
    assert_eq!(position(&node), before);
    let next = node.api("publish", &json!({ "channel": "room", "data": 2 }));
    assert_eq!((&next["result"]["epoch"], &next["result"]["offset"]), (&before.0, &json!(2)));
}

#[test]
fn a_journal_that_is_gone_is_a_new_history_and_everybody_is_told() {
    let mut node = Node::start();
    let mut client = Client::connect(&node, "ana");
    let old = client.subscribe("room");
    for n in 0..3 {
        client.publish("room", json!(n));
    }
    node.kill();
    for file in ["fanfare.db", "fanfare.db-wal", "fanfare.db-shm"] {
        let _ = std::fs::remove_file(node.data_dir().join(file));
    }
    node.launch();

    let mut client = Client::connect(&node, "ana");
    let position =
        json!({ "channel": "room", "recover": true, "offset": 3, "epoch": old["epoch"] });
    let new = client.call(json!({ "subscribe": position }))["subscribe"].take();
    assert_eq!(new["was_recovering"], true);
    assert!(new["recovered"].is_null(), "{new}");
    assert_ne!(new["epoch"], old["epoch"]);
    assert!(new["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()), "{new}");
}
