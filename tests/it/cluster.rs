//! Several nodes act as one: what is said on any of them is heard on all, once and in order.

use std::time::{Duration, Instant};

use fanfare::platform::scratch::{Postgres, Redis};
use serde_json::{Value, json};

use crate::support::{API_KEY, Client, Cluster, Member, Node, Relay, request, until};

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

/// The users in a channel, as a node's server API sees them.
fn present(cluster: &Cluster, node: usize, channel: &str) -> Vec<String> {
    let answer = cluster.nodes[node].api("presence", &json!({ "channel": channel }));
    let present = answer["result"]["presence"].as_object().cloned().unwrap_or_default();
    let mut users: Vec<_> = present.values().map(|who| who["user"].as_str()).collect();
    users.sort();
    users.into_iter().flatten().map(str::to_owned).collect()
}

#[track_caller]
fn until_present(cluster: &Cluster, channel: &str, users: &[&str]) {
    for node in 0..cluster.nodes.len() {
        until("presence is what it should be", Duration::from_secs(30), || {
            (present(cluster, node, channel) == users).then_some(())
        });
    }
}

fn enter(cluster: &Cluster, node: usize, user: &str, channel: &str) -> Client {
    let mut client = Client::connect(&cluster.nodes[node], user);
    client.subscribe(channel);
    client
}

#[test]
fn presence_is_of_all_nodes_and_survives_a_redis_that_forgets() {
    let mut cluster = Cluster::of(2);
    let mut ana = enter(&cluster, 0, "ana", "lobby:1");
    let bo = enter(&cluster, 1, "bo", "lobby:1");
    until_present(&cluster, "lobby:1", &["ana", "bo"]);
    let stats = cluster.nodes[1].api("presence_stats", &json!({ "channel": "lobby:1" }));
    assert_eq!(stats["result"], json!({ "num_clients": 2, "num_users": 2 }));
    let joined = |push: Value| push["join"]["info"]["user"].as_str().map(str::to_owned);
    assert_eq!(joined(ana.push()).as_deref(), Some("ana"));
    assert_eq!(joined(ana.push()).as_deref(), Some("bo"));
    cluster.redis.ask(&["FLUSHALL"]).expect("it forgets");
    until_present(&cluster, "lobby:1", &["ana", "bo"]);
    cluster.redis.kill().expect("it dies");
    cluster.redis.restart().expect("it comes back, empty");
    until_present(&cluster, "lobby:1", &["ana", "bo"]);
    // Nobody left: the next that ana hears is a leave that happened.
    drop(bo);
    assert_eq!(ana.push()["leave"]["info"]["user"], "bo");
    until_present(&cluster, "lobby:1", &["ana"]);
}

#[test]
fn an_order_does_not_wait_for_the_next_look() {
    let cluster = Cluster::of(2);
    let _bo = Client::connect(&cluster.nodes[1], "bo");
    until_degraded(&cluster, false);
    let begun = Instant::now();
    for _ in 0..10 {
        cluster.nodes[0].api("unsubscribe", &json!({ "user": "bo", "channel": "lobby:1" }));
    }
    // Looks come a second after one another.
    assert!(begun.elapsed() < Duration::from_secs(5), "ten orders took {:?}", begun.elapsed());
}

#[test]
fn who_left_while_redis_was_away_is_not_shown_when_it_is_back() {
    let mut cluster = Cluster::on(&["appendonly yes", "appendfsync always"], 2, &[]);
    let _ana = enter(&cluster, 0, "ana", "lobby:1");
    let bo = enter(&cluster, 0, "bo", "lobby:1");
    let cy = enter(&cluster, 0, "cy", "lobby:2");
    until_present(&cluster, "lobby:1", &["ana", "bo"]);
    until_present(&cluster, "lobby:2", &["cy"]);
    cluster.redis.kill().expect("it dies");
    drop((bo, cy));
    let _dee = enter(&cluster, 1, "dee", "lobby:1");
    cluster.redis.restart().expect("it comes back and has forgotten nothing");
    until_present(&cluster, "lobby:1", &["ana", "dee"]);
    until_present(&cluster, "lobby:2", &[]);
}

