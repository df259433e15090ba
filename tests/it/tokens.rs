//! `fanfare tokens import`: tokens of a file that people can hold then.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::{
    prices::ask,
    support::{Node, run},
};

const HEAD: &str = "symbol,name,provider_id,logo_url\n";

/// Imports what stands in a file beside the data of the node.
fn import(node: &Node, text: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let file = node.data_dir().with_file_name("tokens.csv");
    std::fs::write(&file, text).expect("a file");
    let file = file.display().to_string();
    run(node.command(&[&["tokens", "import", &file], options].concat()))
}

/// The same out of a pipe.
fn pipe(mut command: Command, text: &str) -> (Option<i32>, String, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("it starts");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let ended = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

/// Symbol, name and number of all tokens that a node shows, by their symbols.
fn shown(node: &Node) -> Vec<(Value, Value, Value)> {
    let found = ask(node, "ana", "GET /v1/tokens", &Value::Null);
    let items = found["items"].as_array().unwrap_or_else(|| panic!("no list: {found}"));
    items
        .iter()
        .map(|one| (one["symbol"].clone(), one["name"].clone(), one["provider_id"].clone()))
        .collect()
}

fn told(new: u32, changed: u32, unchanged: u32) -> Value {
    json!({ "new": new, "changed": changed, "unchanged": unchanged })
}

#[test]
fn people_can_hold_the_tokens_of_a_file() {
    let mut node = Node::prepared(&[]);
    let file = format!("{HEAD}BTC,Bitcoin,1,https://a.example/1.png\nETH,Ethereum,1027,\n");
    let (code, out, err) = import(&node, &file, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("of 2 tokens 2 are new, 0 were there with other names"), "{out}");
    let (code, out, err) = import(&node, &file, &["--json"]);
    assert_eq!((code, out.parse::<Value>().ok()), (Some(0), Some(told(0, 0, 2))), "{err}");

    node.launch();
    let names = |symbol: &str, name: &str, number| (json!(symbol), json!(name), json!(number));
    assert_eq!(shown(&node), [names("BTC", "Bitcoin", 1), names("ETH", "Ethereum", 1027)]);
    let found = ask(&node, "ana", "GET /v1/tokens?search=bit", &Value::Null);
    let token = &found["items"][0];
    assert_eq!(token["logo_url"], "https://a.example/1.png", "{found}");
    let portfolio = ask(&node, "ana", "POST /v1/portfolios", &json!({ "name": "mine" }));
    let path = format!("/v1/portfolios/{}", portfolio["id"].as_str().expect("an id"));
    let buy = json!({
        "token_id": token["id"], "kind": "buy", "quantity": "2", "amount": "7", "occurred_at": "2026-01-31T12:00:00Z"
    });
    let bought = ask(&node, "ana", &format!("POST {path}/transactions"), &buy);
    assert_eq!(bought["quantity"], "2", "{bought}");
    let (code, _, err) = import(&node, &file, &[]);
    assert_eq!(code, Some(75), "a node holds the file: {err}");

    node.kill();
    let file = format!("{HEAD}XBT,Bitcoin,1,\nSOL,Solana,5426,\n");
    let (code, out, err) = import(&node, &file, &["--json"]);
    assert_eq!((code, out.parse::<Value>().ok()), (Some(0), Some(told(1, 1, 0))), "{err}");
    node.launch();
    assert_eq!(shown(&node).len(), 3);
    let holdings = ask(&node, "ana", &format!("GET {path}/holdings"), &Value::Null);
    let held = &holdings["items"][0];
    assert_eq!(
        (&held["token"]["symbol"], &held["quantity"]),
        (&json!("XBT"), &json!("2")),
        "{held}"
    );
}

#[test]
fn a_file_with_a_bad_row_changes_nothing_and_says_what_is_wrong_with_each() {
    let mut node = Node::prepared(&[]);
    let (code, out, err) =
        import(&node, &format!("{HEAD}BTC,Bitcoin,1,\n,x,2,\nETH,\"oops,3,\n"), &[]);
    assert_eq!((code, &*out), (Some(1), ""), "{err}");
    for line in [
        "tokens.csv: 2 rows are wrong, nothing was imported:",
        "  line 3: symbol: expected 1 to 64 characters, got 0",
        "  line 4: the quote is not closed",
    ] {
        assert!(err.contains(line), "{line} in {err}");
    }
    assert!(!node.data_dir().exists(), "nothing was touched");
    let (code, _, err) = run(node.command(&["tokens", "import", "/nowhere.csv"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("/nowhere.csv: expected a CSV of tokens"), "{err}");
    node.launch();
    assert_eq!(shown(&node), []);
}

#[test]
fn tokens_come_into_a_database_that_nodes_share_without_their_secrets() {
    let postgres = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = postgres.url("postgres");
    let mut node = Node::prepared(&[("POSTGRES__URL", &url)]);
    // As `jq` writes it, with quotes.
    let file =
        "\"symbol\",\"name\",\"provider_id\"\n\"BTC\",\"Bitcoin\",1\n\"ETH\",\"Ethereum\",1027\n";
    let bare = || {
        let mut command = node.command(&["tokens", "import", "-"]);
        command
            .env_remove("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY")
            .env_remove("FANFARE_HTTP_API__KEY");
        command
    };
    let (code, out, err) = pipe(bare(), file);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("of 2 tokens 2 are new"), "{out}");
    node.launch();
    assert_eq!(shown(&node).len(), 2);
    let more: String = (2..=3_000).map(|n| format!("T{n},token {n},{}\n", n + 10_000)).collect();
    let import = node.command(&["tokens", "import", "-", "--json"]);
    let (code, out, err) = pipe(import, &format!("symbol,name,provider_id\nBTC,Bitcoin,1\n{more}"));
    assert_eq!((code, out.parse::<Value>().ok()), (Some(0), Some(told(2_999, 0, 1))), "{err}");
    let found = ask(&node, "ana", "GET /v1/tokens?search=t2999", &Value::Null);
    assert_eq!(found["items"][0]["provider_id"], 12_999, "a node runs meanwhile: {found}");
}
