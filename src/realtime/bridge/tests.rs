//! The bridge against real servers: alone, watched by sentinels, as a cluster.

mod counting;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::Arbiter;
use tokio::sync::Notify;

use super::{Arrived, BridgeHandle, Ears, Options};
use crate::{
    ids::{Channel, NodeId},
    platform::{
        metrics::{Labels, Metrics},
        redis_client,
        scratch::redis::{Cluster, Redis, Sentinels},
    },
    protocol::{Epoch, Payload, Position, Publication},
};

/// No wait of these tests is longer.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, Debug)]
enum Heard {
    Arrived(Channel, Arrived),
    Listening(Channel),
    Missed(Channel),
    Beacon(NodeId, usize),
    Shards(usize),
    Nudged,
}

#[derive(Default)]
struct Recorder {
    heard: Mutex<Vec<Heard>>,
    more: Notify,
}

impl Recorder {
    fn push(&self, heard: Heard) {
        self.heard.lock().unwrap().push(heard);
        self.more.notify_waiters();
    }

    /// What was heard up to now does not count.
    fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    /// Waits until it was heard, and forgets that.
    async fn hears(&self, what: impl Fn(&Heard) -> bool) -> Heard {
        let wait = async {
            loop {
                let more = self.more.notified();
                {
                    let mut heard = self.heard.lock().unwrap();
                    if let Some(at) = heard.iter().position(&what) {
                        return heard.remove(at);
                    }
                }
                more.await;
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(heard) => heard,
            Err(_) => panic!("not heard in time; heard: {:?}", self.heard.lock().unwrap()),
        }
    }

    async fn listens(&self, channel: &Channel) {
        self.hears(|it| *it == Heard::Listening(channel.clone())).await;
    }

    async fn beacon_of(&self, node: NodeId, shard: usize) {
        self.hears(|it| *it == Heard::Beacon(node, shard)).await;
    }
}

impl Ears for Recorder {
    fn arrived(&self, channel: &Channel, arrived: Arrived) {
        self.push(Heard::Arrived(channel.clone(), arrived));
    }
    fn listening(&self, channel: &Channel) {
        self.push(Heard::Listening(channel.clone()));
    }
    fn missed(&self, channel: &Channel) {
        self.push(Heard::Missed(channel.clone()));
    }
    fn beacon(&self, from: NodeId, shard: usize) {
        self.push(Heard::Beacon(from, shard));
    }
    fn shards(&self, count: usize) {
        self.push(Heard::Shards(count));
    }
    fn nudged(&self) {
        self.push(Heard::Nudged);
    }
    fn channels(&self) -> Vec<Channel> {
        Vec::new()
    }
    fn written(&self, _: &Channel, _: HashSet<String>) {}
}

struct Node {
    bridge: BridgeHandle,
    ears: Arc<Recorder>,
    id: NodeId,
    metrics: Arc<Metrics>,
}

fn node(url: &str, authorities: Option<Vec<u8>>) -> Node {
    let second = Duration::from_secs(1);
    let redis = redis_client::Options::parse(url, authorities, second, second).unwrap();
    let metrics = Arc::new(Metrics::new(&Labels { workers: 1, ..Labels::default() }).unwrap());
    let id = NodeId::new();
    let options = Options { redis, prefix: "test".into(), me: id, queue_bytes: 1 << 20 };
    let bridge = BridgeHandle::start(options, metrics.clone(), &Arbiter::current());
    let ears = Arc::new(Recorder::default());
    bridge.open(ears.clone());
    Node { bridge, ears, id, metrics }
}

/// Two nodes that hear each other.
async fn two(url: &str) -> (Node, Node) {
    let (ana, bo) = (node(url, None), node(url, None));
    ana.ears.beacon_of(bo.id, 0).await;
    bo.ears.beacon_of(ana.id, 0).await;
    (ana, bo)
}

fn news() -> Channel {
    Channel::trusted("news")
}

fn said(offset: u64) -> Arrived {
    let data = Payload::json(format!("[{offset}]").into());
    let at = Position { epoch: Epoch::new("g.0"), offset };
    Arrived::Committed(at, Some(Arc::new(Publication { data, offset, ..Publication::default() })))
}

#[actix::test]
async fn what_is_said_on_one_node_is_heard_on_the_other_in_order_and_not_on_its_own() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    for node in [&ana, &bo] {
        node.bridge.listen(&news());
        node.ears.listens(&news()).await;
    }
    for offset in 1..=500 {
        ana.bridge.mirror(&news(), &said(offset));
    }
    bo.bridge.mirror(&news(), &said(501));
    for offset in 1..=500 {
        let heard = bo.ears.hears(|it| matches!(it, Heard::Arrived(..))).await;
        assert_eq!(heard, Heard::Arrived(news(), said(offset)));
    }
    let heard = ana.ears.hears(|it| matches!(it, Heard::Arrived(..))).await;
    assert_eq!(heard, Heard::Arrived(news(), said(501)));
}

