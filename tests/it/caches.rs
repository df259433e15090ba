//! The cache among nodes: what one node was told, the other one shows at once, whatever Redis does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare::platform::scratch::{Postgres, Redis};
use serde_json::{Value, json};

use crate::{
    metrics::series,
    support::{Answer, Cluster, Node, request, sign},
};

fn token(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    sign(&json!({ "sub": user, "exp": now + 600 }))
}

fn ask(node: &Node, token: &str, head: &str, body: &Value) -> Answer {
    let head = format!("{head} HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, &body.to_string()).expect("an answer")
}

/// The names of a person's portfolios as their dashboard shows them.
fn shown(node: &Node, token: &str) -> Vec<String> {
    let all = ask(node, token, "GET /v1/dashboard", &Value::Null).json();
    let items = all["portfolios"]["items"].as_array().unwrap_or_else(|| panic!("no list: {all}"));
    items.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Writes at one node and reads at the other, so many times; each time changes hands.
fn write_here_read_there(nodes: &[Node], user: &str, times: usize) {
    let ana = token(user);
    let made = ask(&nodes[0], &ana, "POST /v1/portfolios", &json!({ "name": "p" })).json();
    let put = format!("PUT /v1/portfolios/{}", made["id"].as_str().expect("an id"));
    for n in 0..times {
        let name = format!("{user} {n}");
        let (here, there) = (&nodes[n % nodes.len()], &nodes[(n + 1) % nodes.len()]);
        assert_eq!(ask(here, &ana, &put, &json!({ "name": name })).status, 200);
        assert_eq!(shown(there, &ana), [name.as_str()], "at once, the {n}th time");
        assert_eq!(shown(here, &ana), [name.as_str()], "where it was written, the {n}th time");
    }
}

#[test]
fn a_write_at_one_node_is_read_at_the_other_at_once_while_redis_is_flushed_stopped_and_killed() {
    let Cluster { nodes, mut redis, postgres: _postgres } = Cluster::of(2);
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let trouble = std::thread::spawn(move || {
        while !ended.load(SeqCst) {
            redis.ask(&["FLUSHALL"]).expect("it answers");
            std::thread::sleep(Duration::from_millis(150));
            redis.pause().expect("it stops");
            std::thread::sleep(Duration::from_millis(150));
            redis.resume().expect("it goes on");
            std::thread::sleep(Duration::from_millis(150));
            redis.kill().expect("it ends");
            redis.restart().expect("it starts");
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    std::thread::scope(|scope| {
        for user in ["ana", "bo", "cleo"] {
            let nodes = &nodes;
            scope.spawn(move || write_here_read_there(nodes, user, 150));
        }
    });
    over.store(true, SeqCst);
    trouble.join().expect("the trouble ends");
}

#[test]
fn each_level_that_is_off_changes_nothing() {
    let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
    let redis = Redis::start(&[]).expect("a Redis server");
    let (database, bridge) = (postgres.url("postgres"), redis.url());
    let off = [
        ("CACHE__PAGES_MAX_SIZE", "0B"),
        ("CACHE__MEMORY_MAX_SIZE", "0B"),
        ("CACHE__IN_REDIS", "false"),
    ];
    let mut settings: Vec<Vec<(&str, &str)>> = off.iter().map(|one| vec![*one]).collect();
    settings.push(off.to_vec());
    let nodes: Vec<Node> = settings
        .iter_mut()
        .map(|settings| {
            settings
                .extend([("POSTGRES__URL", database.as_str()), ("REDIS__URL", bridge.as_str())]);
            Node::with(settings)
        })
        .collect();
    write_here_read_there(&nodes, "ana", 40);
    let ana = token("ana");
    for node in &nodes {
        for _ in 0..3 {
            shown(node, &ana);
        }
    }
    let hits = |level: &str| {
        let name = format!("fanfare_cache_hits_total{{level=\"{level}\"}}");
        nodes.iter().map(|node| series(node, &name).unwrap_or(0.0)).collect::<Vec<f64>>()
    };
    let (page, memory, shared) = (hits("page"), hits("memory"), hits("redis"));
    assert!(page[0] == 0.0 && page[1] > 0.0 && page[2] > 0.0 && page[3] == 0.0, "{page:?}");
    assert!(memory[0] > 0.0 && memory[1] == 0.0 && memory[3] == 0.0, "{memory:?}");
    assert!(shared[0] + shared[1] > 0.0 && shared[2] == 0.0 && shared[3] == 0.0, "{shared:?}");
}
