//! Portfolios over HTTP: kept by a node alone and by nodes that share a database, for whom the token names.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare::platform::scratch::Postgres;
use serde_json::{Value, json};

use crate::support::{Answer, Node, request, sign};

fn token(user: &str, lives: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() as i64;
    sign(&json!({ "sub": user, "exp": now + lives }))
}

fn ask(node: &Node, token: &str, head: &str, body: &Value) -> Answer {
    let head = format!("{head} HTTP/1.1\r\nAuthorization: Bearer {token}");
    request(node.port, &head, &body.to_string()).expect("an answer")
}

/// The names of a person's portfolios.
fn names(node: &Node, token: &str) -> Vec<Value> {
    let listed = ask(node, token, "GET /v1/portfolios", &Value::Null).json();
    let items = listed["items"].as_array().expect("a list").clone();
    items.into_iter().map(|one| one["name"].clone()).collect()
}

#[test]
fn a_portfolio_is_there_after_kill_9_and_for_its_owner_only() {
    let mut node = Node::start();
    let (ana, bo) = (token("ana", 60), token("bo", 60));
    let made = ask(&node, &ana, "POST /v1/portfolios", &json!({ "name": "mine" }));
    assert_eq!(made.status, 201, "{made:?}");
    node.kill();
    node.launch();
    assert_eq!((names(&node, &ana), names(&node, &bo)), (vec![json!("mine")], vec![]));
    let one = format!("/v1/portfolios/{}", made.json()["id"].as_str().expect("an id"));
    assert_eq!(ask(&node, &bo, &format!("DELETE {one}"), &Value::Null).status, 404);
    assert_eq!(ask(&node, &ana, &format!("DELETE {one}"), &Value::Null).status, 204);
    assert_eq!(names(&node, &ana), Vec::<Value>::new());
}

#[test]
fn who_is_blocked_or_has_an_old_token_gets_no_portfolio() {
    let node = Node::start();
    let ana = token("ana", 60);
    let status = |token: &str| ask(&node, token, "GET /v1/portfolios", &Value::Null).status;
    assert_eq!((status(&ana), status("garbage"), status(&token("ana", -600))), (200, 401, 401));
    assert_eq!(status(&sign(&json!({ "sub": "" }))), 401, "nobody in particular has portfolios");
    node.api("block_user", &json!({ "user": "ana" }));
    assert_eq!(status(&ana), 403);
}

#[test]
fn what_one_node_wrote_the_other_one_reads_at_once() {
    let server = Postgres::start(&[]).expect("a PostgreSQL server");
    let url = server.url("postgres");
    let nodes = [Node::with(&[("POSTGRES__URL", &url)]), Node::with(&[("POSTGRES__URL", &url)])];
    let ana = token("ana", 60);
    for n in 0..10 {
        let body = json!({ "name": n.to_string() });
        assert_eq!(ask(&nodes[n % 2], &ana, "POST /v1/portfolios", &body).status, 201);
        assert_eq!(names(&nodes[(n + 1) % 2], &ana).len(), n + 1);
    }
}
