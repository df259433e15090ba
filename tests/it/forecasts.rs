//! Forecasts that are there when their people ask: computed in the background after a write, and after a price that moved.

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::{
    metrics::series,
    panics::{arm, hits},
    prices::{INSERT_TOKEN, TOKEN, ask, asking, plan},
    support::{Client, DEADLINE, Node, Provider, file_sql, sql, until},
};

/// Before somebody's forecasts are computed.
const COMPUTE: &str = "forecasts.compute";

/// Somebody with 4 of the token, who means to sell a quarter of it.
struct Person<'a> {
    node: &'a Node,
    user: &'a str,
    portfolio: String,
    forecast: String,
}

impl<'a> Person<'a> {
    #[track_caller]
    fn new(node: &'a Node, user: &'a str) -> Self {
        let exit = plan(node, user, "900000");
        let id = |made: Value| made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let portfolio = id(ask(node, user, "POST /v1/portfolios", &json!({ "name": "mine" })));
        let mut it = Self { node, user, portfolio, forecast: String::new() };
        it.buy("4", "10000");
        let new =
            json!({ "portfolio_id": it.portfolio, "name": "exit", "applied": { TOKEN: exit } });
        it.forecast = id(ask(node, user, "POST /v1/forecasts", &new));
        it
    }

    #[track_caller]
    fn buy(&self, quantity: &str, amount: &str) {
        let head = format!("POST /v1/portfolios/{}/transactions", self.portfolio);
        let entry = json!({
            "token_id": TOKEN, "kind": "buy", "quantity": quantity, "amount": amount,
            "occurred_at": "2026-01-31T12:00:00Z",
        });
        let made = ask(self.node, self.user, &head, &entry);
        assert!(made["id"].is_string(), "{made}");
    }

    /// The forecast as the list shows it, which computes nothing.
    fn listed(&self) -> Value {
        ask(self.node, self.user, "GET /v1/forecasts", &Value::Null)["items"][0].clone()
    }

    /// What the list shows once it holds, and this is its figure.
    #[track_caller]
    fn becomes(&self, figure: &str, value: &str) -> Value {
        until(&format!("{figure} is {value} for {}", self.user), DEADLINE, || {
            let listed = self.listed();
            (listed["stale"] == false && listed["summary"][figure] == value).then_some(listed)
        })
    }

    /// The summary as it is computed for who asks for this one.
    fn asked(&self) -> Value {
        let head = format!("GET /v1/forecasts/{}", self.forecast);
        ask(self.node, self.user, &head, &Value::Null)["summary"].clone()
    }
}

/// Waits until so many turns are over. Of two, one began after this.
#[track_caller]
fn turns(node: &Node, turns: u32) {
    let count = || series(node, "fanfare_forecast_turn_seconds_count").unwrap_or_default();
    let end = count() + f64::from(turns);
    until("the turns are over", DEADLINE, || (count() >= end).then_some(()));
}

#[track_caller]
fn costs(node: &Node, provider: &Provider, price: Value) {
    let shown_as = price.to_string();
    provider.costs(price);
    let query = format!("GET /v1/prices?ids={TOKEN}");
    until("the price is known", DEADLINE, || {
        let shown = ask(node, "ana", &query, &Value::Null);
        (shown["items"][0]["price"] == shown_as).then_some(())
    });
}

#[test]
fn the_list_is_right_though_nobody_asks_for_each_forecast() {
    let (provider, address) = Provider::start();
    let node = Node::with(&asking(&address, "one"));
    file_sql(&node, INSERT_TOKEN);
    provider.costs(json!(3000));
    let ana = Person::new(&node, "ana");
    // A quarter is sold, three are left at the price.
    costs(&node, &provider, json!(3000));
    let first = ana.becomes("remaining_value", "9000");
    assert_eq!(first["summary"], ana.asked());

    ana.buy("4", "14000");
    let bought = ana.becomes("invested", "24000");
    assert_eq!(bought["summary"]["remaining_value"], "18000");
    assert_eq!(bought["summary"], ana.asked());

    costs(&node, &provider, json!(3300));
    let moved = ana.becomes("remaining_value", "19800");
    assert_eq!(moved["summary"], ana.asked());

    // By 0.03 % and then, in all, by 0.12 %.
    costs(&node, &provider, json!(3301));
    turns(&node, 2);
    assert_eq!(ana.listed(), moved, "nobody would see a difference");
    costs(&node, &provider, json!(3304));
    ana.becomes("remaining_value", "19824");
}

