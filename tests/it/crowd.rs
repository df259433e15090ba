//! Many at once: whoever comes, goes and comes back in the middle of traffic sees each message once and in order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rand::RngExt;
use serde_json::json;

use crate::support::{Client, Member, Node};

/// Lets two publishers talk while `act` runs; returns how many messages there were.
fn while_people_talk(node: &Node, act: impl FnOnce()) -> u64 {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for user in ["one", "two"] {
            let done = &done;
            scope.spawn(move || {
                let mut publisher = Client::connect(node, user);
                while !done.load(Ordering::Relaxed) {
                    publisher.publish("crowd", json!({ "from": user }));
                }
            });
        }
        act();
        done.store(true, Ordering::Relaxed);
    });
    let history = node.api("history", &json!({ "channel": "crowd", "limit": 0 }));
    history["result"]["offset"].as_u64().unwrap_or(0)
}

#[test]
fn members_that_come_in_the_middle_of_traffic_miss_nothing_after_their_position() {
    let node = Node::start();
    while_people_talk(&node, || {
        for n in 0..100 {
            Member::enter(&node, &format!("user-{n}"), "crowd").hear(3);
        }
    });
}

#[test]
fn members_that_hop_recover_everything_in_between() {
    let node = Node::start();
    let top = while_people_talk(&node, || {
        thread::scope(|scope| {
            for n in 0..4 {
                let node = &node;
                scope.spawn(move || {
                    let user = format!("hopper-{n}");
                    let mut member = Member::enter(node, &user, "crowd");
                    for _ in 0..50 {
                        member.hear(rand::rng().random_range(0..5));
                        member.hop(node, &user);
                    }
                });
            }
        });
    });
    assert!(top > 100, "only {top} messages were said meanwhile");
}

#[test]
fn members_that_flap_are_never_left_deaf() {
    let node = Node::start();
    while_people_talk(&node, || {
        let mut member = Member::enter(&node, "flapper", "crowd");
        for _ in 0..200 {
            member.flap();
            member.hear(rand::rng().random_range(0..2));
        }
        member.hear(20);
    });
}

#[test]
fn after_a_pause_of_the_whole_process_nobody_is_closed_or_deaf() {
    let node = Node::with(&[("CLIENT__PING_INTERVAL", "1s"), ("CLIENT__PONG_TIMEOUT", "500ms")]);
    let mut members: Vec<_> =
        (0..50).map(|n| Member::enter(&node, &format!("user-{n}"), "crowd")).collect();
    // Whoever reads answers pings meanwhile, so that the only silence is that of the node.
    thread::scope(|scope| {
        let listening: Vec<_> =
            members.iter_mut().map(|member| scope.spawn(|| member.hear(2))).collect();
        let say = |n| drop(node.api("publish", &json!({ "channel": "crowd", "data": n })));
        say(1);
        node.signal(Signal::SIGSTOP);
        let resumed = Instant::now() + Duration::from_secs(4);
        thread::sleep(resumed - Instant::now());
        node.signal(Signal::SIGCONT);
        // Two rounds of pings later everybody is still there.
        let after = Instant::now() + Duration::from_millis(2500);
        thread::sleep(after - Instant::now());
        say(2);
        for member in listening {
            member.join().expect("the member heard both");
        }
    });
    let stats = node.api("presence_stats", &json!({ "channel": "crowd" }));
    assert_eq!(stats["result"]["num_clients"], 50);
}