#[actix::test]
async fn a_channel_that_nobody_is_in_is_not_listened_to() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    let other = Channel::trusted("other");
    bo.bridge.listen(&news());
    bo.bridge.listen(&other);
    bo.ears.listens(&other).await;
    bo.bridge.unlisten(&news());
    let numbers = || redis.ask(&["PUBSUB", "NUMSUB", "test:c:news", "test:c:other"]).unwrap();
    let gone = async {
        while numbers() != ["test:c:news", "0", "test:c:other", "1"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("it is unsubscribed");
    ana.bridge.mirror(&news(), &said(1));
    ana.bridge.mirror(&other, &said(2));
    let heard = bo.ears.hears(|it| matches!(it, Heard::Arrived(..))).await;
    assert_eq!(heard, Heard::Arrived(other, said(2)));
}

#[actix::test]
async fn a_server_that_was_away_is_listened_to_again_and_rooms_are_told_that_they_missed_something()
{
    let mut redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    bo.bridge.listen(&news());
    bo.ears.listens(&news()).await;
    redis.kill().unwrap();
    let later = Channel::trusted("later");
    bo.bridge.listen(&later);
    bo.ears.listens(&later).await;
    redis.restart().unwrap();
    bo.ears.hears(|it| *it == Heard::Missed(news())).await;
    bo.ears.hears(|it| *it == Heard::Missed(later.clone())).await;
    ana.ears.forget();
    ana.ears.beacon_of(bo.id, 0).await;
    ana.bridge.mirror(&later, &said(1));
    let heard = bo.ears.hears(|it| matches!(it, Heard::Arrived(..))).await;
    assert_eq!(heard, Heard::Arrived(later, said(1)));
    assert!(bo.metrics.bridge_broken_total.get() >= 1);
}

#[actix::test]
async fn nobody_waits_for_a_server_that_was_never_there() {
    let mut redis = Redis::start(&[]).unwrap();
    redis.stop().unwrap();
    let ana = node(&redis.url(), None);
    ana.bridge.listen(&news());
    ana.ears.listens(&news()).await;
    ana.bridge.mirror(&news(), &said(1));
    redis.restart().unwrap();
    ana.ears.hears(|it| *it == Heard::Missed(news())).await;
    assert_eq!(ana.metrics.bridge_shed_total.of("unsaid").get(), 1);
}

#[actix::test]
async fn nobody_waits_for_a_server_that_does_not_answer() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, bo) = two(&redis.url()).await;
    redis.pause().unwrap();
    ana.bridge.listen(&news());
    ana.ears.listens(&news()).await;
    redis.resume().unwrap();
    ana.ears.hears(|it| *it == Heard::Missed(news())).await;
    bo.ears.forget();
    bo.ears.beacon_of(ana.id, 0).await;
}

#[actix::test]
async fn a_flooded_bridge_sheds_what_has_no_place_in_the_journal_first() {
    let redis = Redis::start(&[]).unwrap();
    let (ana, _bo) = two(&redis.url()).await;
    redis.pause().unwrap();
    let data = Payload::json(format!("\"{}\"", "x".repeat(10_000)).into());
    let publication = Arc::new(Publication { data, ..Publication::default() });
    for _ in 0..1_000 {
        let said = Arrived::Said { publication: publication.clone(), keep: false };
        ana.bridge.mirror(&news(), &said);
    }
    let shed = |what| ana.metrics.bridge_shed_total.of(what).get();
    assert!(shed("ephemeral") > 900, "{}", shed("ephemeral"));
    ana.bridge.mirror(&news(), &said(1));
    assert_eq!(shed("durable"), 0);
    redis.resume().unwrap();
}

