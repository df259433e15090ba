//! Nodes on one PostgreSQL and nothing else: each hears what is said on the others, whatever falls.

use std::time::{Duration, Instant};

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::support::{API_KEY, Client, Cluster, Node, request, sql, until};

/// Nobody is behind for longer, whatever happened between the nodes.
const LATEST: Duration = Duration::from_millis(1_500);

/// A server and two nodes on it that have met.
pub fn pair(settings: &[(&str, &str)]) -> (Postgres, [Node; 2]) {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let start = |name: &str| {
        let mut all = vec![("POSTGRES__URL", url.as_str()), ("CLUSTER__NODE_NAME", name)];
        all.extend(settings);
        Node::with(&all)
    };
    let nodes = [start("one"), start("two")];
    for node in &nodes {
        meet(node, 1);
    }
    (server, nodes)
}

/// Waits until a node knows so many others.
#[track_caller]
pub fn meet(node: &Node, others: u64) {
    until("the nodes know each other", Duration::from_secs(5), || {
        (metric(node, "fanfare_peers") == others).then_some(())
    });
}

/// A metric without labels.
pub fn metric(node: &Node, name: &str) -> u64 {
    let answer = request(node.operator_port, "GET /metrics HTTP/1.1", "").expect("an answer");
    let line = answer.body.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

#[track_caller]
fn publish(node: &Node, data: u64) {
    let answer = node.api("publish", &json!({ "channel": "room", "data": data }));
    assert!(answer["result"]["offset"].is_u64(), "{answer}");
}

/// Like [`publish`], and takes no for an answer: the error's code, 0 for none.
#[track_caller]
fn try_to_publish(node: &Node, data: u64) -> u64 {
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json"
    );
    let body = json!({ "channel": "room", "data": data }).to_string();
    let answer = request(node.port, &head, &body).expect("an answer").json();
    answer["error"]["code"].as_u64().unwrap_or(0)
}

fn member(node: &Node) -> Client {
    let mut member = Client::connect(node, "ana");
    member.subscribe("room");
    member
}

/// The next publication.
#[track_caller]
fn heard(member: &mut Client) -> (u64, u64) {
    let publication = member.push()["pub"].take();
    let number = |value: &Value| value.as_u64().expect("a number");
    (number(&publication["offset"]), number(&publication["data"]))
}

#[test]
fn what_is_said_on_one_node_is_heard_on_the_other_once_and_in_order() {
    let (_server, nodes) = pair(&[]);
    let mut members: Vec<_> = nodes.iter().map(member).collect();
    for n in 1..=20 {
        publish(&nodes[n as usize % 2], n);
    }
    for member in &mut members {
        let all: Vec<_> = (1..=20).map(|_| heard(member)).collect();
        assert_eq!(all, (1..=20).map(|n| (n, n)).collect::<Vec<_>>());
    }
    let said = Instant::now();
    publish(&nodes[0], 21);
    assert_eq!(heard(&mut members[1]), (21, 21));
    assert!(said.elapsed() < LATEST, "{:?}", said.elapsed());
    assert!(metric(&nodes[1], "fanfare_learned_from_feed_total") > 0);
}

#[test]
fn a_node_alone_on_the_database_is_ready_and_one_that_ends_is_gone_at_once() {
    let (_server, [one, mut two]) = pair(&[]);
    two.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(two.ended().success());
    until("the other node is forgotten", Duration::from_secs(3), || {
        (metric(&one, "fanfare_peers") == 0).then_some(())
    });
    assert_eq!(one.ready().expect("an answer").status, 200);
}

#[test]
fn nodes_with_other_namespaces_say_so_and_stay_ready() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let one = Node::with(&[("POSTGRES__URL", &url), ("CLUSTER__NODE_NAME", "one")]);
    let two = Node::with(&[("POSTGRES__URL", &url), ("CHANNEL__MAX_LENGTH", "99")]);
    until("it is said", Duration::from_secs(5), || {
        let ready = two.ready()?;
        assert_eq!(ready.status, 200);
        ready.body.contains("node one has other namespaces").then_some(())
    });
    drop(one);
}

#[test]
fn with_single_node_nobody_is_followed() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let alone = Node::with(&[("POSTGRES__URL", &url), ("CLUSTER__SINGLE_NODE", "true")]);
    publish(&alone, 1);
    assert_eq!(metric(&alone, "fanfare_feed_lag_seconds_count"), 0);
}

