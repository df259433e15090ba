//! A read replica that lags, stands still, freezes or is gone: what people read is right all the same, and nobody is refused.

use std::{
    thread,
    time::{Duration, Instant},
};

use fanfare::platform::scratch::Postgres;
use serde_json::json;

use crate::{
    caches::{ask, made, shown, token, while_it_goes_on},
    metrics::series,
    support::{DEADLINE, Node, sql, until},
};

/// Until what was asked of a standby has come about: it is done between two records.
pub const STANDS_STILL: &str = "select pg_wal_replay_pause(); \
    do $$ begin for n in 1..1000 loop exit when pg_get_wal_replay_pause_state() = 'paused'; \
    perform pg_sleep(0.01); end loop; end $$";

pub const GOES_ON: &str = "select pg_wal_replay_resume()";

/// All that people read comes from the database.
const NO_CACHE: [(&str, &str); 2] =
    [("CACHE__PAGES_MAX_SIZE", "0B"), ("CACHE__MEMORY_MAX_SIZE", "0B")];

/// Nodes that read from a server that follows the one they write to.
struct Scene {
    nodes: Vec<Node>,
    replica: Postgres,
    postgres: Postgres,
}

impl Scene {
    fn with(settings: &[(&str, &str)]) -> Self {
        let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
        let replica = Postgres::follow(&postgres).expect("one that follows it");
        let mut it = Self { nodes: Vec::new(), replica, postgres };
        for _ in 0..2 {
            it.join(settings);
        }
        it
    }

    fn join(&mut self, settings: &[(&str, &str)]) {
        let database = self.postgres.url("postgres");
        let replica = self.replica.url("postgres").replace("fanfare@", "fanfare:hunter2@");
        let servers =
            [("POSTGRES__URL", database.as_str()), ("DATABASE__REPLICA_URL", replica.as_str())];
        self.nodes.push(Node::with(&[&servers[..], settings].concat()));
    }

    /// Reads that were answered so, by all nodes.
    fn reads(&self, from: &str) -> f64 {
        let name = format!("fanfare_replica_reads_total{{from=\"{from}\"}}");
        self.nodes.iter().map(|node| series(node, &name).unwrap_or(0.0)).sum()
    }

    /// Looks until what a person has is read from the replica, on each node.
    fn is_read_from(&self, user: &str) {
        for node in &self.nodes {
            until("the replica is read from", DEADLINE, || {
                let before = self.reads("replica");
                shown(node, user);
                (self.reads("replica") > before).then_some(())
            });
        }
    }

    /// So many reads at each node, all of them right and by the primary, and the nodes are ready.
    fn is_missed_by_nobody(&self, user: &str, reads: usize) {
        let before = self.reads("primary_failed");
        for node in &self.nodes {
            for _ in 0..reads {
                assert_eq!(shown(node, user), ["mine"]);
            }
        }
        let all = reads * self.nodes.len();
        assert_eq!(self.reads("primary_failed") - before, all as f64);
        assert!(self.nodes.iter().all(|node| node.ready().is_some_and(|it| it.status == 200)));
    }

    fn rename(&self, node: usize, user: &str, portfolio: &str, name: &str) {
        let put = format!("PUT /v1/portfolios/{portfolio}");
        let put = ask(&self.nodes[node], user, &put, &json!({ "name": name }));
        assert_eq!(put.status, 200, "{put:?}");
    }
}

#[test]
fn a_write_at_one_node_is_read_at_the_other_at_once_while_the_replica_stands_still_and_goes_on() {
    let it = Scene::with(&[("DATABASE__REPLICA_DEADLINE", "1s")]);
    while_it_goes_on(&it.nodes, || {
        sql(&it.replica, STANDS_STILL);
        thread::sleep(Duration::from_millis(200));
        sql(&it.replica, GOES_ON);
        thread::sleep(Duration::from_millis(100));
    });
    assert!(it.reads("primary_behind") > 0.0, "it was behind");
    assert!(it.reads("replica") > 0.0, "it was not all of the time");
}

#[test]
fn what_the_replica_shows_is_read_from_it_and_who_wrote_since_reads_the_primary() {
    let it = Scene::with(&[&NO_CACHE[..], &[("DATABASE__REPLICA_DEADLINE", "1s")]].concat());
    let (ana, bo) = (token("ana"), token("bo"));
    let portfolio = made(&it.nodes[0], &ana, "portfolios", &json!({ "name": "mine" }));
    made(&it.nodes[0], &bo, "portfolios", &json!({ "name": "his" }));
    it.is_read_from(&ana);
    it.is_read_from(&bo);
    sql(&it.replica, STANDS_STILL);
    for n in 0..5 {
        let name = format!("mine {n}");
        it.rename(n % 2, &ana, &portfolio, &name);
        let (replica, behind) = (it.reads("replica"), it.reads("primary_behind"));
        for node in &it.nodes {
            assert_eq!(shown(node, &ana), [name.as_str()]);
            assert_eq!(shown(node, &bo), ["his"]);
        }
        assert_eq!(it.reads("replica") - replica, 2.0, "who wrote nothing is none the wiser");
        assert_eq!(it.reads("primary_behind") - behind, 2.0);
    }
    sql(&it.replica, GOES_ON);
    it.is_read_from(&ana);
    assert_eq!(shown(&it.nodes[1], &ana), ["mine 4"]);
}

#[test]
fn while_the_replica_is_gone_or_frozen_reads_go_on_and_come_back_to_it() {
    const READS: usize = 30;
    let settings = [&NO_CACHE[..], &[("DATABASE__REPLICA_DEADLINE", "1s")]].concat();
    let mut it = Scene::with(&settings);
    let ana = token("ana");
    made(&it.nodes[0], &ana, "portfolios", &json!({ "name": "mine" }));
    it.is_read_from(&ana);
    it.replica.stop().expect("it ends");
    // One that comes now does not wait for it.
    it.join(&settings);
    it.is_missed_by_nobody(&ana, READS);
    it.replica.restart().expect("it starts");
    it.is_read_from(&ana);
    it.replica.pause().expect("it freezes");
    let start = Instant::now();
    it.is_missed_by_nobody(&ana, READS);
    // Unless it was left alone each read took the second that it may.
    let took = start.elapsed();
    assert!(took < Duration::from_secs(READS as u64), "{READS} reads at each node took {took:?}");
    it.replica.resume().expect("it goes on");
    it.is_read_from(&ana);
    for node in &it.nodes {
        let log = node.log();
        let lines = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        let (away, back) = (lines("the primary is read instead of"), lines("answers again"));
        assert!(away == back && (2..8).contains(&away), "each change is said, no read is: {log}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}
