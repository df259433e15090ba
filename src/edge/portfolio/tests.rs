//! The calls as a person's program sees them, over a store in a file.

mod again;
mod caching;
mod dashboard;
mod lists;
mod words;

use std::{sync::Mutex, time::Duration};

use actix_web::{
    App,
    http::{Method, StatusCode},
    test,
};
use serde_json::{Value, json};

mod answered;
mod described;
mod document;
mod everything;
mod places;

use super::*;
use crate::{
    domain::{
        moment::Moment,
        portfolio::{id::TokenId, token::Price},
        reading::Lives,
        store::NewToken,
    },
    ids::UserId,
    platform::{
        cache::{Options, system_clock},
        database::Database,
        metrics::Labels,
    },
};

/// Lets in whoever says who they are.
struct Gullible;

impl Doorkeeper for Gullible {
    fn user(&self, token: &str) -> Result<UserId, Stranger> {
        match token {
            "old" => Err(Stranger::Expired),
            "forged" => Err(Stranger::Invalid),
            "blocked" => Err(Stranger::Barred),
            user => Ok(UserId::new(user)),
        }
    }
}

struct Scene {
    desk: Arc<Desk>,
    board: Arc<Mutex<Arc<PriceBoard>>>,
    database: Arc<Database>,
    btc: TokenId,
    eth: TokenId,
    path: std::path::PathBuf,
    /// Who was, and whether they may have changed something.
    answered: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Scene {
    async fn new() -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-{}.db", uuid::Uuid::new_v4()));
        let database = Arc::new(Database::open(&path).unwrap());
        let store = Store::sqlite(database.clone()).unwrap();
        let token = |symbol: &str, provider_id| NewToken {
            symbol: symbol.into(),
            name: symbol.into(),
            provider_id,
            logo_url: None,
        };
        store.put_tokens(vec![token("BTC", 1), token("ETH", 1027)]).await.unwrap();
        let found = store.tokens_called(&["BTC", "ETH"]).await.unwrap();
        let id = |symbol| found.iter().find(|token| token.symbol == symbol).unwrap().id;
        let (btc, eth) = (id("BTC"), id("ETH"));
        let price = Price { price: "3000".parse().unwrap(), observed_at: Moment::now() };
        let board = Arc::new(PriceBoard { prices: [(btc, price)].into(), version: 1 });
        let board = Arc::new(Mutex::new(board));
        let shown = board.clone();
        let store = Arc::new(store);
        let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
        let levels = Options { memory: 1 << 20, shared: None, clock: system_clock() };
        let life = Duration::from_secs(300);
        let lives = Lives { portfolios: life, holdings: life, strategies: life, forecasts: life };
        let answered = Arc::new(Mutex::new(Vec::new()));
        let hears = answered.clone();
        let desk = Desk {
            reading: Arc::new(
                Reading::start(store.clone(), lives, levels, metrics.clone()).unwrap(),
            ),
            pages: Pages::new(1 << 20),
            metrics,
            store,
            prices: Box::new(move || shown.lock().unwrap().clone()),
            proxies: Proxies::new(&["10.0.0.1".into()]),
            doorkeeper: Arc::new(Gullible),
            answered: Box::new(move |user, changed| {
                hears.lock().unwrap().push((user.to_string(), changed))
            }),
            body_limit: 1_000_000,
        };
        Self { desk: Arc::new(desk), board, database, btc, eth, path, answered }
    }

    async fn send(&self, request: test::TestRequest) -> (StatusCode, Value) {
        let desk = self.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let request = request.to_request();
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let answer = test::call_service(&app, request).await;
        let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
        let body = test::read_body(answer).await;
        let kind = kind.as_ref().map(|kind| kind.to_str().unwrap());
        if status.is_client_error() {
            assert_eq!(kind, Some("application/problem+json"), "{body:?}");
        }
        described::answers(method.as_str(), &path, status.as_u16(), kind, &body);
        (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
    }

    fn request(method: Method, path: &str) -> test::TestRequest {
        test::TestRequest::with_uri(path)
            .method(method)
            .insert_header(("authorization", "Bearer ana"))
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = Self::request(method.clone(), path).set_json(&body);
        let (status, answer) = self.send(request).await;
        if status.is_success() {
            let place = path.split('?').next().unwrap();
            let takes = described::takes(method.as_str(), place, &body).unwrap_or(Ok(()));
            takes
                .unwrap_or_else(|why| panic!("{method} {path} takes what is not described: {why}"));
        }
        (status.as_u16(), answer)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Self::request(Method::GET, path)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body).await;
        assert_eq!(status, 201, "{path}: {answer}");
        answer
    }

    /// The path of a new portfolio.
    async fn portfolio(&self, name: &str) -> String {
        let made = self.post("/v1/portfolios", json!({ "name": name })).await;
        format!("/v1/portfolios/{}", made["id"].as_str().unwrap())
    }

