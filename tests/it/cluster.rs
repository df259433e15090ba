//! Several nodes act as one: what is said on any of them is heard on all, once and in order.

use serde_json::{Value, json};

use crate::support::{Client, Cluster, Member};

fn publish(cluster: &Cluster, node: usize, channel: &str, n: usize) -> u64 {
    let answer =
        cluster.nodes[node].api("publish", &json!({ "channel": channel, "data": { "n": n } }));
    answer["result"]["offset"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn what_is_published_on_any_node_is_heard_on_all_once_and_in_order() {
    let cluster = Cluster::of(3);
    let mut members: Vec<_> =
        cluster.nodes.iter().map(|node| Member::enter(node, "ana", "room")).collect();
    for n in 0..60 {
        publish(&cluster, n % 3, "room", n);
    }
    members.iter_mut().for_each(|member| member.hear(60));
}

#[test]
fn who_hops_from_node_to_node_hears_everything_once() {
    let cluster = Cluster::of(3);
    let mut ana = Member::enter(&cluster.nodes[0], "ana", "room");
    for n in 0..30 {
        publish(&cluster, n % 3, "room", n);
        ana.hop(&cluster.nodes[(n + 1) % 3], "ana");
    }
    let last = publish(&cluster, 0, "room", 30);
    assert_eq!(last, 31);
    ana.hear_the_rest(last);
}

#[test]
fn channels_without_a_place_in_the_journal_are_heard_as_well() {
    let cluster = Cluster::of(2);
    for channel in ["signal:typing", "live:price"] {
        let mut ana = Client::connect(&cluster.nodes[0], "ana");
        let mut bo = Client::connect(&cluster.nodes[1], "bo");
        ana.subscribe(channel);
        bo.subscribe(channel);
        for n in 0..5 {
            ana.publish(channel, json!(n));
        }
        for n in 0..5 {
            assert_eq!(bo.push()["pub"]["data"], n, "{channel}");
            assert_eq!(ana.push()["pub"]["data"], n, "{channel}");
        }
    }
}

#[test]
fn a_history_in_memory_is_each_nodes_own_and_holds_what_all_said() {
    let cluster = Cluster::of(2);
    let mut listener = Client::connect(&cluster.nodes[1], "bo");
    listener.subscribe("live:price");
    cluster.nodes[0].api("publish", &json!({ "channel": "live:price", "data": 7 }));
    assert_eq!(listener.push()["pub"]["data"], 7);
    let history = |node: usize| -> Value {
        let ask = json!({ "channel": "live:price", "limit": 10 });
        cluster.nodes[node].api("history", &ask)["result"].clone()
    };
    assert_eq!(history(1)["publications"][0]["data"], 7);
    assert_ne!(history(0)["epoch"], history(1)["epoch"], "their offsets can't be compared");
}

#[test]
fn joins_and_leaves_are_heard_on_other_nodes() {
    let cluster = Cluster::of(2);
    let mut ana = Client::connect(&cluster.nodes[0], "ana");
    ana.subscribe("lobby:1");
    assert_eq!(ana.push()["join"]["info"]["user"], "ana");
    let mut bo = Client::connect(&cluster.nodes[1], "bo");
    bo.subscribe("lobby:1");
    assert_eq!(ana.push()["join"]["info"]["user"], "bo");
    drop(bo);
    assert_eq!(ana.push()["leave"]["info"]["user"], "bo");
}
