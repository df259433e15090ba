//! Prices in the background: one node of all asks for them, and everybody has them; and what fires at them is told.

use std::time::{Duration, Instant};

use fanfare::platform::scratch::Postgres;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    metrics::series,
    support::{DEADLINE, Node, Provider, file_sql, request, sign, sql, until},
};

/// The token of these tests.
pub const TOKEN: &str = "018bcfe5-6800-7000-8000-000000000001";

/// Writes the token down.
pub const INSERT_TOKEN: &str = "insert into tokens (id, symbol, name, symbol_key, name_key, provider_id) \
    values ('018bcfe5-6800-7000-8000-000000000001', 'BTC', 'Bitcoin', 'btc', 'bitcoin', 1)";

/// What a node asks the provider with.
pub fn asking<'a>(address: &'a str, key: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("PRICES__PROVIDER", "coinmarketcap"),
        ("PRICES__BASE_URL", address),
        ("PRICES__API_KEY", key),
        ("PRICES__INTERVAL", "1s"),
    ]
}

/// Asks `/v1` as a user.
pub fn ask(node: &Node, user: &str, head: &str, body: &Value) -> Value {
    let token = sign(&json!({ "sub": user }));
    let head = format!("{head} HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, &body.to_string()).expect("an answer").json()
}

/// Plans to sell at a price.
#[track_caller]
pub fn plan(node: &Node, user: &str, target: &str) -> Value {
    let plan = json!({
        "token_id": TOKEN, "name": "exit", "base_quantity": "5", "reference_price": "1", "status": "active",
        "steps": [{ "target_kind": "price", "target_value": target, "sell_percent": "25" }]
    });
    let made = ask(node, user, "POST /v1/strategies", &plan);
    assert!(made["id"].is_string(), "{made}");
    made["id"].clone()
}

/// What a node says that the token costs, if it knows.
fn price(node: &Node) -> Option<f64> {
    let answer = ask(node, "ana", &format!("GET /v1/prices?ids={TOKEN}"), &Value::Null);
    answer["items"][0]["price"].as_str()?.parse().ok()
}

/// Two nodes on one database that show their names as keys.
fn two(server: &Postgres, address: &str) -> Vec<(&'static str, Node)> {
    let url = server.url("postgres");
    let node = |key| {
        let mut settings = vec![("POSTGRES__URL", url.as_str())];
        settings.extend(asking(address, key));
        (key, Node::with(&settings))
    };
    let nodes = vec![node("one"), node("two")];
    sql(server, INSERT_TOKEN);
    nodes
}

/// Takes out the one that asks; it, and the other one.
fn who_asks(
    mut nodes: Vec<(&'static str, Node)>,
    provider: &Provider,
) -> [(&'static str, Node); 2] {
    let asks =
        until("one asks", DEADLINE, || nodes.iter().position(|(key, _)| provider.calls(key) > 0));
    let asks = nodes.swap_remove(asks);
    [asks, nodes.remove(0)]
}

#[test]
fn one_node_asks_for_all_and_another_goes_on_when_it_dies() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    let nodes = two(&server, &address);
    assert_eq!(price(&nodes[0].1), None);
    assert_eq!((provider.calls("one"), provider.calls("two")), (0, 0), "nobody wants to know");
    plan(&nodes[0].1, "ana", "1550");
    until("both nodes know what it costs", DEADLINE, || {
        let knows = |(_, node): &(_, Node)| price(node).is_some_and(|price| price >= 3.0);
        nodes.iter().all(knows).then_some(())
    });
    let [(key, mut dies), (other, lives)] = who_asks(nodes, &provider);
    assert!(provider.calls(key) >= 3);
    assert_eq!(provider.calls(other), 0, "one asks for all");
    dies.kill();
    let died = Instant::now();
    until("the other one asks", Duration::from_secs(15), || {
        (provider.calls(other) > 0).then_some(())
    });
    assert!(died.elapsed() < Duration::from_secs(10), "after {:?}", died.elapsed());
    let known = price(&lives);
    until("prices go on", DEADLINE, || (price(&lives) > known).then_some(()));
}

#[test]
fn a_node_that_stood_still_while_it_asked_writes_nothing_old() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    let nodes = two(&server, &address);
    plan(&nodes[0].1, "ana", "1550");
    let [(key, stands), (other, goes_on)] = who_asks(nodes, &provider);
    provider.hold(&[key]);
    let calls = provider.calls(key);
    until("it asks once more", DEADLINE, || (provider.calls(key) > calls).then_some(()));
    stands.signal(Signal::SIGSTOP);
    // What it asked for comes while it stands.
    provider.hold(&[]);
    until("the other one asks", Duration::from_secs(15), || {
        (provider.calls(other) > 1).then_some(())
    });
    let rounds = |outcome: &str| {
        series(&stands, &format!("fanfare_price_rounds_total{{outcome=\"{outcome}\"}}"))
            .unwrap_or_default()
    };
    stands.signal(Signal::SIGCONT);
    let mut last = 0.0;
    until("it has looked at what it had asked for", DEADLINE, || {
        let now = price(&goes_on).expect("a price");
        assert!(now >= last, "{now} came after {last}");
        last = now;
        (rounds("unanswered") + rounds("not_kept") > 0.0).then_some(())
    });
    let calls = provider.calls(key);
    until("prices go on", DEADLINE, || {
        (price(&goes_on).expect("a price") > last + 1.0).then_some(())
    });
    assert_eq!(provider.calls(key), calls, "it asks no more");
}

#[test]
fn a_price_that_is_no_price_is_kept_out_and_counted() {
    let (provider, address) = Provider::start();
    let node = Node::with(&asking(&address, "one"));
    file_sql(&node, INSERT_TOKEN);
    plan(&node, "ana", "1550");
    provider.costs(json!(20.5));
    until("it is known", DEADLINE, || (price(&node) == Some(20.5)).then_some(()));
    for (lie, why) in
        [(json!(-1), "not_positive"), (json!(20_500), "jump"), (json!("garbage"), "no_number")]
    {
        provider.costs(lie);
        until("it is counted", DEADLINE, || {
            series(&node, &format!("fanfare_price_lies_total{{why=\"{why}\"}}"))
                .filter(|count| *count > 0.0)
        });
        assert_eq!(price(&node), Some(20.5), "the last good one stays");
    }
    provider.costs(json!(21));
    until("it goes on", DEADLINE, || (price(&node) == Some(21.0)).then_some(()));
}
