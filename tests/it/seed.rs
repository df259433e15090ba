//! `fanfare seed` and `fanfare load dashboard`: people whom a node shows as they were drawn.

use std::{path::PathBuf, process::Command};

use fanfare::{domain::decimal::Decimal, platform::scratch::Postgres};
use serde_json::{Value, json};

use crate::support::{Answer, Node, request, run, sign};

fn dashboard(node: &Node, user: &str) -> Answer {
    let token = sign(&json!({ "sub": user }));
    let head = format!("GET /v1/dashboard HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, "").expect("an answer")
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_seeded_person_sees_a_dashboard_whose_sums_are_right() {
    let mut node = Node::prepared(&[]);
    let (code, out, err) = run(node.command(&["seed", "--people", "3"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("person-1 to person-3: 3 new") && out.contains("--user person-1"),
        "{out}"
    );
    assert!(err.is_empty(), "nothing is drawn for a pipe: {err}");
    node.launch();
    for user in ["person-1", "person-3"] {
        let shown = dashboard(&node, user).json();
        assert_eq!(shown["problems"], json!({}), "{shown}");
        let items = |part: &str| shown[part]["items"].as_array().expect("a part").clone();
        let holdings = items("holdings");
        let lengths =
            ["portfolios", "holdings", "strategies", "forecasts"].map(|part| items(part).len());
        assert_eq!(lengths, [2, 10, 5, 10]);
        let default =
            items("portfolios").into_iter().find(|one| one["is_default"] == true).expect("one");
        for figure in ["invested", "value", "profit"] {
            let sum = Decimal::sum(holdings.iter().map(|one| decimal(&one[figure])));
            assert_eq!(Ok(decimal(&default[figure])), sum, "{figure} of {user}");
        }
        assert!(holdings.iter().all(|one| one["priced"] == true), "{holdings:?}");
    }
    assert_eq!(dashboard(&node, "person-4").json()["portfolios"]["items"], json!([]));

    let (code, _, err) = run(node.command(&["seed", "--people", "4"]));
    assert_eq!(code, Some(75), "a node holds the file: {err}");
    node.kill();
    let (code, _, err) = run(node.command(&["seed", "--people", "4", "--seed", "2"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("person-1 is there already and was not drawn with seed 2"), "{err}");
    let (code, out, err) = run(node.command(&["seed", "--people", "4"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("person-1 to person-4: 1 new, 3 were there."), "{out}");
}

#[test]
fn a_database_is_filled_without_the_secrets_of_a_node() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let mut node = Node::prepared(&[("POSTGRES__URL", &url)]);
    let bare = |node: &Node, arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = node.command(arguments);
        command.envs(more.iter().copied());
        for secret in ["FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", "FANFARE_HTTP_API__KEY"] {
            command.env_remove(secret);
        }
        run(command)
    };
    let (code, out, err) = bare(&node, &["migrate"], &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, out, err) = bare(&node, &["seed", "--people", "2"], &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("holds person-1 to person-2: 2 new."), "{out}");
    let (code, _, err) = bare(&node, &["seed"], &[("FANFARE_CLIENT__PING_INTERVAL", "often")]);
    assert_eq!(code, Some(78), "what is wrong is wrong: {err}");
    let (code, _, err) = bare(&node, &["serve"], &[]);
    assert_eq!(code, Some(78), "who is let in is asked for a token: {err}");
    node.launch();
    assert_eq!(dashboard(&node, "person-2").json()["problems"], json!({}));
}

/// A folder that goes with it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Some people for some seconds; what is reported.
fn load(cache: &Scratch, line: &str) -> Value {
    let (code, report, err) = loaded(cache, line, &[]);
    assert_eq!(code, Some(0), "{report}{err}");
    assert_eq!((&report["errors"], &report["wrong"]), (&json!(0), &json!(0)), "{report}");
    assert!(report["writes"].as_u64() > Some(0), "{report}");
    assert!(report["latency_ms"]["p95"].as_f64() > Some(0.0), "{report}");
    report
}

/// The same whatever comes of it, with settings for its nodes: exit code, report, standard error.
fn loaded(cache: &Scratch, line: &str, settings: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.envs(settings.iter().copied());
    command.args([
        "load",
        "dashboard",
        "--people",
        "8",
        "--think",
        "0.1",
        "--buys",
        "200",
        "--json",
    ]);
    command.arg("--cache").arg(&cache.0).args(line.split_whitespace());
    let (code, out, err) = run(command);
    let report = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    (code, report, err)
}

/// A folder for databases, by a name of the test.
fn cache(name: &str) -> Scratch {
    Scratch(std::env::temp_dir().join(format!("fanfare-it-{name}-{}", std::process::id())))
}

#[test]
fn who_watches_in_a_load_is_told_of_new_prices() {
    let cache = cache("watchers");
    let often = ("FANFARE_PRICES__INTERVAL", "1s");
    let line = "--spawn --seconds 4 --watchers 4";
    let (code, report, err) = loaded(&cache, line, &[often]);
    assert_eq!(
        (code, &report["errors"], &report["wrong"]),
        (Some(0), &json!(0), &json!(0)),
        "{report}{err}"
    );
    assert!(report["told_of_ticks"].as_u64() >= Some(4), "{report}");
    assert!(report["tick_to_watcher_ms"]["max"].as_f64() > Some(0.0), "{report}");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_load_whose_watchers_are_told_nothing_is_no_clean_run() {
    let cache = cache("unheard");
    let settings = [
        // Of five, one does not come in, and the others hear nothing.
        ("FANFARE_CLIENT__CONNECTION_LIMIT", "4"),
        ("FANFARE_FAILPOINTS", "screens.read=panic"),
    ];
    let (code, report, err) = loaded(&cache, "--spawn --seconds 2 --watchers 5", &settings);
    assert_eq!((code, &report["wrong"]), (Some(1), &json!(0)), "{report}{err}");
    assert!(report["errors"].as_u64() >= Some(6), "{report}{err}");
    assert!(err.contains("4 x a watcher was not told for 10 s what others know"), "{err}");
    assert!(err.contains("1 x a watcher never came in") && err.contains("was sent away"), "{err}");
}

#[test]
fn people_of_a_load_find_no_error_and_their_database_is_kept() {
    let cache = cache("cache");
    let kept = || std::fs::read_dir(&cache.0).map_or(0, Iterator::count);
    let report = load(&cache, "--spawn --seconds 2 --compare-constant");
    assert!(report["ratio"].as_f64() > Some(0.0), "{report}");
    assert!(report["constant_rate_per_s"].as_f64() > Some(0.0), "{report}");
    assert_eq!(kept(), 1);
    let cold = load(&cache, "--spawn --seconds 2 --cold");
    assert!(cold["first_latency_ms"]["max"].as_f64() > Some(0.0), "{cold}");
    assert_eq!(kept(), 1, "the same database again");
    load(&cache, "--nodes 2 --seconds 2");
    assert_eq!(kept(), 2, "one of each kind");
}
