//! What nodes count together, on real servers.

use std::time::Instant;

use super::*;
use crate::{
    ids::UserId,
    realtime::bridge::{COUNT_HOLDS, Charge, Crowd},
};

const TOKEN: u64 = 1_000_000;

/// So many tokens by somebody who knows of no other, at a rate of ten a second, and never more than a hundred.
pub(super) fn charge(user: &str, tokens: u64) -> Charge {
    let (user, taken) = (UserId::new(user), tokens * TOKEN);
    let most = 100 * TOKEN;
    Charge { what: "publish", user, rate: 10, most, taken, owed: taken, left: 0 }
}

async fn owed(node: &Node, charge: Charge) -> u64 {
    node.bridge.charge(charge).await.expect("an answer").owed
}

pub(super) fn crowd(user: &str, here: usize, most: Option<usize>) -> Crowd {
    Crowd { user: UserId::new(user), here, most }
}

#[actix::test]
async fn what_is_charged_on_two_nodes_adds_up_and_comes_back_at_the_rate() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    let mut begun = Instant::now();
    let mut before = owed(&ana, charge("cleo", 20)).await;
    assert_eq!(before, 20 * TOKEN);
    for (n, node) in [&bo, &ana, &bo, &ana, &bo].into_iter().enumerate() {
        let asked = Instant::now();
        let now = owed(node, charge("cleo", 5)).await;
        // What comes back meanwhile is ten millionths a microsecond.
        let back = 10 * (begun.elapsed().as_micros() as u64 + 1);
        assert!(now <= before + 5 * TOKEN, "{n}: {before}, {now}");
        assert!(now + back >= before + 5 * TOKEN, "{n}: {before}, {now}");
        (before, begun) = (now, asked);
    }
    assert_eq!(owed(&ana, charge("dana", 1)).await, TOKEN, "others owe nothing");
    assert_eq!(owed(&bo, charge("cleo", 500)).await, 100 * TOKEN, "the rest is given");
    let left: u64 = redis.ask(&["PTTL", "test:b:publish:cleo"]).unwrap()[0].parse().unwrap();
    assert!((1..=10_001).contains(&left), "it is gone when it is full again: {left}");
}

#[actix::test]
async fn a_bucket_comes_back_while_nobody_looks() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, _bo) = two(&redis.url()).await;
    let now: Vec<u64> =
        redis.ask(&["TIME"]).unwrap().iter().map(|word| word.parse().unwrap()).collect();
    let now = now[0] * TOKEN + now[1];
    for (before, at, least, most) in [
        (50, now - 3 * TOKEN, 20, 22),
        (50, now - 60 * TOKEN, 1, 1),
        // The clock was set back: nothing comes back, and nothing is lost.
        (50, now + 60 * TOKEN, 51, 51),
    ] {
        redis.ask(&["SET", "test:b:publish:cleo", &format!("{} {at}", before * TOKEN)]).unwrap();
        let after = owed(&ana, charge("cleo", 1)).await;
        assert!((least * TOKEN / 2..=most * TOKEN).contains(&after), "{least} {most} {after}");
    }
    redis.ask(&["SET", "test:b:publish:cleo", "from the future"]).unwrap();
    assert_eq!(owed(&ana, charge("cleo", 1)).await, TOKEN);
}

#[actix::test]
async fn what_came_back_while_a_portion_was_taken_is_known_to_a_node_that_was_alone() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    let slowly = |owed: u64, left| Charge { owed: owed * TOKEN, left, ..charge("cleo", 10) };
    let first = ana.bridge.charge(slowly(2, 0)).await.expect("an answer");
    assert_eq!(first.owed, 2 * TOKEN);
    let second = ana.bridge.charge(slowly(3, first.left)).await.expect("an answer");
    assert_eq!(second.owed, 3 * TOKEN);
    // Somebody else has charged something meanwhile: what both say adds up.
    assert!(owed(&bo, slowly(1, first.left)).await > 10 * TOKEN);
    assert!(owed(&ana, slowly(3, second.left)).await > 20 * TOKEN);
}