    fn bought(&self, quantity: &str, amount: &str) -> Value {
        json!({
            "token_id": self.btc, "kind": "buy", "quantity": quantity, "amount": amount,
            "occurred_at": "2026-01-31T12:00:00Z",
        })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.path.display()));
        }
    }
}

#[actix_web::test]
async fn what_is_bought_is_held_and_adds_up() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let (transactions, holdings) = (format!("{path}/transactions"), format!("{path}/holdings"));
    let one = it.post(&transactions, it.bought("2", "4000")).await;
    assert_eq!((&one["quantity"], &one["kind"]), (&json!("2"), &json!("buy")));
    let two = json!([it.bought("2", "6000"), { "token_id": it.eth, "kind": "reward", "quantity": "1",
        "amount": "0", "occurred_at": "2026-01-31T12:00:00+01:00", "notes": "x" }]);
    assert_eq!(it.post(&transactions, two).await["items"].as_array().unwrap().len(), 2);
    let held = it.get(&holdings).await;
    let figures =
        ["quantity", "invested", "average_price", "price", "value", "profit", "profit_percent"];
    let shown: Vec<&str> =
        figures.iter().map(|figure| held["items"][0][figure].as_str().unwrap()).collect();
    assert_eq!(shown, ["4", "10000", "2500", "3000", "12000", "2000", "20"]);
    assert_eq!(
        (&held["items"][0]["priced"], &held["items"][1]["priced"]),
        (&json!(true), &json!(false))
    );
    let shown = it.get(&path).await;
    assert_eq!(
        (&shown["value"], &shown["holdings_count"], &shown["name"]),
        (&json!("12000"), &json!(2), &json!("mine"))
    );
    assert_eq!(it.get("/v1/holdings").await["items"], held["items"]);
    let change = json!({ "quantity": "1" });
    let changed = format!("/v1/transactions/{}", one["id"].as_str().unwrap());
    assert_eq!(it.ask(Method::PATCH, &changed, change).await.0, 200);
    assert_eq!(it.ask(Method::DELETE, &changed, Value::Null).await.0, 204);
    assert_eq!(it.get(&holdings).await["items"][0]["quantity"], "2");
    assert_eq!(it.ask(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(it.ask(Method::GET, &path, Value::Null).await.0, 404);
}

#[actix_web::test]
async fn who_has_no_token_of_ours_is_told_so() {
    let it = Scene::new().await;
    for (header, status, code) in [
        ("", 401, "unauthorized"),
        ("apikey x", 401, "unauthorized"),
        ("Bearer forged", 401, "unauthorized"),
        ("Bearer old", 401, "token_expired"),
        ("Bearer blocked", 403, "forbidden"),
    ] {
        let request =
            test::TestRequest::with_uri("/v1/portfolios").insert_header(("authorization", header));
        let (came, problem) = it.send(request).await;
        assert_eq!((came.as_u16(), &problem["code"]), (status, &json!(code)), "{header}");
    }
}

#[actix_web::test]
async fn another_person_finds_nothing() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let made = it.post(&format!("{path}/transactions"), it.bought("2", "4000")).await;
    let transaction = format!("/v1/transactions/{}", made["id"].as_str().unwrap());
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/holdings")),
        (Method::GET, format!("{path}/transactions")),
        (Method::DELETE, transaction),
        (Method::GET, "/v1/portfolios/1".into()),
    ] {
        let request = test::TestRequest::with_uri(&path).method(method);
        let (status, problem) =
            it.send(request.insert_header(("authorization", "Bearer bo"))).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(it.get(&path).await["holdings_count"], 1);
}

