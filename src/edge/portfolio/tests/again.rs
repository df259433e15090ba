//! What comes again with its key, and what was refused: done once, or not at all.

use super::*;

/// Large enough that its value at 3000 has more digits than a figure may have.
const MUCH: &str = "99999999999999999999";

impl Scene {
    /// With a key that no other path has.
    fn keyed(path: &str, body: &Value) -> test::TestRequest {
        Self::request(Method::POST, path).insert_header(("idempotency-key", path)).set_json(body)
    }

    pub(super) fn plan(&self, target: &str) -> Value {
        let step = json!({ "target_kind": "price", "target_value": target, "sell_percent": "50" });
        json!({ "token_id": self.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200", "steps": [step] })
    }
}

#[actix_web::test]
async fn a_file_that_comes_again_with_its_key_is_entered_once() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let file = "Date,Symbol,Type,Quantity,Price,Amount,Notes\n2026-01-31,BTC,Buy,2,2000,,\n2026-01-31,X,Buy,2,1,,\n";
    let import = |query: &str, file: &'static str| {
        let path = format!("{path}/transactions/import{query}");
        Scene::request(Method::POST, &path)
            .insert_header(("idempotency-key", "k"))
            .set_payload(file)
    };
    let (_, dry) = it.send(import("?dry_run=true", file)).await;
    assert_eq!((&dry["imported"], &dry["dry_run"]), (&json!(1), &json!(true)));
    let first = it.send(import("", file)).await;
    assert_eq!((first.0.as_u16(), &first.1["imported"]), (200, &json!(1)));
    // Not as it would be answered now: the file's other token is known by then.
    let known = NewToken { symbol: "X".into(), name: "X".into(), provider_id: 7, logo_url: None };
    it.desk.store.put_tokens(vec![known]).await.unwrap();
    assert_eq!(it.send(import("", file)).await, first);
    assert_eq!(it.get(&path).await["invested"], "4000");
    let other = "Date,Symbol,Type,Quantity,Price,Amount,Notes\n2026-01-31,BTC,Buy,3,2000,,\n";
    assert_eq!(it.send(import("", other)).await.1["code"], "idempotency_key_reused");
    let (_, dry) = it.send(import("?dry_run=true", other)).await;
    assert_eq!(dry["imported"], 1, "a dry run does nothing, so that no key is used for it");
}

#[actix_web::test]
async fn what_comes_again_is_answered_as_it_was_whatever_happened_since() {
    let it = Scene::new().await;
    let portfolio = it.portfolio("there").await;
    let forecast = json!({ "portfolio_id": portfolio.rsplit('/').next().unwrap(), "name": "f", "applied": {} });
    for (path, body) in [
        ("/v1/portfolios", json!({ "name": "mine" })),
        ("/v1/strategies", it.plan("1550")),
        ("/v1/forecasts", forecast),
    ] {
        let first = it.send(Scene::keyed(path, &body)).await;
        assert_eq!(first.0, 201, "{}", first.1);
        let one = format!("{path}/{}", first.1["id"].as_str().unwrap());
        assert_eq!(it.ask(Method::DELETE, &one, Value::Null).await.0, 204);
        assert_eq!(it.send(Scene::keyed(path, &body)).await, first, "{path}");
        assert_eq!(it.ask(Method::GET, &one, Value::Null).await.0, 404, "{path}");
    }
}

#[actix_web::test]
async fn what_is_refused_was_not_done() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought(MUCH, "1")).await;
    // The sums that are answered can't be computed.
    let (status, problem) = it.ask(Method::PUT, &path, json!({ "name": "x" })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("out_of_range")));
    it.portfolio("x").await;

    let id = path.rsplit('/').next().unwrap();
    let plan = it.post("/v1/strategies", it.plan("3600")).await;
    let of = |name: &str, applied: Value| json!({ "portfolio_id": id, "name": name, "applied": applied });
    let all = json!({ it.btc.to_string(): plan["id"] });
    for _ in 0..2 {
        let (status, problem) = it.ask(Method::POST, "/v1/forecasts", of("f", all.clone())).await;
        assert_eq!((status, &problem["code"]), (422, &json!("out_of_range")));
    }
    assert_eq!(it.get("/v1/forecasts").await["items"], json!([]));
    let made = it.post("/v1/forecasts", of("f", json!({}))).await;
    let one = format!("/v1/forecasts/{}", made["id"].as_str().unwrap());
    let (status, problem) = it.ask(Method::PUT, &one, of("g", all)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("out_of_range")));
    let now = it.get(&one).await;
    assert_eq!((&now["name"], &now["applied"]), (&json!("f"), &json!({})));
}

#[actix_web::test]
async fn what_is_answered_is_what_is_stored() {
    let it = Scene::new().await;
    let path = format!("{}/transactions", it.portfolio("mine").await);
    let mut noted = it.bought("1", "1");
    noted["notes"] = json!("  x ");
    let one = it.post(&path, noted.clone()).await;
    let several = it.post(&path, json!([noted])).await;
    assert_eq!((&one["notes"], &several["items"][0]["notes"]), (&json!("x"), &json!("x")));
    assert_eq!(it.get(&path).await["items"], json!([several["items"][0], one]));
}
