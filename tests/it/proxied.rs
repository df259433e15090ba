//! Answers that NGINX keeps: for whom, for how long, and that nobody else comes by them.

use std::time::{Duration, Instant};

use fanfare::platform::scratch::{Nginx, nginx::PLAIN};
use serde_json::{Value, json};

use crate::{
    caches::{counted, made, token},
    prices::{INSERT_TOKEN, TOKEN},
    support::{Answer, Cluster, DEADLINE, Node, file_sql, request, sign, until},
};

/// Nodes that take the word of what stands in front of them.
fn behind(count: usize) -> Cluster {
    Cluster::with(count, &[("HTTP_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#)])
}

fn in_front_of(nodes: &[Node]) -> Nginx {
    let nodes: Vec<_> = nodes.iter().map(|node| ([127, 0, 0, 1], node.port).into()).collect();
    Nginx::start(&nodes, &[PLAIN]).expect("NGINX starts")
}

/// With headers, each ending in a line of its own.
fn get(nginx: &Nginx, path: &str, headers: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\r\n{headers}");
    request(nginx.port(), head.trim_end(), "").expect("an answer")
}

fn of(user: &str) -> String {
    format!("Authorization: Bearer {}\r\n", token(user))
}

/// How often nodes were asked for a page.
fn asked(nodes: &[Node]) -> f64 {
    counted(nodes, "hits_total{level=\"page\"}") + counted(nodes, "misses_total{level=\"page\"}")
}

fn names(answer: &Answer) -> Vec<Value> {
    let all = answer.json();
    let items = all["items"].as_array().unwrap_or_else(|| panic!("no list: {answer:?}"));
    items.iter().map(|one| one["name"].clone()).collect()
}

const PAGE: &str = "/v1/portfolios";

/// NGINX keeps an answer when it is asked for the second time.
fn looked_at(nginx: &Nginx, headers: &str, name: &str) {
    for _ in 0..2 {
        assert_eq!(names(&get(nginx, PAGE, headers)), [name]);
    }
}

#[test]
fn an_answer_is_kept_by_nginx_until_its_person_writes_wherever_that_is() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(2);
    let (nginx, ana, mine) = (in_front_of(&nodes), token("ana"), of("ana"));
    let id = made(&nodes[0], &ana, "portfolios", &json!({ "name": "mine" }));
    looked_at(&nginx, &mine, "mine");
    let before = asked(&nodes);
    for _ in 0..5 {
        assert_eq!(names(&get(&nginx, PAGE, &mine)), ["mine"]);
    }
    assert_eq!(asked(&nodes), before, "it comes from NGINX");
    for n in 0..50 {
        let name = format!("mine {n}");
        let put = format!("PUT /v1/portfolios/{id} HTTP/1.1\r\n{}", mine.trim_end());
        let port = if n % 2 == 0 { nginx.port() } else { nodes[n / 2 % 2].port };
        let changed = request(port, &put, &json!({ "name": name }).to_string()).expect("an answer");
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(names(&get(&nginx, PAGE, &mine)), [name.as_str()], "the {n}th time");
    }
}

#[test]
fn what_a_node_told_nginx_no_node_asks_the_database_again() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(2);
    let (nginx, mine) = (in_front_of(&nodes), of("ana"));
    let id = made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": "first" }));
    let questions = || counted(&nodes, "generations_asked_count");
    for name in ["second", "third"] {
        let put = format!("PUT /v1/portfolios/{id} HTTP/1.1\r\n{}", mine.trim_end());
        let changed = json!({ "name": name }).to_string();
        let present = format!("GET /v1/present HTTP/1.1\r\n{}", mine.trim_end());
        let present = request(nodes[0].port, &present, "").expect("an answer");
        let stale = &present.headers["x-fanfare-state"];
        request(nodes[1].port, &put, &changed).expect("an answer");
        let before = questions();
        // What they write there themselves goes no further.
        let answer = get(&nginx, PAGE, &format!("{mine}X-Fanfare-State: {stale}\r\n"));
        assert_eq!(names(&answer), [name]);
        assert_eq!(questions() - before, 1.0);
    }
}

#[test]
fn nobody_comes_by_what_nginx_keeps_for_another_person() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(2);
    let nginx = in_front_of(&nodes);
    made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": "secret" }));
    looked_at(&nginx, &of("ana"), "secret");
    // What a node told NGINX about ana, in case somebody finds that out.
    let told = std::process::Command::new("grep")
        .args(["-rhao", "KEY: .*"])
        .arg(nginx.folder().join("answers"))
        .output()
        .expect("its folder is read");
    let keys = String::from_utf8_lossy(&told.stdout).into_owned();
    let key = keys.lines().find(|key| key.ends_with(PAGE)).expect("ana's answer is kept");
    let (who, state) = key["KEY: ".len()..].split_once(' ').expect("who and state");
    let state = state.split(' ').next().expect("a state");
    assert_eq!(who.len(), 64, "{key}");
    let hers = format!(
        "X-Fanfare-Person: {who}\r\nX-Fanfare-State: {state}\r\nCookie: fanfare_user=ana\r\n"
    );
    let forged = format!("Authorization: Bearer {}x\r\n", token("ana"));
    for (headers, status) in [
        (String::new(), 401),
        (hers.clone(), 401),
        (format!("{forged}{hers}"), 401),
        (format!("Authorization: Basic {who}\r\n{hers}"), 401),
        (format!("{}{hers}", of("eve")), 200),
        (format!("{}If-None-Match: *\r\n", of("eve")), 304),
    ] {
        let answer = get(&nginx, PAGE, &headers);
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
        assert!(!answer.body.contains("secret"), "{headers}: {answer:?}");
    }
    for path in [
        "/_fanfare/present",
        "/v1/present/",
        &format!("/{key}"),
        &format!("/v1/{who}%20{state}%20{PAGE}"),
    ] {
        let answer = get(&nginx, &path.replace(' ', "%20"), &of("eve"));
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    let problem = get(&nginx, PAGE, &forged).json();
    assert_eq!(problem["code"], "unauthorized", "refusals are the nodes'");
}

#[test]
fn nobody_is_answered_out_of_nginx_while_no_node_says_who_asks() {
    let Cluster { mut nodes, redis: _redis, postgres: _postgres } = behind(1);
    let nginx = in_front_of(&nodes);
    made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": "mine" }));
    looked_at(&nginx, &of("ana"), "mine");
    nodes[0].kill();
    let answer = get(&nginx, PAGE, &of("ana"));
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("temporarily_unavailable")));
    let head = format!("POST {PAGE} HTTP/1.1\r\n{}", of("ana").trim_end());
    let answer = request(nginx.port(), &head, r#"{"name":"more"}"#).expect("an answer");
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("outcome_unknown")));
}

