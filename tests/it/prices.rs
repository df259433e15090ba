//! Prices in the background: one node of all asks for them, and everybody has them.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::support::{DEADLINE, Node, request, sign, sql, until};

/// A provider that counts its calls by the key that they show. Each token costs one more than at the call before.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<BTreeMap<String, u64>>>);

impl Provider {
    fn start() -> (Self, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let provider = Self::default();
        let mine = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let provider = mine.clone();
                thread::spawn(move || provider.serve(stream));
            }
        });
        (provider, address)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        while let Some(request) = lines.next() {
            let (mut ids, mut key) = (Vec::new(), String::new());
            let query = request.split(['?', '&', ' ']).find_map(|part| part.strip_prefix("id="));
            ids.extend(query.unwrap_or_default().split(',').map(str::to_owned));
            for line in lines.by_ref().take_while(|line| !line.is_empty()) {
                if let Some(shown) = line.to_lowercase().strip_prefix("x-cmc_pro_api_key: ") {
                    key = shown.to_owned();
                }
            }
            let price = {
                let mut calls = self.0.lock().expect("no panic");
                *calls.entry(key).or_default() += 1;
                calls.values().sum::<u64>()
            };
            let one = |id: &String| {
                let number: i64 = id.parse().unwrap_or_default();
                (id.clone(), json!({ "id": number, "quote": { "USD": { "price": price } } }))
            };
            let data: serde_json::Map<String, Value> = ids.iter().map(one).collect();
            let body = json!({ "data": data }).to_string();
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
        }
        None
    }

    fn calls(&self, key: &str) -> u64 {
        self.0.lock().expect("no panic").get(key).copied().unwrap_or_default()
    }
}

fn ask(node: &Node, head: &str, body: &Value) -> Value {
    let token = sign(&json!({ "sub": "ana" }));
    let head = format!("{head} HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, &body.to_string()).expect("an answer").json()
}

/// What a node says that the token costs, if it knows.
fn price(node: &Node, token: &str) -> Option<f64> {
    let answer = ask(node, &format!("GET /v1/prices?ids={token}"), &Value::Null);
    answer["items"][0]["price"].as_str()?.parse().ok()
}

#[test]
fn one_node_asks_for_all_and_another_goes_on_when_it_dies() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let (provider, address) = Provider::start();
    let url = server.url("postgres");
    let node = |key: &str| {
        Node::with(&[
            ("POSTGRES__URL", &url),
            ("PRICES__PROVIDER", "coinmarketcap"),
            ("PRICES__BASE_URL", &address),
            ("PRICES__API_KEY", key),
            ("PRICES__INTERVAL", "1s"),
        ])
    };
    let mut nodes = vec![("one", node("one")), ("two", node("two"))];
    let token = "018bcfe5-6800-7000-8000-000000000001";
    let row = format!("values ('{token}', 'BTC', 'Bitcoin', 'btc', 'bitcoin', 1)");
    let columns = "(id, symbol, name, symbol_key, name_key, provider_id)";
    sql(&server, &format!("insert into tokens {columns} {row}"));
    assert_eq!(price(&nodes[0].1, token), None);
    assert_eq!((provider.calls("one"), provider.calls("two")), (0, 0), "nobody wants to know");
    let plan = json!({
        "token_id": token, "name": "exit", "base_quantity": "5", "reference_price": "1200",
        "steps": [{ "target_kind": "price", "target_value": "1550", "sell_percent": "25" }]
    });
    let made = ask(&nodes[0].1, "POST /v1/strategies", &plan);
    assert!(made["id"].is_string(), "{made}");
    until("both nodes know what it costs", DEADLINE, || {
        nodes.iter().all(|(_, node)| price(node, token).is_some_and(|price| price >= 3.0)).then_some(())
    });
    let busy = nodes.iter().position(|(key, _)| provider.calls(key) > 0).expect("one asks");
    let (key, mut dies) = nodes.swap_remove(busy);
    let (other, lives) = nodes.remove(0);
    assert!(provider.calls(key) >= 3);
    assert_eq!(provider.calls(other), 0, "one asks for all");
    dies.kill();
    let died = Instant::now();
    until("the other one asks", Duration::from_secs(15), || (provider.calls(other) > 0).then_some(()));
    assert!(died.elapsed() < Duration::from_secs(11), "after {:?}", died.elapsed());
    let known = price(&lives, token);
    until("prices go on", DEADLINE, || (price(&lives, token) > known).then_some(()));
}