#[test]
fn the_members_of_a_node_that_died_leave_once() {
    let mut cluster = Cluster::with(3, &[("CLUSTER__LEASE", "6s")]);
    let mut ana = enter(&cluster, 0, "ana", "lobby:1");
    let mut bo = enter(&cluster, 1, "bo", "lobby:1");
    let _gone = enter(&cluster, 2, "cy", "lobby:1");
    until_present(&cluster, "lobby:1", &["ana", "bo", "cy"]);
    let hears = |client: &mut Client, what: &str, user: &str| {
        while client.push()[what]["info"]["user"] != *user {}
    };
    hears(&mut ana, "join", "cy");
    hears(&mut bo, "join", "cy");
    cluster.nodes[2].kill();
    for client in [&mut ana, &mut bo] {
        let push = client.push();
        assert_eq!(push["leave"]["info"]["user"], "cy", "{push}");
    }
    cluster.nodes.pop();
    until_present(&cluster, "lobby:1", &["ana", "bo"]);
    let dee = enter(&cluster, 0, "dee", "lobby:1");
    for client in [&mut ana, &mut bo] {
        let push = client.push();
        assert_eq!(push["join"]["info"]["user"], "dee", "no second leave: {push}");
    }
    drop(dee);
}

#[test]
fn who_is_on_other_nodes_is_not_guessed_while_redis_is_away() {
    let mut cluster = Cluster::of(2);
    let _ana = enter(&cluster, 0, "ana", "lobby:1");
    cluster.redis.kill().expect("it dies");
    let ask = json!({ "channel": "lobby:1" }).to_string();
    let head = format!(
        "POST /api/presence HTTP/1.1\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json"
    );
    let answer = request(cluster.nodes[1].port, &head, &ask).expect("an answer").json();
    assert_eq!(answer["error"]["code"], 100, "{answer}");
    cluster.redis.restart().expect("it comes back");
    until_present(&cluster, "lobby:1", &["ana"]);
}

#[test]
fn who_comes_back_to_many_channels_waits_for_a_slow_redis_once_and_not_once_a_channel() {
    let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
    let redis = Redis::start(&[]).expect("a Redis server");
    let relay = Relay::to(redis.port());
    let (database, bridge) =
        (postgres.url("postgres"), format!("redis://127.0.0.1:{}", relay.port()));
    let settings = [("POSTGRES__URL", database.as_str()), ("REDIS__URL", bridge.as_str())];
    let nodes = [Node::with(&settings), Node::with(&settings)];
    let channels: Vec<String> = (0..100).map(|n| format!("room-{n}")).collect();
    let stood: Vec<Value> = channels
        .iter()
        .map(|channel| {
            let publish = |n: u64| {
                let said = nodes[0].api("publish", &json!({ "channel": channel, "data": n }));
                said["result"].clone()
            };
            let first = publish(1);
            publish(2);
            json!({ "channel": channel, "recover": true, "epoch": first["epoch"], "offset": 1 })
        })
        .collect();
    relay.delay(Duration::from_millis(300));
    let mut ana = Client::connect(&nodes[1], "ana");
    let came = Instant::now();
    let ids: Vec<u32> = stood.iter().map(|stood| ana.send(json!({ "subscribe": stood }))).collect();
    for id in ids {
        let reply = ana.reply(id);
        let missed = &reply["subscribe"]["publications"];
        assert_eq!(missed.as_array().map(Vec::len), Some(1), "{reply}");
        assert_eq!(missed[0]["data"], 2, "{reply}");
    }
    assert!(came.elapsed() < Duration::from_secs(5), "{:?}", came.elapsed());
}
