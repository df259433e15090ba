//! Who does too much is told when to come again, on whatever node, and nobody else is held up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    metrics::series,
    support::{Client, Close, Cluster, DEADLINE, Node, Socket, sign, until},
};

fn publish(client: &mut Client, n: usize) -> Value {
    client.call(json!({ "publish": { "channel": "room", "data": n } }))
}

/// Publishes until it is refused or has done so often; how many were taken.
fn published(client: &mut Client, most: usize) -> usize {
    (0..most).take_while(|n| publish(client, *n)["error"].is_null()).count()
}

/// Tries to connect; the close if there is one.
fn connect(node: &Node, user: &str) -> Result<Client, Option<Close>> {
    let mut client = Client::on(Socket::open(node.port));
    client.send(json!({ "connect": { "token": sign(&json!({ "sub": user })) } }));
    client.next_reply().map(|reply| {
        assert!(reply["error"].is_null(), "{reply}");
        client
    })
}

#[track_caller]
fn refused_with(code: u16, outcome: Result<Client, Option<Close>>) {
    match outcome {
        Ok(_) => panic!("expected to be closed with {code}, was let in"),
        Err(close) => assert_eq!(close.map(|close| close.code), Some(code)),
    }
}

/// The time that a refusal names.
#[track_caller]
fn try_again_in(refusal: &Value) -> Duration {
    assert_eq!(
        (&refusal["error"]["code"], &refusal["error"]["temporary"]),
        (&json!(111), &json!(true))
    );
    let words = refusal["error"]["message"].as_str().expect("words");
    let time = words.rsplit_once("try again in ").and_then(|(_, time)| time.strip_suffix(" ms"));
    Duration::from_millis(time.and_then(|ms| ms.parse().ok()).unwrap_or_else(|| panic!("{words}")))
}

/// Sends commands in one frame; the replies in their order.
fn in_a_frame(client: &mut Client, commands: Vec<Value>) -> Vec<Value> {
    let numbered = (101..).zip(commands).map(|(id, mut command): (u32, Value)| {
        command["id"] = id.into();
        command.to_string()
    });
    let frame: Vec<_> = numbered.collect();
    client.socket.text(&frame.join("\n"));
    (101..).take(frame.len()).map(|id| client.reply(id)).collect()
}

/// Asks again and again, each time after the time that it was told; how long that took.
#[track_caller]
fn heeds(client: &mut Client, command: &Value) -> Duration {
    let begun = Instant::now();
    loop {
        let reply = client.call(command.clone());
        if reply["error"].is_null() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < DEADLINE, "still {reply}");
        std::thread::sleep(try_again_in(&reply));
    }
}

