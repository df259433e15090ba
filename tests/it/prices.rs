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

/// The id of a token of [`many`].
fn id(number: i64) -> String {
    format!("018bcfe5-6800-7000-8000-{number:012}")
}

/// Writes so many tokens down, and somebody who plans for each.
fn many(count: i64) -> String {
    let rows = |row: &dyn Fn(i64) -> String| (1..=count).map(row).collect::<Vec<_>>().join(", ");
    let token = |n| format!("('{}', 'T{n}', 'Token {n}', 't{n}', 'token {n}', {n})", id(n));
    let plan = |n| format!("('{}', 'ana', '{}', 'exit', '1', '1', 'draft', 1, 1)", id(n), id(n));
    format!(
        "insert into tokens (id, symbol, name, symbol_key, name_key, provider_id) values {}; \
         insert into strategies (id, owner, token, name, base_quantity, reference_price, status, created_at, \
         updated_at) values {}",
        rows(&token),
        rows(&plan)
    )
}

#[test]
fn five_hundred_tokens_are_five_calls_an_interval_for_all_nodes_together() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    // However long it takes to answer.
    provider.is_late(Duration::from_millis(100));
    let url = server.url("postgres");
    let node = |key| {
        let mut settings = vec![("POSTGRES__URL", url.as_str())];
        settings.extend(asking(&address, key));
        let interval = settings.last_mut().expect("the interval");
        *interval = ("PRICES__INTERVAL", "2s");
        Node::with(&settings)
    };
    let _nodes = [node("one"), node("two")];
    sql(&server, &many(500));
    let asked = until("it was asked in three rounds and a bit", DEADLINE, || {
        let asked = provider.asked();
        (asked.len() > 15).then_some(asked)
    });
    let rounds: Vec<_> = asked.chunks(5).collect();
    for round in &rounds[..3] {
        let mut ids: Vec<i64> = round.iter().flat_map(|call| call.ids.clone()).collect();
        ids.sort();
        assert_eq!(ids, (1..=500).collect::<Vec<_>>(), "each once a round");
        assert!(round.iter().all(|call| call.ids.len() == 100 && call.key == asked[0].key));
    }
    let apart: Vec<_> = rounds.windows(2).map(|two| two[1][0].at - two[0][0].at).collect();
    assert!(apart.iter().all(|gap| *gap > Duration::from_millis(1_900)), "{apart:?}");
    let least = apart.iter().min().expect("two");
    assert!(*least < Duration::from_millis(2_400), "from beginning to beginning: {apart:?}");
}

#[test]
fn a_token_that_the_provider_does_not_take_costs_no_other_its_price() {
    let (provider, address) = Provider::start();
    let node = Node::with(&asking(&address, "one"));
    provider.refuses(&[42]);
    file_sql(&node, &many(250));
    let known = |number: i64| {
        let answer = ask(&node, "ana", &format!("GET /v1/prices?ids={}", id(number)), &Value::Null);
        answer["items"][0]["price"].is_string()
    };
    until("the others have a price", DEADLINE, || {
        [1, 41, 43, 100, 101, 250].into_iter().all(known).then_some(())
    });
    assert!(!known(42));
    let before = provider.asked().len();
    let calls = until("it goes on", DEADLINE, || {
        let asked = provider.asked().split_off(before);
        (asked.len() >= 6).then_some(asked)
    });
    // What is left of the round in which it was found comes first.
    let later = calls.iter().filter(|call| call.ids.len() >= 49);
    assert!(later.clone().count() >= 3 && later.clone().all(|call| !call.ids.contains(&42)));
    assert!(node.log().contains("takes no call with token 42"));
}

/// Arms a point at the node that asks, and waits until it stands there.
#[cfg(feature = "failpoints")]
fn stands_at(node: &Node, point: &str) {
    crate::panics::arm(node, &format!("{point}=pause*1"));
    until("it stands there", DEADLINE, || (crate::panics::hits(node, point) > 0).then_some(()));
    node.signal(Signal::SIGSTOP);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_node_that_stood_still_before_it_wrote_is_refused() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    let nodes = two(&server, &address);
    plan(&nodes[0].1, "ana", "1550");
    let [(_, stands), (other, goes_on)] = who_asks(nodes, &provider);
    stands_at(&stands, "price.answered");
    until("the other one asks", Duration::from_secs(15), || {
        (provider.calls(other) > 1).then_some(())
    });
    let mut last = price(&goes_on).expect("a price");
    stands.signal(Signal::SIGCONT);
    // By a clock that stood still, the first call took too long.
    until("it is awake", DEADLINE, || series(&stands, "fanfare_price_calls_total"));
    crate::panics::arm(&stands, "price.answered=off");
    until("what it had is not kept", DEADLINE, || {
        let now = price(&goes_on).expect("a price");
        assert!(now >= last, "{now} came after {last}");
        last = now;
        series(&stands, "fanfare_price_rounds_total{outcome=\"not_kept\"}")
            .filter(|count| *count > 0.0)
    });
    let late = series(&stands, "fanfare_price_rounds_total{outcome=\"unanswered\"}");
    assert_eq!(late.unwrap_or_default(), 0.0, "it was the fence that refused it");
}

#[cfg(feature = "failpoints")]
#[test]
fn another_node_goes_on_when_one_stands_still_in_its_transaction() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    let nodes = two(&server, &address);
    plan(&nodes[0].1, "ana", "1550");
    let [(_, stands), (other, goes_on)] = who_asks(nodes, &provider);
    stands_at(&stands, "price.held");
    let stood = Instant::now();
    until("the other one asks", Duration::from_secs(15), || {
        (provider.calls(other) > 0).then_some(())
    });
    assert!(stood.elapsed() < Duration::from_secs(10), "after {:?}", stood.elapsed());
    let known = price(&goes_on);
    until("prices go on", DEADLINE, || (price(&goes_on) > known).then_some(()));
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
