//! The cache among nodes: what one node was told, the other one shows at once, whatever Redis does.

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
    support::{Answer, Cluster, DEADLINE, Node, Relay, request, sign, sql, until},
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
fn write_here_read_there(nodes: &[Node], user: &str, times: usize) {
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
fn while_it_goes_on(nodes: &[Node], mut trouble: impl FnMut() + Send) {
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

/// An answer without when its parts were read, which each node does for itself.
fn comparable(mut answer: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in ["as_of", "age_seconds"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut answer);
    answer
}

const TOKENS: &str = "insert into tokens (id, symbol, name, symbol_key, name_key, provider_id) values \
    ('019b0000-0000-7000-8000-000000000001', 'BTC', 'Bitcoin', 'btc', 'bitcoin', 1), \
    ('019b0000-0000-7000-8000-000000000002', 'ETH', 'Ether', 'eth', 'ether', 1027)";

/// Gives a person something of all that there is. Returns what they look at.
fn furnish(node: &Node, ana: &str) -> Vec<String> {
    let (btc, eth) =
        ("019b0000-0000-7000-8000-000000000001", "019b0000-0000-7000-8000-000000000002");
    let mut looks: Vec<String> = ["dashboard", "portfolios", "holdings", "strategies", "forecasts"]
        .map(|list| format!("GET /v1/{list}"))
        .into();
    for name in ["one", "two"] {
        let portfolio = made(node, ana, "portfolios", &json!({ "name": name }));
        let entry = |token, quantity| {
            json!({ "token_id": token, "kind": "buy", "quantity": quantity, "amount": "1000",
                "occurred_at": "2026-01-01T00:00:00Z" })
        };
        let entries = json!([entry(btc, "2"), entry(eth, "40.5")]);
        let add = format!("POST /v1/portfolios/{portfolio}/transactions");
        let added = ask(node, ana, &add, &entries);
        assert_eq!(added.status, 201, "{added:?}");
        let strategy = json!({ "token_id": btc, "name": name, "base_quantity": "2", "reference_price": "500",
            "steps": [{ "target_kind": "percentage", "target_value": "50", "sell_percent": "25" }] });
        let strategy = made(node, ana, "strategies", &strategy);
        let forecast =
            json!({ "portfolio_id": portfolio, "name": name, "applied": { btc: strategy } });
        made(node, ana, "forecasts", &forecast);
        looks.push(format!("GET /v1/portfolios/{portfolio}"));
        looks.push(format!("GET /v1/portfolios/{portfolio}/holdings?limit=1"));
    }
    looks
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
    settings.extend([off.to_vec(), Vec::new()]);
    let nodes: Vec<Node> = settings
        .iter_mut()
        .map(|settings| {
            settings
                .extend([("POSTGRES__URL", database.as_str()), ("REDIS__URL", bridge.as_str())]);
            Node::with(settings)
        })
        .collect();
    sql(&postgres, TOKENS);
    write_here_read_there(&nodes, "bo", 40);
    let ana = token("ana");
    let looks = furnish(&nodes[0], &ana);
    for time in 0..3 {
        for look in &looks {
            let answers: Vec<Value> = (nodes.iter())
                .map(|node| {
                    let answer = ask(node, &ana, look, &Value::Null);
                    assert_eq!(answer.status, 200, "{look}: {answer:?}");
                    comparable(answer.json())
                })
                .collect();
            for answer in &answers[1..] {
                assert_eq!(answer, &answers[0], "{look}, the {time}th time");
            }
        }
    }
    let hits = |level: &str| {
        let name = format!("fanfare_cache_hits_total{{level=\"{level}\"}}");
        nodes.iter().map(|node| series(node, &name).unwrap_or(0.0) > 0.0).collect::<Vec<bool>>()
    };
    assert_eq!(hits("page"), [false, true, true, false, true]);
    assert_eq!(hits("memory"), [true, false, true, false, true]);
    assert_eq!(hits("redis")[2..4], [false, false]);
    assert!(counted(&nodes, "hits_total{level=\"redis\"}") > 0.0);
}