#[test]
fn who_has_no_token_in_force_gets_nothing_of_what_nginx_keeps() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(1);
    let nginx = in_front_of(&nodes);
    made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": "mine" }));
    looked_at(&nginx, &of("ana"), "mine");
    let expired = sign(&json!({ "sub": "ana", "exp": 1_700_000_000 }));
    let answer = get(&nginx, PAGE, &format!("Authorization: Bearer {expired}\r\n"));
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("token_expired")));
}

#[test]
fn of_many_who_want_the_same_the_first_two_ask_a_node() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(1);
    let (nginx, mine) = (in_front_of(&nodes), of("ana"));
    made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": "mine" }));
    let before = asked(&nodes);
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(names(&get(&nginx, PAGE, &mine)), ["mine"]));
        }
    });
    // The first is not waited for; from the second on one asks, and the others have what it is told.
    assert!(asked(&nodes) <= before + 2.0, "{before} before, {} now", asked(&nodes));
}

#[test]
fn while_the_database_is_away_nginx_goes_on_asking_the_nodes() {
    let Cluster { nodes, redis: _redis, mut postgres } = behind(1);
    let nginx = in_front_of(&nodes);
    postgres.stop().expect("PostgreSQL stops");
    for _ in 0..4 {
        let answer = get(&nginx, PAGE, &of("ana"));
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (503, &json!("temporarily_unavailable"))
        );
    }
    let answer = get(&nginx, "/openapi.json", "");
    assert_eq!(answer.status, 200, "the node is there: {answer:?}");
}

#[test]
fn a_body_that_is_too_large_is_refused_in_the_words_of_the_nodes() {
    let node = Node::start();
    let nginx = in_front_of(std::slice::from_ref(&node));
    let head = format!("POST {PAGE} HTTP/1.1\r\n{}", of("ana").trim_end());
    let body = "x".repeat(5 << 20);
    let answer = request(nginx.port(), &head, &body).expect("an answer");
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("body_too_large")));
    // Of 2 MB, in chunks: to the node, which finds no JSON in it.
    let body = "x".repeat(2 << 20);
    let head = format!("{head}\r\nTransfer-Encoding: chunked");
    let answer = request(nginx.port(), &head, &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_body")));
}