#[actix::test]
async fn one_place_is_given_once_whoever_asks() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    let [one, other] = [&ana, &bo].map(|node| node.bridge.crowd(crowd("cleo", 0, Some(1))));
    let (one, other) = futures_util::future::join(one, other).await;
    assert!(one.is_some() && other.is_some());
    assert_ne!(one, other);
    let (first, second) = if one == Some(true) { (&ana, &bo) } else { (&bo, &ana) };
    assert_eq!(second.bridge.crowd(crowd("cleo", 0, Some(2))).await, Some(true));
    assert_eq!(first.bridge.crowd(crowd("cleo", 1, Some(2))).await, Some(false));
    // One goes on the one, and the other has room again.
    assert_eq!(first.bridge.crowd(crowd("cleo", 0, None)).await, Some(false));
    assert_eq!(second.bridge.crowd(crowd("cleo", 1, Some(2))).await, Some(true));
    assert_eq!(first.bridge.crowd(crowd("dana", 0, Some(1))).await, Some(true));
}

#[actix::test]
async fn who_is_not_known_to_live_and_what_is_old_does_not_count() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    let time: u64 = redis.ask(&["TIME"]).unwrap()[0].parse().unwrap();
    let stranger = NodeId::new().to_string();
    redis.ask(&["HSET", "test:u:cleo", &stranger, &format!("7 {time}")]).unwrap();
    let old = format!("7 {}", time - COUNT_HOLDS - 5);
    redis.ask(&["HSET", "test:u:cleo", &bo.id.to_string(), &old]).unwrap();
    redis.ask(&["HSET", "test:u:cleo", "somebody", "from the future"]).unwrap();
    assert_eq!(ana.bridge.crowd(crowd("cleo", 0, Some(1))).await, Some(true));
    let mut left = redis.ask(&["HKEYS", "test:u:cleo"]).unwrap();
    left.sort();
    let mut known = vec![stranger, ana.id.to_string()];
    known.sort();
    assert_eq!(left, known);
    let holds: u64 = redis.ask(&["TTL", "test:u:cleo"]).unwrap()[0].parse().unwrap();
    assert!((COUNT_HOLDS - 10..=COUNT_HOLDS).contains(&holds), "{holds}");
    // The same from a run that is heard counts.
    redis.ask(&["HSET", "test:u:cleo", &bo.id.to_string(), &format!("7 {time}")]).unwrap();
    assert_eq!(ana.bridge.crowd(crowd("cleo", 1, Some(8))).await, Some(false));
    assert_eq!(ana.bridge.crowd(crowd("cleo", 1, Some(9))).await, Some(true));
}

#[actix::test]
async fn nobody_is_kept_waiting_by_a_server_that_is_not_there() {
    let mut redis = Redis::start(&[]).unwrap();
    let (ana, _bo) = two(&redis.url()).await;
    redis.kill().unwrap();
    assert_eq!(ana.bridge.charge(charge("cleo", 1)).await, None);
    assert_eq!(ana.bridge.crowd(crowd("cleo", 0, Some(1))).await, None);
}

#[actix::test]
async fn each_server_of_a_cluster_has_its_share_of_the_users() {
    let mut cluster = Cluster::start(&[]).unwrap();
    let hosts: Vec<_> =
        cluster.urls().iter().map(|url| url.trim_start_matches("redis://").to_owned()).collect();
    let ana = node(&format!("redis+cluster://{}", hosts.join(",")), None);
    for shard in 0..3 {
        ana.ears.beacon_of(ana.id, shard).await;
    }
    for n in 0..30 {
        let user = format!("user-{n}{{not a tag");
        assert_eq!(owed(&ana, charge(&user, 1)).await, TOKEN, "{user}");
        assert_eq!(ana.bridge.crowd(crowd(&user, 0, Some(1))).await, Some(true), "{user}");
    }
    for server in cluster.nodes() {
        let keys = server.ask(&["KEYS", "test:b:*"]).unwrap();
        assert!(keys.len() > 1, "{keys:?}");
    }
}
