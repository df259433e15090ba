//! Each call, asked for with success and without, is answered as the document says.

use std::collections::HashMap;

use diesel::QueryResult;
use futures_util::future::{BoxFuture, ready};

use super::*;
use crate::domain::{
    portfolio::alert::Alert,
    store::{Open, Outbox, Told},
};

/// Tells nobody of what fires.
struct Unheard;

impl Outbox for Unheard {
    fn say<'a>(
        &'a self,
        _: Open<'a>,
        _: &'a [(UserId, Alert)],
    ) -> BoxFuture<'a, QueryResult<Told>> {
        Box::pin(ready(Ok(Box::new(|| ()) as Told)))
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

/// Where a thing is.
fn one(noun: &str, of: &Value) -> String {
    format!("/v1/{noun}/{}", id(of))
}

impl Scene {
    async fn changed(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn deleted(&self, path: &str) {
        assert_eq!(self.ask(Method::DELETE, path, Value::Null).await.0, 204, "{path}");
    }

    /// A portfolio with deals of all kinds.
    async fn dealt(&self) -> String {
        let (path, other) = (self.portfolio("mine").await, self.portfolio("other").await);
        let body = json!({ "name": "mine", "description": "all", "is_default": true });
        self.changed(Method::PUT, &path, body).await;
        self.deleted(&other).await;
        let deals = format!("{path}/transactions");
        let mut noted = self.bought("4", "10000");
        noted["notes"] = json!("x");
        let deal = self.post(&deals, noted.clone()).await;
        let staked = json!({ "token_id": self.eth, "kind": "staking", "quantity": "1", "amount": "0",
            "occurred_at": "2026-01-31T12:00:00+00:00" });
        let two = self.post(&deals, json!([noted, staked])).await;
        let file = "Date,Symbol,Type,Quantity,Price,Amount,Notes\n2026-01-31,BTC,Buy,1,1,,\n2026-01-31,X,Buy,1,1,,\n";
        let import = Self::request(Method::POST, &format!("{deals}/import")).set_payload(file);
        assert_eq!(self.send(import).await.0, 200);
        let body = json!({ "quantity": "3", "notes": null });
        self.changed(Method::PATCH, &one("transactions", &deal), body).await;
        self.deleted(&one("transactions", &two["items"][0])).await;
        path
    }

    /// A strategy with a step that fired and one that did not.
    async fn planned(&self) -> Value {
        let step = |kind: &str, value: &str| json!({ "target_kind": kind, "target_value": value, "sell_percent": "25" });
        let body = json!({ "token_id": self.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200",
            "status": "active", "notes": "x", "steps": [step("price", "2990"), step("percentage", "400")] });
        let other = self.post("/v1/strategies", body.clone()).await;
        self.deleted(&one("strategies", &other)).await;
        let plan = self.post("/v1/strategies", body).await;
        let path = one("strategies", &plan);
        let arm =
            json!({ "step_id": plan["steps"][0]["id"], "before_percent": null, "reached": true });
        let arms = json!({ "steps": [arm] });
        self.changed(Method::PUT, &format!("{path}/alerts"), arms).await;
        let prices = HashMap::from([(self.btc, "3000".parse().unwrap())]);
        self.desk.store.observe_prices(None, prices, Arc::new(Unheard)).await.unwrap();
        let mut again = step("price", "3100");
        again["id"] = plan["steps"][0]["id"].clone();
        again["state"] = json!("triggered");
        let body = json!({ "status": "paused", "steps": [again, step("percentage", "400")] });
        self.changed(Method::PATCH, &path, body).await
    }

    async fn forecast(&self, portfolio: &str, plan: &Value) -> String {
        let body = json!({ "portfolio_id": portfolio.rsplit('/').next().unwrap(), "name": "f",
            "applied": { self.btc.to_string(): plan["id"] }, "notes": "x" });
        let other = self.post("/v1/forecasts", body.clone()).await;
        self.deleted(&one("forecasts", &other)).await;
        let path = one("forecasts", &self.post("/v1/forecasts", body.clone()).await);
        self.changed(Method::PUT, &path, body).await;
        path
    }
}

/// Writes with success; the addresses of all that may be read then.
async fn written(it: &Scene) -> Vec<String> {
    let path = it.dealt().await;
    let plan = it.planned().await;
    let (forecast, strategy) = (it.forecast(&path, &plan).await, one("strategies", &plan));
    let lists = ["dashboard", "portfolios", "holdings", "strategies", "forecasts", "alerts"];
    let mut pages: Vec<String> = lists.map(|list| format!("/v1/{list}")).into();
    pages.extend([format!("{path}/holdings"), format!("{path}/transactions"), path]);
    pages.extend([format!("{strategy}/alerts"), strategy, forecast]);
    pages.extend(["/v1/tokens?limit=1".into(), format!("/v1/prices?ids={}", it.btc)]);
    pages
}

#[actix_web::test]
async fn every_call_is_answered_as_the_document_says() {
    let it = Scene::new().await;
    let pages = written(&it).await;
    for page in &pages {
        it.get(page).await;
        let again = Scene::request(Method::GET, page).insert_header(("if-none-match", "*"));
        it.send(again).await;
        let stranger = test::TestRequest::with_uri(page);
        assert_eq!(it.send(stranger).await.0, 401);
    }
    assert_eq!(it.get("/v1/alerts").await["items"].as_array().map(Vec::len), Some(1));
    // Nobody knows any more who wrote what.
    let mut connection = it.database.connect().unwrap();
    let sql = "alter table people rename to gone";
    diesel::connection::SimpleConnection::batch_execute(&mut connection, sql).unwrap();
    let (status, _) = it.ask(Method::POST, "/v1/portfolios", json!({ "name": "more" })).await;
    assert_eq!(status, 503);
    let mut fresh = Vec::new();
    for page in &pages {
        let (_, answer) = it.send(Scene::request(Method::GET, page)).await;
        if !answer["age_seconds"].is_u64() {
            fresh.push((page, answer));
        }
    }
    assert_eq!(pages.len() - fresh.len(), 7, "answers that don't say how old they are: {fresh:?}");

    let seen = described::seen();
    let mut missing = Vec::new();
    for (_, methods) in described::document()["paths"].as_object().unwrap() {
        for call in methods.as_object().unwrap().values() {
            let name = call["operationId"].as_str().unwrap();
            let statuses = call["responses"].as_object().unwrap().keys();
            let known = statuses.filter(|status| matches!(status.as_bytes()[0], b'2' | b'3'));
            missing.extend(known.map(|status| format!("{name} {status}")));
        }
    }
    missing.retain(|one| !seen.contains(one));
    assert!(missing.is_empty(), "nobody asked for {missing:?}; answered were {seen:?}");
}