#[test]
fn who_has_not_been_seen_gets_theirs_too() {
    let (provider, address) = Provider::start();
    let mut node = Node::with(&asking(&address, "one"));
    file_sql(&node, INSERT_TOKEN);
    let user = "ana";
    let ana = Person::new(&node, user);
    costs(&node, &provider, json!(3000));
    ana.becomes("remaining_value", "9000");
    node.kill();
    node.launch();
    let kept = || series(&node, "fanfare_forecasts_computed_total{outcome=\"kept\"}");
    assert_eq!(kept(), Some(0.0), "nobody has asked yet, and nothing is stale");
    file_sql(&node, "update forecasts set stale = true, summary = null");
    until("it is computed", DEADLINE, || (kept() == Some(1.0)).then_some(()));
    let listed = ask(&node, user, "GET /v1/forecasts", &Value::Null)["items"][0].clone();
    assert_eq!(
        (&listed["stale"], &listed["summary"]["remaining_value"]),
        (&json!(false), &json!("9000"))
    );
}

#[test]
fn somebody_whose_forecasts_panic_holds_up_nobody() {
    let (provider, address) = Provider::start();
    let node = Node::with(&asking(&address, "one"));
    file_sql(&node, INSERT_TOKEN);
    let (ana, bo) = (Person::new(&node, "ana"), Person::new(&node, "bo"));
    costs(&node, &provider, json!(3000));
    for person in [&ana, &bo] {
        person.becomes("remaining_value", "9000");
    }
    arm(&node, &format!("{COMPUTE}=panic*1"));
    ana.buy("4", "14000");
    until("it panicked", DEADLINE, || (hits(&node, COMPUTE) == 1).then_some(()));
    bo.buy("4", "14000");
    bo.becomes("invested", "24000");
    assert_eq!(ana.listed()["stale"], true, "it is said that hers are old");
    assert_eq!(ana.asked()["invested"], "24000", "who asks for one has it computed");
    let restarts = series(&node, "fanfare_restarts_total{actor=\"forecasts\"}");
    assert_eq!(restarts.unwrap_or(0.0), 0.0);
}

#[test]
fn who_only_watches_is_told_what_new_prices_bring() {
    let (provider, address) = Provider::start();
    let mut settings = asking(&address, "one").to_vec();
    settings.extend([("FORECAST__INTERVAL", "100ms"), ("FORECAST__SEEN_FOR", "2s")]);
    let node = Node::with(&settings);
    file_sql(&node, INSERT_TOKEN);
    let ana = Person::new(&node, "ana");
    costs(&node, &provider, json!(3000));
    ana.becomes("remaining_value", "9000");
    let mut screen = Client::connect(&node, "ana");
    screen.subscribe("dashboard:#ana");
    // For longer than anybody is remembered she asks nothing.
    turns(&node, 25);
    provider.costs(json!(3300));
    let forecast = loop {
        let mut push = screen.push();
        let part = push["pub"]["data"].take();
        if part["type"] == "forecast" && part["items"][0]["summary"]["remaining_value"] != "9000" {
            break part["items"][0].clone();
        }
    };
    assert_eq!(forecast["summary"], ana.asked());
}

#[test]
fn broken_data_of_one_person_holds_up_nobody_else() {
    let node = Node::with(&[("PRICES__PROVIDER", "none")]);
    file_sql(&node, INSERT_TOKEN);
    let people = ["abe", "ana"].map(|user| Person::new(&node, user));
    turns(&node, 2);
    // He waits longer than she does, and always will.
    let holding = "update holdings set quantity = 'many' where owner = 'abe'";
    file_sql(&node, &format!("{holding}; update forecasts set stale = true where owner = 'abe'"));
    people[1].buy("4", "14000");
    people[1].becomes("invested", "24000");
}

#[test]
fn what_was_written_through_one_node_is_right_on_all() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    // Only one of them computes.
    let node = |interval| {
        let settings = [
            ("POSTGRES__URL", url.as_str()),
            ("PRICES__PROVIDER", "none"),
            ("FORECAST__INTERVAL", interval),
        ];
        Node::with(&settings)
    };
    let (idle, works) = (node("1h"), node("100ms"));
    sql(&server, INSERT_TOKEN);
    let ana = Person::new(&idle, "ana");
    ana.buy("4", "14000");
    let listed = ana.becomes("invested", "24000");
    assert_eq!(listed["summary"], ana.asked());
    assert_eq!(series(&idle, "fanfare_forecast_turn_seconds_count"), Some(0.0));
    assert!(series(&works, "fanfare_forecasts_computed_total{outcome=\"kept\"}") > Some(0.0));
}