/// The path of a question for the prices of so many tokens.
fn prices_of(count: usize) -> String {
    let ids: Vec<_> = (0..count).map(|n| format!("018bcfe5-6800-7000-8000-{n:012x}")).collect();
    format!("/v1/prices?ids={}", ids.join(","))
}

#[test]
fn prices_of_as_many_tokens_as_a_node_takes_come_through_and_are_kept() {
    let mut node = Node::start();
    let (nginx, mine) = (in_front_of(std::slice::from_ref(&node)), of("ana"));
    let answer = get(&nginx, &prices_of(500), &mine);
    assert_eq!((answer.status, answer.json()), (200, json!({ "items": [] })));
    let answer = get(&nginx, &prices_of(520), &mine);
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (422, &json!("invalid_field")),
        "a node's word"
    );
    node.kill();
    let answer = get(&nginx, &prices_of(500), &mine);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!nginx.log().contains("buffer_size"), "{}", nginx.log());
}

#[test]
fn a_head_that_is_too_long_is_refused_in_the_words_of_the_nodes() {
    let node = Node::start();
    let (plain, tls) = (
        in_front_of(std::slice::from_ref(&node)),
        Nginx::start(&[([127, 0, 0, 1], node.port).into()], &[]),
    );
    let tls = tls.expect("NGINX starts");
    let cookie = format!("Cookie: {}\r\n", "x".repeat(40_000));
    for (nginx, path, headers, status, code) in [
        (&plain, &*prices_of(2_000), "", 414, "uri_too_long"),
        (&plain, PAGE, &*cookie, 431, "headers_too_large"),
        // Where there is TLS, too: nobody is sent to a place that was not read.
        (&tls, &*prices_of(2_000), "", 414, "uri_too_long"),
        (&tls, PAGE, &*cookie, 431, "headers_too_large"),
    ] {
        let answer = get(nginx, path, headers);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.json()["status"], status);
    }
    let answer = get(&tls, PAGE, "");
    let to = format!("https://127.0.0.1{PAGE}");
    assert_eq!((answer.status, &answer.headers["location"]), (308, &to), "{answer:?}");
    for hidden in ["/_fanfare/uri_too_long", "/_fanfare/headers_too_large"] {
        assert_eq!(get(&plain, hidden, &of("ana")).status, 404);
    }
}

#[test]
fn prices_are_served_for_some_seconds_while_no_node_answers() {
    let mut node = Node::start();
    let (nginx, mine) = (in_front_of(std::slice::from_ref(&node)), of("ana"));
    file_sql(&node, INSERT_TOKEN);
    let path = format!("/v1/prices?ids={TOKEN}");
    let known = get(&nginx, &path, &mine);
    assert_eq!(known.status, 200, "{known:?}");
    node.kill();
    let killed = Instant::now();
    // Fresh for 5 s, and 20 s more instead of nothing.
    until("it is kept instead of nothing", DEADLINE, || {
        let answer = get(&nginx, &path, &mine);
        assert_eq!((answer.status, &answer.body), (200, &known.body), "{:?}", killed.elapsed());
        (killed.elapsed() > Duration::from_secs(8)).then_some(())
    });
    let never = get(&nginx, "/v1/tokens?search=nobody-asked-before", &mine);
    let says = (never.status, never.json()["code"].clone());
    assert_eq!(says, (503, json!("temporarily_unavailable")));
}

#[test]
fn what_is_kept_for_those_who_take_fewer_bytes_is_not_sent_to_others() {
    let Cluster { nodes, redis: _redis, postgres: _postgres } = behind(1);
    let (nginx, mine) = (in_front_of(&nodes), of("ana"));
    for n in 0..40 {
        made(&nodes[0], &token("ana"), "portfolios", &json!({ "name": format!("mine {n}") }));
    }
    let asked_for = |encoding: &str| {
        let answer = get(&nginx, PAGE, &format!("{mine}Accept-Encoding: {encoding}\r\n"));
        assert_eq!(answer.status, 200, "{encoding}: {answer:?}");
        answer.headers.get("content-encoding").cloned()
    };
    for _ in 0..3 {
        assert_eq!(asked_for("gzip").as_deref(), Some("gzip"));
        assert_eq!(asked_for("br").as_deref(), Some("br"));
        assert_eq!(names(&get(&nginx, PAGE, &mine)).len(), 40, "as it is");
    }
}