#[test]
fn a_device_that_publishes_too_much_is_told_when_to_come_again_and_is_welcome_then() {
    let node = Node::with(&[
        ("CLIENT__RATE_LIMIT__DEVICE_PUBLISH_RATE", "1"),
        ("CLIENT__RATE_LIMIT__DEVICE_PUBLISH_BURST", "3"),
    ]);
    let mut phone = Client::connect(&node, "ana");
    let said = json!({ "channel": "room", "data": 4 });
    let by_rpc = json!({ "rpc": { "method": "publish", "data": said } });
    let mut frame = vec![json!({ "publish": said }); 4];
    frame.push(by_rpc.clone());
    let replies = in_a_frame(&mut phone, frame);
    assert!(replies[..3].iter().all(|reply| reply["error"].is_null()), "{replies:?}");
    let wait = try_again_in(&replies[3]);
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    try_again_in(&replies[4]);
    // Other commands, and another device of hers, are not held up.
    phone.subscribe("room");
    assert_eq!(published(&mut Client::connect(&node, "ana"), 3), 3);
    let waited = heeds(&mut phone, &by_rpc);
    assert!(waited < wait + DEADLINE / 2, "{waited:?}");
    // Nothing that was refused was said.
    let history = node.api("history", &json!({ "channel": "room" }));
    assert_eq!(history["result"]["offset"], 7, "{history}");
    assert!(series(&node, r#"fanfare_rate_limited_total{limit="device_publish"}"#) >= Some(2.0));
}

#[test]
fn a_frame_costs_as_many_commands_as_it_holds_and_an_unsubscribe_is_never_refused() {
    let node = Node::with(&[
        ("CLIENT__RATE_LIMIT__DEVICE_COMMAND_RATE", "1"),
        ("CLIENT__RATE_LIMIT__DEVICE_COMMAND_BURST", "4"),
    ]);
    let mut phone = Client::connect(&node, "ana");
    let mut frame = vec![json!({ "subscribe": { "channel": "room" } })];
    frame.extend(vec![json!({ "history": { "channel": "room" } }); 5]);
    frame.push(json!({ "unsubscribe": { "channel": "room" } }));
    let replies = in_a_frame(&mut phone, frame);
    let codes: Vec<_> =
        replies.iter().map(|reply| reply["error"]["code"].as_u64().unwrap_or(0)).collect();
    assert_eq!(codes, [0, 0, 0, 0, 111, 111, 0]);
}

#[test]
fn who_hammers_on_is_closed_with_3013_and_others_go_on() {
    let node = Node::with(&[
        ("CLIENT__RATE_LIMIT__DEVICE_COMMAND_RATE", "5"),
        ("CLIENT__RATE_LIMIT__DEVICE_COMMAND_BURST", "10"),
    ]);
    let mut wild = Client::connect(&node, "ana");
    let mut calm = Client::connect(&node, "bo");
    let mut refused = 0;
    let close = loop {
        wild.send(json!({ "history": { "channel": "room" } }));
        match wild.next_reply() {
            Ok(reply) => refused += u32::from(reply["error"]["code"] == 111),
            Err(close) => break close,
        }
        assert!(refused < 1_000, "nobody closed it");
    };
    assert_eq!(close.map(|close| close.code), Some(3013));
    assert!(refused >= 100, "ten bursts are borne, not {refused}");
    assert_eq!(published(&mut calm, 5), 5);
    assert_eq!(published(&mut Client::connect(&node, "ana"), 5), 5, "she may come back");
}

#[test]
fn a_storm_of_connects_by_one_user_is_sent_away_and_another_comes_in_meanwhile() {
    let node = Node::with(&[
        ("CLIENT__RATE_LIMIT__USER_CONNECT_RATE", "1"),
        ("CLIENT__RATE_LIMIT__USER_CONNECT_BURST", "3"),
    ]);
    let begun = Instant::now();
    let mut inside: Vec<_> = (0..3).map(|_| Client::connect(&node, "ana")).collect();
    let mut away = 0;
    for n in 0..20 {
        match connect(&node, "ana") {
            Ok(client) => inside.push(client),
            refused => {
                refused_with(3013, refused);
                away += 1;
            }
        }
        assert!(connect(&node, &format!("user-{n}")).is_ok());
    }
    let most = 3 + begun.elapsed().as_secs() as usize + 1;
    assert!(inside.len() <= most, "{} came in", inside.len());
    assert!(away >= 1);
    until("ana may come again", DEADLINE, || connect(&node, "ana").ok());
}

/// Two nodes that know of each other.
fn two(settings: &[(&str, &str)]) -> Cluster {
    let cluster = Cluster::with(2, settings);
    for node in &cluster.nodes {
        until("the nodes know of each other", Duration::from_secs(20), || {
            let all = ["fanfare_peers", "fanfare_bridge_trusted"];
            all.iter().all(|name| series(node, name) == Some(1.0)).then_some(())
        });
    }
    cluster
}

const PUBLISHES: [(&str, &str); 2] = [
    ("CLIENT__RATE_LIMIT__USER_PUBLISH_RATE", "1"),
    ("CLIENT__RATE_LIMIT__USER_PUBLISH_BURST", "40"),
];

/// Waits until Redis knows of so many that ana took.
#[track_caller]
fn told(cluster: &Cluster, what: &str, tokens: u64) {
    until("the others are told", DEADLINE, || {
        let bucket = cluster.redis.ask(&["GET", &format!("fanfare:b:{what}:ana")]).ok()?;
        let owed: u64 = bucket.first()?.split(' ').next()?.parse().ok()?;
        (owed >= tokens * 1_000_000).then_some(())
    });
}

#[test]
fn a_user_with_two_devices_on_two_nodes_is_held_to_one_limit() {
    let cluster = two(&PUBLISHES);
    let begun = Instant::now();
    let mut phone = Client::connect(&cluster.nodes[0], "ana");
    let mut laptop = Client::connect(&cluster.nodes[1], "ana");
    assert_eq!(published(&mut phone, 40), 40);
    told(&cluster, "publish", 25);
    let more = published(&mut laptop, 40);
    // A portion of four, what came while its charge was under way, and what the rate gave.
    let given = begun.elapsed().as_secs() as usize + 1;
    assert!(more <= 4 + 6 + given, "{more} on the other node, {given} s later");
    assert_eq!(published(&mut Client::connect(&cluster.nodes[1], "bo"), 40), 40);
    heeds(&mut laptop, &json!({ "publish": { "channel": "room", "data": 99 } }));
}

#[test]
fn what_is_taken_in_one_go_is_known_on_the_other_node() {
    let cluster = two(&[
        ("CLIENT__RATE_LIMIT__USER_COMMAND_RATE", "1"),
        ("CLIENT__RATE_LIMIT__USER_COMMAND_BURST", "40"),
    ]);
    let begun = Instant::now();
    let mut phone = Client::connect(&cluster.nodes[0], "ana");
    let mut laptop = Client::connect(&cluster.nodes[1], "ana");
    let replies = in_a_frame(&mut phone, vec![json!({ "unsubscribe": { "channel": "room" } }); 40]);
    assert!(replies.iter().all(|reply| reply["error"].is_null()));
    told(&cluster, "command", 25);
    let ask = json!({ "history": { "channel": "room" } });
    let more = (0..40).take_while(|_| laptop.call(ask.clone())["error"].is_null()).count();
    let given = begun.elapsed().as_secs() as usize + 1;
    assert!(more <= 4 + 6 + given, "{more} on the other node, {given} s later");
}

#[test]
fn without_redis_nobody_is_refused_who_is_within_the_limit_of_the_node() {
    let mut cluster = two(&PUBLISHES);
    let mut phone = Client::connect(&cluster.nodes[0], "ana");
    let mut laptop = Client::connect(&cluster.nodes[1], "ana");
    assert_eq!(published(&mut phone, 20), 20);
    told(&cluster, "publish", 10);
    cluster.redis.kill().expect("it dies");
    assert_eq!(published(&mut laptop, 40), 40, "its node has heard of nothing");
    assert_eq!(published(&mut phone, 20), 20);
    assert!(published(&mut laptop, 40) < 20, "that of the node is one");
    let unanswered = r#"fanfare_rate_limit_charges_total{outcome="unanswered"}"#;
    until("it is counted", DEADLINE, || series(&cluster.nodes[1], unanswered).filter(|n| *n > 0.0));
    cluster.redis.restart().expect("it comes back");
}

#[test]
fn a_user_has_so_many_connections_on_all_nodes_and_in_doubt_one_more() {
    let mut cluster = two(&[("CLIENT__USER_CONNECTION_LIMIT", "2")]);
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    let _phone = Client::connect(here, "ana");
    let laptop = Client::connect(there, "ana");
    for node in [here, there] {
        refused_with(3504, connect(node, "ana"));
        assert!(connect(node, "bo").is_ok());
    }
    drop(laptop);
    let _tablet = until("there is room again", DEADLINE, || connect(here, "ana").ok());
    refused_with(3504, connect(there, "ana"));
    cluster.redis.kill().expect("it dies");
    let [here, there] = &cluster.nodes[..] else { panic!("two nodes") };
    refused_with(3504, connect(here, "ana"));
    assert!(connect(there, "ana").is_ok(), "its own connections are few enough");
    assert!(series(there, "fanfare_user_connections_unsure_total") >= Some(1.0));
}

#[test]
fn connections_of_a_node_that_was_killed_do_not_count_after_its_lease() {
    let mut cluster = two(&[("CLIENT__USER_CONNECTION_LIMIT", "1"), ("CLUSTER__LEASE", "6s")]);
    let _phone = Client::connect(&cluster.nodes[0], "ana");
    refused_with(3504, connect(&cluster.nodes[1], "ana"));
    cluster.nodes[0].kill();
    refused_with(3504, connect(&cluster.nodes[1], "ana"));
    until("ana may come in", Duration::from_secs(30), || connect(&cluster.nodes[1], "ana").ok());
}
