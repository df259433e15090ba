//! Alerts: told to their person at once, kept for when they come back, and fired once.

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::{
    prices::{INSERT_TOKEN, ask, asking, plan},
    support::{Client, DEADLINE, Node, Provider, file_sql, request, sql, until},
};

const CHANNEL: &str = "alerts:#ana";

/// What fired, by HTTP, the first first.
fn fired(node: &Node) -> Vec<Value> {
    let mut items = ask(node, "ana", "GET /v1/alerts", &Value::Null)["items"].take();
    items.as_array_mut().map(|items| items.drain(..).rev().collect()).unwrap_or_default()
}

/// Kinds and targets, for comparison.
fn shown(alerts: &[Value]) -> Vec<(&str, &str)> {
    let text = |alert, field| {
        Value::as_str(Value::get(alert, field).expect("it is there")).expect("a text")
    };
    alerts.iter().map(|alert| (text(alert, "kind"), text(alert, "target_price"))).collect()
}

/// The next alert that is pushed.
#[track_caller]
fn pushed(client: &mut Client) -> Value {
    let mut push = client.push();
    assert_eq!(push["channel"], CHANNEL);
    push["pub"]["data"].take()
}

/// Fires, is told, and is found by who was away.
#[track_caller]
fn tells(provider: &Provider, hears: &Node, other: &Node) {
    provider.costs(json!(1000));
    let strategy = plan(other, "ana", "1550");
    let mut client = Client::connect(hears, "ana");
    let entered = client.subscribe(CHANNEL);
    assert_eq!(entered["recoverable"], true, "{entered}");
    provider.costs(json!(1530.5));
    let near = pushed(&mut client);
    assert_eq!(shown(std::slice::from_ref(&near)), [("before_target", "1550")]);
    assert_eq!(near["price"], "1530.5");
    assert_eq!(fired(hears), std::slice::from_ref(&near), "the same by HTTP");
    drop(client);

    provider.costs(json!(1600));
    until("it fired", DEADLINE, || (fired(other).len() == 2).then_some(()));
    let step = ask(
        other,
        "ana",
        &format!("GET /v1/strategies/{}", strategy.as_str().expect("an id")),
        &Value::Null,
    );
    assert_eq!(step["steps"][0]["state"], "triggered", "{step}");
    let armed = format!("GET /v1/strategies/{}/alerts", strategy.as_str().expect("an id"));
    let armed = ask(hears, "ana", &armed, &Value::Null);
    assert_eq!(armed.to_string().matches("triggered").count(), 1, "{armed}");

    let mut client = Client::connect(other, "ana");
    let back = client.call(json!({ "subscribe": {
        "channel": CHANNEL, "recover": true, "epoch": entered["epoch"], "offset": entered["offset"]
    } }));
    let back = &back["subscribe"];
    assert_eq!(back["recovered"], true, "{back}");
    let missed: Vec<Value> = back["publications"]
        .as_array()
        .expect("what was missed")
        .iter()
        .map(|publication| publication["data"].clone())
        .collect();
    assert_eq!(shown(&missed), [("before_target", "1550"), ("target_reached", "1550")]);
    assert_eq!(missed, fired(other));

    let denied = Client::connect(hears, "bo").call(json!({ "subscribe": { "channel": CHANNEL } }));
    assert_eq!(denied["error"]["code"], 103, "{denied}");
    // What others say in the same journal stands in its place, beside what was written past its thread.
    other.api("publish", &json!({ "channel": CHANNEL, "data": { "kind": "a word" } }));
    assert_eq!(pushed(&mut client)["kind"], "a word");
    let second = plan(hears, "ana", "2000");
    assert!(second.is_string());
    provider.costs(json!(2100));
    assert_eq!(shown(&[pushed(&mut client)]), [("target_reached", "2000")]);
}

#[test]
fn an_alert_is_told_at_once_and_found_by_who_was_away() {
    let (provider, address) = Provider::start();
    let node = Node::with(&asking(&address, "one"));
    file_sql(&node, INSERT_TOKEN);
    tells(&provider, &node, &node);
}

#[test]
fn an_alert_is_told_on_every_node() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let (provider, address) = Provider::start();
    let node = |key| {
        let mut settings = vec![("POSTGRES__URL", url.as_str())];
        settings.extend(asking(&address, key));
        Node::with(&settings)
    };
    let nodes = [node("one"), node("two")];
    sql(&server, INSERT_TOKEN);
    tells(&provider, &nodes[0], &nodes[1]);
}

#[cfg(feature = "failpoints")]
#[test]
fn two_nodes_that_both_believe_to_have_the_lease_fire_once() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let (provider, address) = Provider::start();
    let node = |key| {
        let mut settings = vec![("POSTGRES__URL", url.as_str())];
        settings.extend(asking(&address, key));
        let node = Node::with(&settings);
        let armed = request(node.operator_port, "POST /failpoints HTTP/1.1", "lease.ignored=error");
        assert_eq!(armed.expect("it is armed").status, 204);
        node
    };
    let nodes = [node("one"), node("two")];
    sql(&server, INSERT_TOKEN);
    provider.costs(json!(1));
    for target in 1..=20 {
        plan(&nodes[0], "ana", &(1000 + target).to_string());
    }
    let mut client = Client::connect(&nodes[1], "ana");
    client.subscribe(CHANNEL);
    // Both get each price in the same moment, ten times.
    for price in (0..10).map(|n| 985 + 4 * n) {
        let asked = (provider.calls("one"), provider.calls("two"));
        provider.costs(json!(price));
        provider.hold(&["one", "two"]);
        until("both ask", DEADLINE, || {
            (provider.calls("one") > asked.0 && provider.calls("two") > asked.1).then_some(())
        });
        provider.hold(&[]);
    }
    until("all fired", DEADLINE, || (fired(&nodes[0]).len() >= 40).then_some(()));
    let alerts = fired(&nodes[0]);
    let pushed: Vec<Value> = (0..alerts.len()).map(|_| pushed(&mut client)).collect();
    assert_eq!(pushed, alerts, "each once, in their order");
    let mut once: Vec<_> = alerts
        .iter()
        .map(|alert| (alert["step_id"].to_string(), alert["kind"].to_string()))
        .collect();
    once.sort();
    once.dedup();
    assert_eq!((once.len(), alerts.len()), (40, 40), "{alerts:?}");
}
