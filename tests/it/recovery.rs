//! What a client gets back: how much at once, in which order, and what happens when it is more than fits.

use serde_json::{Value, json};

use crate::{
    metrics::series,
    support::{Client, Node, Socket, sign},
};

/// Says so many things of so many bytes each in a channel.
fn fill(node: &Node, channel: &str, count: usize, bytes: usize) {
    let data = "x".repeat(bytes);
    let publish = json!({ "publish": { "channel": channel, "data": data } });
    let most = (256 << 10) / (bytes + 100);
    let mut left = count;
    while left > 0 {
        let some = left.min(most.max(1));
        let replies = node.api("batch", &json!({ "commands": vec![&publish; some] }));
        let replies = replies["replies"].as_array().expect("replies");
        assert!(replies.iter().all(|reply| reply["publish"].is_object()), "{replies:?}");
        left -= some;
    }
}

fn epoch(node: &Node, channel: &str) -> Value {
    let history = node.api("history", &json!({ "channel": channel, "limit": 0 }));
    history["result"]["epoch"].clone()
}

fn recover(node: &Node, channel: &str, offset: u64) -> Value {
    let epoch = epoch(node, channel);
    json!({ "subscribe": { "channel": channel, "recover": true, "offset": offset, "epoch": epoch } })
}

fn offsets(publications: &Value) -> Vec<u64> {
    let publications = publications.as_array().map_or(&[][..], Vec::as_slice);
    publications.iter().filter_map(|p| p["offset"].as_u64()).collect()
}

#[test]
fn what_was_missed_is_recovered_up_to_512_kib() {
    let node = Node::start();
    fill(&node, "fits", 12, 40_000);
    fill(&node, "does-not", 14, 40_000);
    let mut client = Client::connect(&node, "ana");
    let whole = client.call(recover(&node, "fits", 0))["subscribe"].take();
    assert_eq!(whole["recovered"], true);
    assert_eq!(offsets(&whole["publications"]), (1..=12).collect::<Vec<_>>());
    assert_eq!(whole["offset"].as_u64().unwrap_or(0), 0, "the offset that the client sent");

    let not = client.call(recover(&node, "does-not", 0))["subscribe"].take();
    assert!(not["recovered"].is_null() && not["publications"].is_null(), "{not}");
    assert_eq!((&not["was_recovering"], &not["offset"]), (&json!(true), &json!(14)));
}

#[test]
fn a_client_that_insists_is_refused_with_112_when_it_cannot_recover() {
    let node = Node::start();
    fill(&node, "room", 1, 10);
    let mut client = Client::connect(&node, "ana");
    let mut command = recover(&node, "room", 0);
    command["subscribe"]["epoch"] = json!("other");
    command["subscribe"]["flag"] = json!(3);
    let reply = client.call(command);
    assert_eq!(reply["error"]["code"], 112, "{reply}");
    // The subscription is not half there.
    client.subscribe("room");
}

#[test]
fn ten_recoveries_in_one_frame_wait_for_room_instead_of_cutting_the_client() {
    let node = Node::start();
    let channels: Vec<_> = (0..10).map(|n| format!("room-{n}")).collect();
    for channel in &channels {
        fill(&node, channel, 10, 40_000);
    }
    let mut client = Client::on(Socket::open(node.port));
    let token = sign(&json!({ "sub": "ana" }));
    let mut commands = vec![json!({ "id": 1, "connect": { "token": token } })];
    for (n, channel) in channels.iter().enumerate() {
        let mut command = recover(&node, channel, 0);
        command["id"] = json!(n + 2);
        commands.push(command);
    }
    let frame: Vec<_> = commands.iter().map(Value::to_string).collect();
    client.socket.text(&frame.join("\n"));
    assert!(client.reply(1)["connect"].is_object());
    for (n, _) in channels.iter().enumerate() {
        let reply = client.reply(n as u32 + 2);
        let result = &reply["subscribe"];
        assert_eq!(result["recovered"], true, "{}", reply["error"]);
        assert_eq!(offsets(&result["publications"]), (1..=10).collect::<Vec<_>>());
    }
}

