//! Several nodes act as one: what is said on any of them is heard on all, once and in order.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Cluster, Member, until};

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

/// What an operator is told.
fn condition(cluster: &Cluster, node: usize) -> String {
    cluster.nodes[node].ready().map_or_else(String::new, |answer| answer.body)
}

#[track_caller]
fn until_degraded(cluster: &Cluster, is_degraded: bool) {
    for node in 0..cluster.nodes.len() {
        until("/ready says how the bridge is", Duration::from_secs(20), || {
            (condition(cluster, node).contains("bridge") == is_degraded).then_some(())
        });
    }
}

/// Publishes on each node in turn; all hear it soon.
#[track_caller]
fn said_and_heard(cluster: &Cluster, members: &mut [Member], count: usize) {
    for n in 0..count {
        let at = Instant::now();
        publish(cluster, n % cluster.nodes.len(), "room", n);
        members.iter_mut().for_each(|member| member.hear(1));
        assert!(at.elapsed() < Duration::from_millis(1500), "after {:?}", at.elapsed());
    }
}

#[test]
fn without_redis_everything_is_heard_by_the_journal_and_ready_says_so() {
    let mut cluster = Cluster::of(2);
    until_degraded(&cluster, false);
    let mut members: Vec<_> =
        cluster.nodes.iter().map(|node| Member::enter(node, "ana", "room")).collect();
    said_and_heard(&cluster, &mut members, 4);
    cluster.redis.kill().expect("it dies");
    said_and_heard(&cluster, &mut members, 10);
    until_degraded(&cluster, true);
    let mut late = Member::enter(&cluster.nodes[0], "bo", "room");
    publish(&cluster, 1, "room", 99);
    late.hear(1);
    members.iter_mut().for_each(|member| member.hear(1));
    cluster.redis.restart().expect("it comes back");
    until_degraded(&cluster, false);
    said_and_heard(&cluster, &mut members, 10);
}

#[test]
fn a_redis_that_does_not_answer_holds_up_nobody() {
    let cluster = Cluster::of(2);
    until_degraded(&cluster, false);
    let mut members: Vec<_> =
        cluster.nodes.iter().map(|node| Member::enter(node, "ana", "room")).collect();
    cluster.redis.pause().expect("it stops");
    said_and_heard(&cluster, &mut members, 4);
    until_degraded(&cluster, true);
    said_and_heard(&cluster, &mut members, 4);
    cluster.redis.resume().expect("it goes on");
    until_degraded(&cluster, false);
    said_and_heard(&cluster, &mut members, 4);
}

#[test]
fn a_redis_that_forgot_everything_changes_nothing() {
    let cluster = Cluster::of(2);
    let mut members: Vec<_> =
        cluster.nodes.iter().map(|node| Member::enter(node, "ana", "room")).collect();
    cluster.redis.ask(&["FLUSHALL"]).expect("it forgets");
    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).expect("it hangs up");
    said_and_heard(&cluster, &mut members, 10);
}