#[test]
fn while_the_database_is_away_the_node_is_not_ready_and_delivery_comes_back_by_itself() {
    let (mut server, nodes) = pair(&[]);
    let mut there = member(&nodes[1]);
    publish(&nodes[0], 1);
    assert_eq!(heard(&mut there), (1, 1));
    server.stop().expect("it stops");
    let reason = until("the node says that it is not ready", Duration::from_secs(10), || {
        let ready = nodes[1].ready()?;
        (ready.status == 503).then_some(ready.body)
    });
    assert!(reason.contains("the journal could not be"), "{reason}");
    server.restart().expect("it starts again");
    let back = Instant::now();
    until("publishes are taken again", Duration::from_secs(10), || {
        (try_to_publish(&nodes[0], 2) == 0).then_some(())
    });
    let (offset, data) = heard(&mut there);
    assert_eq!((offset, data), (2, 2));
    assert!(back.elapsed() < Duration::from_secs(8), "{:?}", back.elapsed());
    for node in &nodes {
        until("the node is ready again", Duration::from_secs(10), || {
            (node.ready()?.status == 200).then_some(())
        });
    }
}

#[test]
fn another_history_is_told_to_members_of_a_silent_channel() {
    let (server, nodes) = pair(&[]);
    let mut members: Vec<_> = nodes.iter().map(member).collect();
    publish(&nodes[0], 1);
    for member in &mut members {
        assert_eq!(heard(member), (1, 1));
    }
    let before = Instant::now();
    // As a promotion does: another server, and every connection ends.
    sql(&server, "update journal_meta set system = 'another'");
    sql(
        &server,
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() \
         and application_name = 'fanfare'",
    );
    for mut member in members {
        let push = member.push();
        assert_eq!(push["unsubscribe"]["code"], 2500, "{push}");
        // One look that fails, a pause, and the next.
        assert!(before.elapsed() < LATEST + Duration::from_secs(1), "{:?}", before.elapsed());
        let recover = json!({ "subscribe": {
            "channel": "room", "recover": true, "offset": 1, "epoch": "old.0"
        } });
        let reply = member.call(recover);
        assert!(reply["subscribe"]["recovered"].is_null(), "{reply}");
    }
}

#[cfg(feature = "failpoints")]
mod faults {
    use super::*;

    #[track_caller]
    fn arm(node: &Node, plan: &str) {
        let answer = request(node.operator_port, "POST /failpoints HTTP/1.1", plan);
        assert_eq!(answer.expect("an answer").status, 204);
    }

    #[test]
    fn a_node_that_dies_between_commit_and_delivery_leaves_nobody_behind_in_a_silent_channel() {
        let (_server, [mut one, two]) = pair(&[]);
        let mut there = member(&two);
        publish(&one, 1);
        assert_eq!(heard(&mut there), (1, 1));
        arm(&one, "append.committed=abort");
        let mut publisher = Client::connect(&one, "bo");
        publisher.subscribe("room");
        let said = Instant::now();
        publisher.send(json!({ "publish": { "channel": "room", "data": 2 } }));
        assert_eq!(heard(&mut there), (2, 2));
        assert!(said.elapsed() < LATEST, "{:?}", said.elapsed());
        assert!(!one.ended().success(), "the witness: it died of it");
    }

    #[test]
    fn a_feed_that_falls_goes_on_where_it_was() {
        let (_server, [one, two]) = pair(&[]);
        let mut there = member(&two);
        arm(&two, "feed.seen=panic*2");
        for n in 1..=3 {
            publish(&one, n);
        }
        assert_eq!(
            (1..=3).map(|_| heard(&mut there)).collect::<Vec<_>>(),
            [(1, 1), (2, 2), (3, 3)]
        );
        until("it was restarted", Duration::from_secs(5), || {
            let answer = request(two.operator_port, "GET /metrics HTTP/1.1", "").ok()?;
            answer.body.contains("restarts_total{actor=\"feed\"} 2").then_some(())
        });
    }
}

#[test]
fn a_bridge_is_trusted_while_all_are_heard_on_it_and_without_it_the_feed_tells_all() {
    let mut cluster = Cluster::of(2);
    let trusted = |cluster: &Cluster, expected: u64, within: u64| {
        for node in &cluster.nodes {
            until("the bridge is worth that", Duration::from_secs(within), || {
                (metric(node, "fanfare_peers") == 1).then_some(())?;
                (metric(node, "fanfare_bridge_trusted") == expected).then_some(())
            });
        }
    };
    trusted(&cluster, 1, 10);
    let ready = cluster.nodes[1].ready().expect("an answer").json();
    assert_eq!(ready, json!({ "ready": true, "reasons": [] }));
    let mut there = member(&cluster.nodes[1]);
    publish(&cluster.nodes[0], 1);
    assert_eq!(heard(&mut there), (1, 1));
    cluster.redis.stop().expect("it stops");
    trusted(&cluster, 0, 10);
    let ready = cluster.nodes[1].ready().expect("an answer");
    assert_eq!(ready.status, 200, "it still delivers: {}", ready.body);
    assert!(ready.body.contains("of the bridge"), "{}", ready.body);
    let said = Instant::now();
    publish(&cluster.nodes[0], 2);
    assert_eq!(heard(&mut there), (2, 2));
    assert!(said.elapsed() < LATEST, "{:?}", said.elapsed());
    cluster.redis.restart().expect("it starts again");
    trusted(&cluster, 1, 20);
}