#[actix::test]
async fn an_envelope_of_another_version_makes_the_room_look() {
    let redis = Redis::start(&[]).unwrap();
    let (_ana, bo) = two(&redis.url()).await;
    bo.bridge.listen(&news());
    bo.ears.listens(&news()).await;
    redis.ask(&["PUBLISH", "test:c:news", "from the future"]).unwrap();
    bo.ears.hears(|it| *it == Heard::Missed(news())).await;
}

#[actix::test]
async fn a_user_with_few_rights_and_a_password_is_enough() {
    let user = "user ana on >hunter2 resetchannels &test:* resetkeys ~test:* -@all \
                +@connection +@pubsub +@hash +@set +set +get +del +eval +time +expire";
    let redis = Redis::start(&[user, "user default off"]).unwrap();
    let url = redis.url().replace("redis://", "redis://ana:hunter2@");
    let (ana, _bo) = two(&url).await;
    assert!(ana.bridge.charge(counting::charge("bo", 1)).await.is_some());
    assert_eq!(ana.bridge.crowd(counting::crowd("bo", 0, Some(1))).await, Some(true));
}

#[actix::test]
async fn tls_is_spoken_with_an_authority_that_is_named() {
    let redis = Redis::with_tls(&[]).unwrap();
    let (url, certificate) = redis.tls().expect("it has a certificate");
    let trusted = std::fs::read(&certificate.authority).unwrap();
    let (ana, bo) = (node(&url, Some(trusted.clone())), node(&url, Some(trusted)));
    ana.ears.beacon_of(bo.id, 0).await;
    let stranger = node(&url, None);
    stranger.bridge.listen(&news());
    stranger.ears.listens(&news()).await;
    assert_eq!(stranger.metrics.bridge_links_up.get(), 0);
}

#[actix::test]
async fn another_master_is_found_by_the_sentinels() {
    let mut watched = Sentinels::start(&[]).unwrap();
    let hosts: Vec<_> = watched.ports().iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let url = format!("redis+sentinel://{}/{}", hosts.join(","), watched.name());
    let (ana, bo) = two(&url).await;
    bo.bridge.listen(&news());
    bo.ears.listens(&news()).await;
    let old = watched.master().unwrap();
    for server in watched.servers() {
        if server.port() == old {
            server.kill().unwrap();
        }
    }
    bo.ears.hears(|it| *it == Heard::Missed(news())).await;
    ana.ears.forget();
    ana.ears.beacon_of(bo.id, 0).await;
    ana.bridge.mirror(&news(), &said(1));
    bo.ears.hears(|it| *it == Heard::Arrived(news(), said(1))).await;
}

#[actix::test]
async fn channels_go_through_the_servers_of_a_cluster_that_they_belong_to() {
    let mut cluster = Cluster::start(&[]).unwrap();
    let hosts: Vec<_> =
        cluster.urls().iter().map(|url| url.trim_start_matches("redis://").to_owned()).collect();
    let url = format!("redis+cluster://{}", hosts.join(","));
    let (ana, bo) = (node(&url, None), node(&url, None));
    bo.ears.hears(|it| *it == Heard::Shards(3)).await;
    for shard in 0..3 {
        ana.ears.beacon_of(bo.id, shard).await;
        bo.ears.beacon_of(ana.id, shard).await;
    }
    let channels: Vec<_> = (0..30).map(|n| Channel::trusted(&format!("room-{n}"))).collect();
    for channel in &channels {
        bo.bridge.listen(channel);
    }
    for channel in &channels {
        bo.ears.listens(channel).await;
    }
    for channel in &channels {
        ana.bridge.mirror(channel, &said(1));
        bo.ears.hears(|it| *it == Heard::Arrived(channel.clone(), said(1))).await;
    }
    for node in cluster.nodes() {
        let channels = node.ask(&["PUBSUB", "SHARDCHANNELS"]).unwrap();
        assert!(channels.len() > 1, "each server has its share: {channels:?}");
    }
}
