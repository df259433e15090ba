//! The cache among nodes: what one node was told, the other one shows at once, whatever Redis does. (`replica.rs`: whatever
//! the replica does.)

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare::platform::scratch::{Postgres, Redis};
use serde_json::{Value, json};

use crate::{
    metrics::series,
    support::{Answer, Cluster, DEADLINE, Node, Relay, request, sign, until},
};

/// Writes of a test. By hand, more of them: `FANFARE_TEST_WRITES=10000`.
fn writes() -> usize {
    std::env::var("FANFARE_TEST_WRITES").ok().and_then(|many| many.parse().ok()).unwrap_or(600)
}

pub fn token(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    sign(&json!({ "sub": user, "exp": now + 600 }))
}

pub fn ask(node: &Node, token: &str, head: &str, body: &Value) -> Answer {
    let head = format!("{head} HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, &body.to_string()).expect("an answer")
}

#[track_caller]
pub fn made(node: &Node, token: &str, what: &str, body: &Value) -> String {
    let answer = ask(node, token, &format!("POST /v1/{what}"), body);
    assert_eq!(answer.status, 201, "{what}: {answer:?}");
    answer.json()["id"].as_str().map(str::to_owned).unwrap_or_default()
}

/// The names of a person's portfolios as their dashboard shows them.
pub fn shown(node: &Node, token: &str) -> Vec<String> {
    let all = ask(node, token, "GET /v1/dashboard", &Value::Null).json();
    let items = all["portfolios"]["items"].as_array().unwrap_or_else(|| panic!("no list: {all}"));
    items.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What all nodes have counted of this.
pub fn counted(nodes: &[Node], name: &str) -> f64 {
    nodes.iter().map(|node| series(node, &format!("fanfare_cache_{name}")).unwrap_or(0.0)).sum()
}

/// Writes at one node and reads at the other, so many times; each time changes hands.
pub fn write_here_read_there(nodes: &[Node], user: &str, times: usize) {
    let ana = token(user);
    let put = format!(
        "PUT /v1/portfolios/{}",
        made(&nodes[0], &ana, "portfolios", &json!({ "name": "p" }))
    );
    for n in 0..times {
        let name = format!("{user} {n}");
        let (here, there) = (&nodes[n % nodes.len()], &nodes[(n + 1) % nodes.len()]);
        assert_eq!(ask(here, &ana, &put, &json!({ "name": name })).status, 200);
        assert_eq!(shown(there, &ana), [name.as_str()], "at once, the {n}th time");
        assert_eq!(shown(here, &ana), [name.as_str()], "where it was written, the {n}th time");
    }
}

/// The same by three people while something happens again and again.
pub fn while_it_goes_on(nodes: &[Node], mut trouble: impl FnMut() + Send) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                trouble();
            }
        });
        let people = ["ana", "bo", "cleo"];
        let work: Vec<_> = people
            .map(|user| scope.spawn(move || write_here_read_there(nodes, user, writes() / 3)))
            .into();
        let ended: Vec<_> = work.into_iter().map(|work| work.join()).collect();
        over.store(true, SeqCst);
        ended.into_iter().for_each(|ended| ended.expect("all of it was right"));
    });
}

/// Waits until both nodes find in Redis what the other one has put there.
fn use_redis(nodes: &[Node]) {
    let mut people = 0;
    until("the nodes share what they load", DEADLINE, || {
        for (here, there) in [(0, 1), (1, 0)] {
            people += 1;
            let user = token(&format!("early{people}"));
            shown(&nodes[here], &user);
            shown(&nodes[there], &user);
        }
        let hits = "fanfare_cache_hits_total{level=\"redis\"}";
        nodes.iter().all(|node| series(node, hits).unwrap_or(0.0) > 0.0).then_some(())
    });
}

#[test]
fn a_write_at_one_node_is_read_at_the_other_at_once_while_redis_is_flushed_stopped_and_killed() {
    let Cluster { nodes, mut redis, postgres: _postgres } = Cluster::of(2);
    use_redis(&nodes);
    while_it_goes_on(&nodes, || {
        redis.ask(&["FLUSHALL"]).expect("it answers");
        thread::sleep(Duration::from_millis(150));
        redis.pause().expect("it stops");
        thread::sleep(Duration::from_millis(150));
        redis.resume().expect("it goes on");
        thread::sleep(Duration::from_millis(150));
        redis.kill().expect("it ends");
        redis.restart().expect("it starts");
        thread::sleep(Duration::from_millis(300));
    });
}

#[test]
fn a_write_at_one_node_is_read_at_the_other_at_once_while_redis_answers_late() {
    let (postgres, redis) = (
        Postgres::start(&[]).expect("a PostgreSQL server"),
        Redis::start(&[]).expect("a Redis server"),
    );
    let relay = Relay::to(redis.port());
    let (database, bridge) =
        (postgres.url("postgres"), format!("redis://127.0.0.1:{}", relay.port()));
    let settings = [("POSTGRES__URL", database.as_str()), ("REDIS__URL", bridge.as_str())];
    let nodes = [Node::with(&settings), Node::with(&settings)];
    use_redis(&nodes);
    let mut delays = [5, 30, 90, 300, 0].into_iter().cycle();
    while_it_goes_on(&nodes, || {
        relay.delay(Duration::from_millis(delays.next().unwrap_or(0)));
        thread::sleep(Duration::from_millis(400));
    });
    assert!(counted(&nodes, "redis_failures_total") > 0.0, "some answers came too late");
}

#[test]
fn a_thousand_who_ask_two_nodes_for_one_cold_dashboard_are_one_load() {
    const ASKING: usize = 1_000;
    // The machine is busy with their thousand connections: Redis is late and not away.
    let Cluster { nodes, redis: _redis, postgres: _postgres } =
        Cluster::with(2, &[("CACHE__REDIS_DEADLINE", "1s")]);
    use_redis(&nodes);
    let ana = token("ana");
    made(&nodes[0], &ana, "portfolios", &json!({ "name": "mine" }));
    let loads = || counted(&nodes, "loads_total{outcome=\"done\"}");
    let (before, ready) = (loads(), Arc::new(Barrier::new(ASKING)));
    thread::scope(|scope| {
        for n in 0..ASKING {
            let (node, ana, ready) = (&nodes[n % 2], &ana, ready.clone());
            let ask = move || {
                ready.wait();
                assert_eq!(shown(node, ana), ["mine"]);
            };
            thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn_scoped(scope, ask)
                .expect("a thread");
        }
    });
    assert_eq!(loads() - before, 1.0);
    made(&nodes[1], &ana, "portfolios", &json!({ "name": "other" }));
    assert_eq!(shown(&nodes[0], &ana).len(), 2);
    assert_eq!(loads() - before, 2.0, "another state is loaded");
}
