//! Faults at the joints: a part that panics or a process that ends there loses and doubles nothing.
//!
//! Needs the feature `failpoints`; `make test` turns it on.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{API_KEY, Client, Member, Node, Socket, request, sign, until};

/// How long after a fault everybody has everything, without any further publish or reconnect.
const HEALS_WITHIN: Duration = Duration::from_secs(1);

/// Arms failpoints of a running node.
#[track_caller]
pub fn arm(node: &Node, plan: &str) {
    let answer = request(node.operator_port, "POST /failpoints HTTP/1.1", plan).expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// The witness: how often a point was hit.
pub fn hits(node: &Node, point: &str) -> u64 {
    let answer = request(node.operator_port, "GET /failpoints HTTP/1.1", "").expect("an answer");
    answer.json()[point].as_u64().unwrap_or(0)
}

fn top(node: &Node, channel: &str) -> u64 {
    let history = node.api("history", &json!({ "channel": channel, "limit": 0 }));
    history["result"]["offset"].as_u64().unwrap_or(0)
}

/// Publishes 5 at once and returns the replies, which come in order whatever they say.
#[track_caller]
fn five_at_once(publisher: &mut Client) -> Vec<Value> {
    let send = |n: u64| json!({ "publish": { "channel": "room", "data": n } });
    let ids: Vec<_> = (1..=5).map(|n| publisher.send(send(n))).collect();
    ids.into_iter().map(|id| publisher.reply(id)).collect()
}

/// Each outcome is an acknowledgement, or says that it may be tried again.
#[track_caller]
fn assert_honest(replies: &[Value]) {
    for reply in replies {
        let temporary = reply["error"]["temporary"] == true;
        assert!(reply["publish"].is_object() || temporary, "{reply}");
    }
}

#[test]
fn a_panic_at_a_joint_leaves_every_member_with_all_that_was_committed() {
    for point in ["room.handed_over", "append.committed", "writer.replied"] {
        let node = Node::start();
        let mut members: Vec<_> = (0..3)
            .map(|n| {
                let mut member = Client::connect(&node, &format!("member-{n}"));
                member.subscribe("room");
                member
            })
            .collect();
        let mut publisher = Client::connect(&node, "publisher");
        arm(&node, &format!("{point}=panic*1"));
        let replies = five_at_once(&mut publisher);
        assert!(hits(&node, point) > 0, "{point} was never reached");
        assert_honest(&replies);

        let begun = Instant::now();
        let top = top(&node, "room");
        let acknowledged = replies.iter().filter(|reply| reply["publish"].is_object()).count();
        assert!(top >= acknowledged as u64, "{point}: {acknowledged} acknowledged, {top} kept");
        for member in &mut members {
            for offset in 1..=top {
                assert_eq!(member.push()["pub"]["offset"], offset, "{point}");
            }
        }
        assert!(begun.elapsed() < HEALS_WITHIN, "{point} took {:?}", begun.elapsed());

        publisher.publish("room", json!("after"));
        for member in &mut members {
            let publication = member.push()["pub"].take();
            assert_eq!(publication["offset"], top + 1, "{point}: nothing twice, nothing left out");
        }
    }
}

#[test]
fn a_process_that_ends_at_a_joint_has_all_that_it_acknowledged() {
    for point in ["append.before", "append.committed", "writer.replied", "room.handed_over"] {
        let mut node = Node::start();
        let mut publisher = Client::connect(&node, "publisher");
        publisher.publish("room", json!(0));
        arm(&node, &format!("{point}=abort"));
        for n in 1..=5 {
            publisher.send(json!({ "publish": { "channel": "room", "data": n } }));
        }
        let mut acknowledged = 0;
        while let Ok(reply) = publisher.next_reply() {
            acknowledged += u64::from(reply["publish"].is_object());
        }
        assert!(!node.ended().success(), "{point} was never reached");

        node.launch();
        let history = node.api("history", &json!({ "channel": "room", "limit": -1 }));
        let said = history["result"]["publications"].as_array().unwrap();
        assert!(said.len() as u64 > acknowledged, "{point}: {history}");
        for (n, publication) in said.iter().enumerate() {
            let expected = (json!(n), json!(n + 1));
            assert_eq!((&publication["data"], &publication["offset"]), (&expected.0, &expected.1));
        }
    }
}

#[test]
fn a_journal_that_refuses_says_that_it_may_be_tried_again_and_then_goes_on() {
    let node = Node::start();
    let mut publisher = Client::connect(&node, "publisher");
    publisher.subscribe("room");
    arm(&node, "append.before=error*3");
    let publish = json!({ "publish": { "channel": "room", "data": "again and again" } });
    let mut refused = 0;
    until("a publish is acknowledged", Duration::from_secs(5), || {
        let reply = publisher.call(publish.clone());
        assert_honest(std::slice::from_ref(&reply));
        refused += u64::from(reply["error"]["code"] == 100);
        reply["publish"].is_object().then_some(())
    });
    assert!((1..=3).contains(&refused), "{refused} were refused");
    assert_eq!(publisher.push()["pub"]["offset"], 1, "what was refused left no hole");
}

#[test]
fn a_key_under_way_when_the_writer_panics_still_stands_for_one_message() {
    let node = Node::start();
    arm(&node, "append.committed=panic*1");
    let body = json!({ "channel": "room", "data": "once", "idempotency_key": "key" });
    let first = node.api("publish", &body);
    let again = until("the key was answered", Duration::from_secs(5), || {
        Some(node.api("publish", &body)).filter(|answer| answer["result"].is_object())
    });
    assert_eq!(again["result"]["offset"], 1, "the first answer was {first}");
    assert_eq!(top(&node, "room"), 1);
}

#[test]
fn a_hub_that_panics_half_way_through_its_members_leaves_nobody_deaf() {
    // One worker, so that all members are in the hub that falls.
    let node = Node::with(&[("HTTP_SERVER__WORKERS", "1")]);
    let mut members: Vec<_> =
        (0..6).map(|n| Member::enter(&node, &format!("member-{n}"), "room")).collect();
    let mut publisher = Client::connect(&node, "publisher");
    arm(&node, "hub.half=panic*1");
    let replies = five_at_once(&mut publisher);
    assert_eq!(hits(&node, "hub.half"), 1);
    assert!(replies.iter().all(|reply| reply["publish"].is_object()), "{replies:?}");

    let begun = Instant::now();
    let returns: Vec<_> = members.iter_mut().map(|member| member.hear_up_to(5)).collect();
    assert!(begun.elapsed() < HEALS_WITHIN, "it took {:?}", begun.elapsed());
    // Those in the second half missed the first message, and were told so once.
    assert_eq!(returns, [0, 0, 0, 1, 1, 1]);

    publisher.publish("room", json!("after"));
    members.iter_mut().for_each(|member| member.hear(1));
}

#[test]
fn a_hub_that_panics_at_the_last_message_heals_without_another() {
    let node = Node::with(&[("HTTP_SERVER__WORKERS", "1")]);
    let mut members: Vec<_> =
        (0..6).map(|n| Member::enter(&node, &format!("member-{n}"), "room")).collect();
    let mut publisher = Client::connect(&node, "publisher");
    arm(&node, "hub.half=panic*1");
    publisher.publish("room", json!("the only one"));
    assert_eq!(hits(&node, "hub.half"), 1);

    let begun = Instant::now();
    let returns: usize = members.iter_mut().map(|member| member.hear_up_to(1)).sum();
    assert!(begun.elapsed() < HEALS_WITHIN, "it took {:?}", begun.elapsed());
    assert_eq!(returns, 3);
}

#[test]
fn a_panic_at_the_directory_harms_only_the_connection_whose_command_it_was() {
    let node = Node::start();
    let mut members: Vec<_> =
        (0..4).map(|n| Member::enter(&node, &format!("member-{n}"), "room")).collect();
    let token = sign(&json!({ "sub": "unlucky" }));
    for (n, command) in [
        json!({ "connect": { "token": token } }),
        json!({ "subscribe": { "channel": "room" } }),
        json!({ "publish": { "channel": "room", "data": "lost" } }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut unlucky = match n {
            0 => Client::on(Socket::open(node.port)),
            _ => Client::connect(&node, "unlucky"),
        };
        let before = hits(&node, "directory.lookup");
        arm(&node, "directory.lookup=panic*1");
        unlucky.send(command.clone());
        let close = unlucky.next_reply().expect_err("a close").expect("a close frame");
        assert_eq!((close.code, hits(&node, "directory.lookup")), (3004, before + 1), "{command}");

        // The same person, the same room and everybody in it go on.
        let mut again = Client::connect(&node, "unlucky");
        again.subscribe("room");
        again.publish("room", json!(n));
        assert_eq!(again.push()["pub"]["data"], n);
        members.iter_mut().for_each(|member| member.hear(1));
    }
}

#[test]
fn a_request_that_panics_at_the_directory_is_the_only_one_that_fails() {
    let node = Node::start();
    let mut member = Member::enter(&node, "member", "room");
    let head = format!("POST /api/publish HTTP/1.1\r\nX-API-Key: {API_KEY}");
    let body = json!({ "channel": "room", "data": 1 }).to_string();
    arm(&node, "directory.lookup=panic*1");
    let outcome = request(node.port, &head, &body);
    assert_eq!(hits(&node, "directory.lookup"), 1);
    assert!(!outcome.is_ok_and(|answer| answer.status == 200), "it never got to the room");
    node.api("publish", &json!({ "channel": "room", "data": 2 }));
    member.hear(1);
}

#[test]
fn a_worker_that_pauses_at_the_directory_closes_nobody_and_loses_nothing() {
    let node = Node::with(&[("CLIENT__PING_INTERVAL", "1s"), ("CLIENT__PONG_TIMEOUT", "500ms")]);
    let mut members: Vec<_> =
        (0..8).map(|n| Member::enter(&node, &format!("member-{n}"), "room")).collect();
    let mut publisher = Client::connect(&node, "publisher");
    arm(&node, "directory.lookup=pause(3000)*1");
    // Whoever reads answers pings meanwhile.
    thread::scope(|scope| {
        let listening: Vec<_> =
            members.iter_mut().map(|member| scope.spawn(|| member.hear(2))).collect();
        publisher.publish("room", json!("slowly"));
        publisher.publish("room", json!("and on"));
        listening.into_iter().for_each(|member| member.join().expect("the member heard both"));
    });
    assert_eq!(hits(&node, "directory.lookup"), 1);
    let stats = node.api("presence_stats", &json!({ "channel": "room" }));
    assert_eq!(stats["result"]["num_clients"], 8);
}