#[test]
pub fn who_reads_nothing_for_a_while_is_given_no_more_than_it_has_room_for() {
    let node = Node::start();
    fill(&node, "room", 12, 40_000);
    let mut client = Client::connect(&node, "ana");
    let command = recover(&node, "room", 0);
    // More than the sockets of the kernel and the outbox of 1 MiB can hold together.
    let recoveries: Vec<_> = (0..60)
        .map(|_| {
            let id = client.send(command.clone());
            client.send(json!({ "unsubscribe": { "channel": "room" } }));
            id
        })
        .collect();
    let recovered = || series(&node, r#"fanfare_recovered_total{outcome="whole"}"#).unwrap_or(0.0);
    let mut clock = Client::connect(&node, "clock");
    let mut before = 0.0;
    // Until it rests: it is out of room, or out of questions.
    while before == 0.0 || before < recovered() {
        before = recovered();
        for n in 0..40 {
            clock.publish("clock", json!(n));
        }
    }
    for id in recoveries {
        let result = client.reply(id)["subscribe"].take();
        assert_eq!(result["recovered"], true);
        assert_eq!(offsets(&result["publications"]), (1..=12).collect::<Vec<_>>());
    }
}

#[test]
fn a_page_of_history_has_300_messages_for_clients_and_any_number_for_backends() {
    let node = Node::start();
    fill(&node, "room", 310, 10);
    let mut client = Client::connect(&node, "ana");
    for limit in [-1, 310] {
        let reply = client.call(json!({ "history": { "channel": "room", "limit": limit } }));
        let page = offsets(&reply["history"]["publications"]);
        assert_eq!(page, (1..=300).collect::<Vec<_>>(), "limit {limit}");
    }
    let history = node.api("history", &json!({ "channel": "room", "limit": -1 }));
    assert_eq!(offsets(&history["result"]["publications"]).len(), 310);
}

#[test]
fn a_refused_publish_among_others_is_answered_in_its_place() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    client.subscribe("room");
    let mut expected = Vec::new();
    for n in 0..40 {
        let channel = if n % 4 == 3 { "closed:room" } else { "room" };
        let id = client.send(json!({ "publish": { "channel": channel, "data": n } }));
        expected.push((id, n % 4 == 3));
    }
    for (id, refused) in expected {
        let reply = client.next_reply().expect("a reply");
        assert_eq!(reply["id"], id, "answers come in the order of the questions");
        assert_eq!(reply["error"]["code"] == 103, refused, "{reply}");
    }
    let heard: Vec<_> = (0..30).map(|_| client.push()["pub"]["data"].as_u64().unwrap()).collect();
    assert_eq!(heard, (0..40).filter(|n| n % 4 != 3).collect::<Vec<_>>());
}

#[test]
fn a_client_ahead_of_the_journal_is_told_so_and_hears_what_comes_next() {
    let node = Node::start();
    fill(&node, "room", 3, 10);
    let mut client = Client::connect(&node, "ana");
    let result = client.call(recover(&node, "room", 9))["subscribe"].take();
    assert!(result["recovered"].is_null(), "{result}");
    assert_eq!((&result["was_recovering"], &result["offset"]), (&json!(true), &json!(3)));
    fill(&node, "room", 1, 10);
    assert_eq!(client.push()["pub"]["offset"], 4);
}

#[test]
fn a_channel_given_by_a_backend_is_announced_before_anything_that_happens_in_it() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    node.api("subscribe", &json!({ "user": "ana", "channel": "lobby:room" }));
    let first = client.push();
    assert!(first["subscribe"].is_object(), "an SDK drops what it is told before: {first}");
    assert!(client.push()["join"].is_object());
}

#[test]
fn a_channel_given_by_a_backend_with_a_position_brings_what_was_said_since() {
    let node = Node::start();
    fill(&node, "room", 3, 10);
    let mut client = Client::connect(&node, "ana");
    let since = json!({ "offset": 1, "epoch": epoch(&node, "room") });
    node.api("subscribe", &json!({ "user": "ana", "channel": "room", "recover_since": since }));
    fill(&node, "room", 1, 10);
    let mut told = None;
    let mut heard = Vec::new();
    while heard.last() != Some(&4) {
        let push = client.push();
        match push["subscribe"].is_object() {
            true => told = Some(push["subscribe"]["offset"].as_u64().unwrap_or(0)),
            false => heard.extend(push["pub"]["offset"].as_u64()),
        }
    }
    let told = told.expect("the subscription was announced");
    let expected: Vec<_> = (told + 1..=4).collect();
    assert_eq!(heard, expected, "told to stand at {told}, so this is what has to follow");
}
