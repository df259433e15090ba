//! Each level that people's data come through switched off, one by one, and a replica switched on: one session of writes and
//! reads, and nodes that differ in nothing else answer it alike, byte by byte.

use fanfare::platform::scratch::{Postgres, Redis};
use serde_json::{Value, json};

use crate::{
    caches::{ask, counted, made, token, write_here_read_there},
    metrics::series,
    replica::{GOES_ON, STANDS_STILL},
    support::{Answer, DEADLINE, Node, request, sql, until},
};

const BTC: &str = "019b0000-0000-7000-8000-000000000001";
const ETH: &str = "019b0000-0000-7000-8000-000000000002";

/// Two tokens and, of one, a price that is long stale and stays so.
const MARKET: &str = "insert into tokens (id, symbol, name, symbol_key, name_key, provider_id) values \
    ('019b0000-0000-7000-8000-000000000001', 'BTC', 'Bitcoin', 'btc', 'bitcoin', 1), \
    ('019b0000-0000-7000-8000-000000000002', 'ETH', 'Ether', 'eth', 'ether', 1027); \
    insert into price_versions (id, version) values (1, 1); \
    insert into prices (token, price, observed_at, version) values \
    ('019b0000-0000-7000-8000-000000000001', '750.5', 1700000000000000, 1)";

/// Nodes on one database: without one level each, without any, with all; and the last two again with a replica.
fn nodes(database: &str, redis: &str, replica: &str) -> Vec<Node> {
    let off = [
        ("CACHE__PAGES_MAX_SIZE", "0B"),
        ("CACHE__MEMORY_MAX_SIZE", "0B"),
        ("CACHE__IN_REDIS", "false"),
    ];
    let replica = [("DATABASE__REPLICA_URL", replica), ("DATABASE__REPLICA_DEADLINE", "1s")];
    let mut differ: Vec<Vec<(&str, &str)>> = off.iter().map(|one| vec![*one]).collect();
    differ.extend([off.to_vec(), Vec::new()]);
    differ.extend([[&off[..], &replica].concat(), replica.to_vec()]);
    // Nothing changes between two looks that is not written here.
    let same = [
        ("POSTGRES__URL", database),
        ("REDIS__URL", redis),
        ("PRICES__PROVIDER", "none"),
        ("FORECAST__INTERVAL", "1h"),
    ];
    differ.iter().map(|differ| Node::with(&[&same[..], &differ[..]].concat())).collect()
}

/// Of [`nodes`], the one that has nothing but a replica.
const BY_REPLICA: usize = 5;

/// What is the same whoever answers: status and bytes, without when each part was read.
fn comparable(answer: &Answer) -> (u16, String) {
    const READ: &str = "\"as_of\":\"";
    let (mut text, mut rest) = (String::new(), answer.body.as_str());
    while let Some(at) = rest.find(READ) {
        let (kept, when) = rest.split_at(at + READ.len());
        text += kept;
        rest = &when[when.find('"').unwrap_or(0)..];
    }
    (answer.status, text + rest)
}

fn path(head: &str) -> String {
    let (method, path) = head.split_once(' ').expect("a method and a path");
    format!("{method} /v1/{path}")
}

/// A session: what is written, one after the other, and what is looked at after each.
struct Session {
    writes: Vec<(String, Value)>,
    looks: Vec<String>,
}

