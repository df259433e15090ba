//! Many at once: whoever comes, goes and comes back in the middle of traffic sees each message once and in order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rand::RngExt;
use serde_json::json;

use crate::support::{Client, Crowd, DEADLINE, Member, Node, Person, Socket};

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
    const PEOPLE: usize = 3000;
    const ROOMS: usize = 30;
    // Built in but for the first ping, which shall come sooner than after 25 s: the pause is longer than a pong may
    // take, and pings are under way when it begins.
    let node = Node::with(&[("CLIENT__PING_INTERVAL", "9s")]);
    let room = |n| format!("room-{}", n % ROOMS);
    let mut crowd = Crowd::enter(&node, PEOPLE, Socket::open, room);
    let say = |data: &str| {
        let channels: Vec<_> = (0..ROOMS).map(room).collect();
        drop(node.api("broadcast", &json!({ "channels": channels, "data": data })));
    };
    let all_heard = |count| move |people: &[Person]| people.iter().all(|p| p.heard >= count);
    say("before");
    crowd.listen("everybody heard the first message", DEADLINE, all_heard(1));

    crowd.answers_pings = false;
    let pinged = |people: &[Person]| people.iter().filter(|p| p.owed > 0).count() >= PEOPLE / 2;
    crowd.listen("pings are on their way", DEADLINE * 2, pinged);
    node.signal(Signal::SIGSTOP);
    let resumed = Instant::now() + Duration::from_secs(12);
    crowd.pay();
    crowd.answers_pings = true;
    thread::sleep(resumed - Instant::now());
    node.signal(Signal::SIGCONT);

    say("after");
    crowd.listen("everybody heard the message after the pause", DEADLINE, all_heard(2));
    // A round of pings later everybody is still there.
    crowd.people.iter_mut().for_each(|person| person.pings = 0);
    let pinged = |people: &[Person]| people.iter().all(|p| p.pings > 0 || p.closed.is_some());
    crowd.listen("everybody was pinged again", DEADLINE * 2, pinged);
    say("later");
    crowd.listen("everybody heard the message after that", DEADLINE, all_heard(3));
    assert_eq!(crowd.closed(), 0, "nobody is closed for a silence that was ours");
    let info = node.api("info", &json!({}));
    assert_eq!(info["result"]["nodes"][0]["num_clients"], PEOPLE);
}