#[actix_web::test]
async fn pages_follow_each_other_and_a_cursor_belongs_to_its_list() {
    let it = Scene::new().await;
    for name in ["a", "b", "c"] {
        it.portfolio(name).await;
    }
    let first = it.get("/v1/portfolios?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = it.get(&format!("/v1/portfolios?limit=2&cursor={cursor}")).await;
    let both = [&first, &second].into_iter().flat_map(|page| page["items"].as_array().unwrap());
    let names: Vec<&str> = both.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!((names, &second["next_cursor"]), (vec!["a", "b", "c"], &Value::Null));
    let (status, _) =
        it.ask(Method::GET, &format!("/v1/strategies?cursor={cursor}"), Value::Null).await;
    assert_eq!(status, 422);
}

#[actix_web::test]
async fn a_post_that_comes_again_with_its_key_happens_once() {
    let it = Scene::new().await;
    let path = format!("{}/transactions", it.portfolio("mine").await);
    let post = |body: Value| {
        Scene::request(Method::POST, &path).insert_header(("idempotency-key", "k")).set_json(body)
    };
    let (_, first) = it.send(post(it.bought("1", "1"))).await;
    let (status, again) = it.send(post(it.bought("1", "1"))).await;
    assert_eq!((status.as_u16(), again), (201, first));
    let (status, problem) = it.send(post(it.bought("2", "1"))).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("idempotency_key_reused")));
    assert_eq!(it.get(&path).await["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_file_is_imported_row_by_row_and_dry_first() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let file = "\u{feff}Date,Symbol,Type,Quantity,Price,Amount,Notes\r\n2026-01-31,btc,Buy,2,2000,,\"a, b\"\r\n\
        2026-02-01,BTC,Sell,3,1,,\r\n2026-02-01,DOGE,Buy,3,1,,\r\n2026-02-01,BTC,Buy,x,1,,\r\n";
    let import = |query: &str| {
        Scene::request(Method::POST, &format!("{path}/transactions/import{query}"))
            .set_payload(file)
    };
    let (_, dry) = it.send(import("?dry_run=true")).await;
    assert_eq!(it.get(&path).await["holdings_count"], 0);
    let (status, done) = it.send(import("")).await;
    assert_eq!(
        (status.as_u16(), &done["imported"], &done["errors"]),
        (200, &json!(1), &dry["errors"])
    );
    let lines: Vec<&Value> =
        done["errors"].as_array().unwrap().iter().map(|bad| &bad["line"]).collect();
    assert_eq!(lines, [&json!(3), &json!(4), &json!(5)]);
    assert_eq!(it.get(&path).await["invested"], "4000");
}

#[actix_web::test]
async fn a_strategy_and_a_forecast_say_what_they_would_bring() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    let step = |value: &str, sell: &str| json!({ "target_kind": "percentage", "target_value": value, "sell_percent": sell });
    let strategy = json!({ "token_id": it.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200",
        "status": "active", "steps": [step("50", "25"), step("100", "50")] });
    let made = it.post("/v1/strategies", strategy).await;
    assert_eq!(
        (&made["summary"]["to_sell"], &made["steps"][0]["target_price"]),
        (&json!("3.75"), &json!("1800"))
    );
    let listed = &it.get("/v1/strategies").await["items"][0];
    assert_eq!((&listed["progress"], listed.get("steps")), (&json!("0/2"), None));
    let id = made["id"].as_str().unwrap();
    let armed = it.get(&format!("/v1/strategies/{id}/alerts")).await;
    assert_eq!(armed["steps"][1]["before_percent"], "2");
    let arm = json!({ "steps": [{ "step_id": armed["steps"][1]["step_id"], "before_percent": null, "reached": true }] });
    let (status, armed) = it.ask(Method::PUT, &format!("/v1/strategies/{id}/alerts"), arm).await;
    assert_eq!((status, &armed["steps"][1]["before_percent"]), (200, &Value::Null));
    assert_eq!(it.get("/v1/alerts").await["items"], json!([]));
    let over = json!({ "steps": [step("50", "60"), step("100", "50")] });
    let (status, problem) = it.ask(Method::PATCH, &format!("/v1/strategies/{id}"), over).await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap().contains("at most 100 percent")),
        (422, true)
    );

    let portfolio = path.rsplit('/').next().unwrap();
    let forecast =
        json!({ "portfolio_id": portfolio, "name": "f", "applied": { it.btc.to_string(): id } });
    let made = it.post("/v1/forecasts", forecast.clone()).await;
    let totals = ["invested", "collected", "remaining_value", "profit", "return_percent"];
    let shown: Vec<&str> =
        totals.iter().map(|total| made["summary"][total].as_str().unwrap()).collect();
    assert_eq!(shown, ["10000", "13750", "3000", "6750", "67.5"]);
    assert_eq!(made["lines"][0]["sold"], "3");
    let listed = &it.get("/v1/forecasts").await["items"][0];
    assert_eq!((&listed["summary"], &listed["stale"]), (&made["summary"], &json!(false)));
    let mut forged = forecast;
    forged["summary"] = json!({ "profit": "1000000" });
    let (status, problem) = it.ask(Method::POST, "/v1/forecasts", forged).await;
    assert_eq!((status, problem["detail"].as_str().unwrap().contains("summary")), (422, true));
    assert_eq!(it.ask(Method::DELETE, &format!("/v1/strategies/{id}"), Value::Null).await.0, 204);
    let forecast = format!("/v1/forecasts/{}", made["id"].as_str().unwrap());
    assert_eq!(it.get(&forecast).await["summary"]["holdings_with_strategy"], 0);
}

#[actix_web::test]
async fn tokens_are_found_and_prices_told_with_their_age() {
    let it = Scene::new().await;
    assert_eq!(it.get("/v1/tokens?search=et").await["items"][0]["symbol"], "ETH");
    let prices = it.get(&format!("/v1/prices?ids={},{}", it.btc, it.eth)).await;
    assert_eq!(prices["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&prices["items"][0]["price"], &prices["items"][0]["stale"]),
        (&json!("3000"), &json!(false))
    );
    let (status, problem) = it.ask(Method::GET, "/v1/prices?ids=1", Value::Null).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")));
}