/// Gives a person something of all that there is, and a plan for what happens to it.
fn furnished(node: &Node, ana: &str) -> Session {
    let lists = ["dashboard", "portfolios", "holdings", "strategies", "forecasts"];
    let mut looks: Vec<String> = lists.map(|list| path(&format!("GET {list}"))).into();
    let entry = |token, kind, quantity| {
        json!({ "token_id": token, "kind": kind, "quantity": quantity, "amount": "1000",
            "occurred_at": "2026-01-01T00:00:00Z" })
    };
    let all = ["one", "two"].map(|name| {
        let portfolio = made(node, ana, "portfolios", &json!({ "name": name }));
        let entries = json!([entry(BTC, "buy", "2"), entry(ETH, "buy", "40.5")]);
        let add = path(&format!("POST portfolios/{portfolio}/transactions"));
        let added = ask(node, ana, &add, &entries);
        assert_eq!(added.status, 201, "{added:?}");
        let strategy = json!({ "token_id": BTC, "name": name, "base_quantity": "2", "reference_price": "500",
            "steps": [{ "target_kind": "percentage", "target_value": "50", "sell_percent": "25" }] });
        let strategy = made(node, ana, "strategies", &strategy);
        let forecast =
            json!({ "portfolio_id": portfolio, "name": name, "applied": { BTC: strategy } });
        let forecast = made(node, ana, "forecasts", &forecast);
        looks.push(path(&format!("GET portfolios/{portfolio}")));
        looks.push(path(&format!("GET portfolios/{portfolio}/holdings?limit=1")));
        looks.push(path(&format!("GET strategies/{strategy}")));
        (portfolio, strategy, forecast)
    });
    let [(one, strategy, forecast), (two, _, other)] = &all;
    let writes = [
        (format!("PUT portfolios/{one}"), json!({ "name": "renamed" })),
        (format!("POST portfolios/{one}/transactions"), entry(BTC, "sell", "0.5")),
        (format!("PATCH strategies/{strategy}"), json!({ "status": "paused" })),
        // Computed, and kept: no write of the person's.
        (format!("GET forecasts/{forecast}"), Value::Null),
        (format!("DELETE forecasts/{other}"), Value::Null),
        (format!("DELETE portfolios/{two}"), Value::Null),
    ];
    Session { writes: writes.map(|(head, body)| (path(&head), body)).into(), looks }
}

/// What a node answers; and whoever has that answer and asks whether it still holds hears the same, now from what the first
/// look has left.
fn looked_at(node: &Node, ana: &str, look: &str) -> (u16, String) {
    let answer = ask(node, ana, look, &Value::Null);
    let told = comparable(&answer);
    if let Some(tag) = answer.headers.get("etag") {
        // A node that keeps nothing writes it anew, with another tag since it was read later.
        let head =
            format!("{look} HTTP/1.1\r\nAuthorization: Bearer {ana}\r\nIf-None-Match: {tag}");
        let again = request(node.port, &head, "").expect("an answer");
        assert!(again.status == 304 || comparable(&again) == told, "{look}: {told:?}, {again:?}");
    }
    told
}

#[test]
fn each_level_that_is_off_changes_nothing() {
    let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
    let replica = Postgres::follow(&postgres).expect("one that follows it");
    let redis = Redis::start(&[]).expect("a Redis server");
    let nodes = nodes(&postgres.url("postgres"), &redis.url(), &replica.url("postgres"));
    sql(&postgres, MARKET);
    let ana = token("ana");
    for node in &nodes {
        until("it knows the price", DEADLINE, || {
            let prices = ask(node, &ana, &path(&format!("GET prices?ids={BTC}")), &Value::Null);
            prices.body.contains("750.5").then_some(())
        });
    }
    write_here_read_there(&nodes, "bo", 40);
    let Session { writes, looks } = furnished(&nodes[0], &ana);
    for (n, (write, body)) in writes.iter().enumerate() {
        match n {
            1 => sql(&replica, STANDS_STILL),
            4 => sql(&replica, GOES_ON),
            _ => {}
        }
        let done = ask(&nodes[n % nodes.len()], &ana, write, body);
        assert!((200..300).contains(&done.status), "{write}: {done:?}");
        for look in &looks {
            let answers: Vec<_> = nodes.iter().map(|node| looked_at(node, &ana, look)).collect();
            for (node, answer) in answers.iter().enumerate() {
                assert_eq!(answer, &answers[0], "{look} after {write}, node {node}");
            }
        }
    }
    let hits = |level: &str| {
        let name = format!("fanfare_cache_hits_total{{level=\"{level}\"}}");
        nodes.iter().map(|node| series(node, &name).unwrap_or(0.0) > 0.0).collect::<Vec<bool>>()
    };
    assert_eq!(hits("page"), [false, true, true, false, true, false, true]);
    assert_eq!(hits("memory"), [true, false, true, false, true, false, true]);
    assert_eq!(hits("redis")[2..4], [false, false]);
    assert!(counted(&nodes, "hits_total{level=\"redis\"}") > 0.0);
    let by_replica = series(&nodes[BY_REPLICA], "fanfare_replica_reads_total{from=\"replica\"}");
    assert!(by_replica.is_some_and(|reads| reads > 0.0), "it is read from: {by_replica:?}");
}
