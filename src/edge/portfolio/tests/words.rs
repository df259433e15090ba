//! What a request may say, and in which words it is refused.

use actix_web::http::header::{ALLOW, ETAG};

use super::*;

#[actix_web::test]
async fn a_list_in_the_place_of_an_object_is_refused() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let deal = it.post(&format!("{path}/transactions"), it.bought("1", "1")).await;
    let deal = format!("/v1/transactions/{}", deal["id"].as_str().unwrap());
    let step = json!([null, "price", "1550", "50", null]);
    let plan = |step: Value| json!({ "token_id": it.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200", "steps": [step] });
    let object = json!({ "target_kind": "price", "target_value": "1550", "sell_percent": "50" });
    let made = it.post("/v1/strategies", plan(object)).await;
    let one = format!("/v1/strategies/{}", made["id"].as_str().unwrap());
    let entry = json!([it.btc, "buy", "1", "1", "2026-01-31T12:00:00Z", null]);
    let forecast = json!([path.rsplit('/').next().unwrap(), "f", {}, null]);
    let arm = json!({ "steps": [[made["steps"][0]["id"], null, true]] });
    for (method, path, body) in [
        (Method::POST, "/v1/portfolios".to_owned(), json!(["x"])),
        (Method::PUT, path.clone(), json!(["x"])),
        (Method::POST, format!("{path}/transactions"), json!([entry])),
        (Method::PATCH, deal, json!([null, null, "2", null, null, null])),
        (Method::POST, "/v1/strategies".to_owned(), plan(step.clone())),
        (Method::PATCH, one.clone(), json!({ "steps": [step] })),
        (Method::PATCH, one.clone(), json!(["x", null, null, null, null, null])),
        (Method::PUT, format!("{one}/alerts"), arm),
        (Method::POST, "/v1/forecasts".to_owned(), forecast),
    ] {
        let (status, problem) = it.ask(method, &path, body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.contains("an object"), "{path}: {status} {problem}");
    }
    assert_eq!(it.get("/v1/portfolios").await["items"][0]["name"], "mine");
}

#[actix_web::test]
async fn null_takes_away_what_may_be_missing_and_nothing_else() {
    let it = Scene::new().await;
    let path = format!("{}/transactions", it.portfolio("mine").await);
    let mut noted = it.bought("1", "1");
    noted["notes"] = json!("x");
    let deal = it.post(&path, noted).await;
    let deal = format!("/v1/transactions/{}", deal["id"].as_str().unwrap());
    let step = json!({ "target_kind": "price", "target_value": "1550", "sell_percent": "50" });
    let plan = json!({ "token_id": it.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200",
        "notes": "x", "steps": [step] });
    let plan = it.post("/v1/strategies", plan).await;
    let plan = format!("/v1/strategies/{}", plan["id"].as_str().unwrap());
    for (path, fields) in [
        (&deal, &["token_id", "kind", "quantity", "amount", "occurred_at"][..]),
        (&plan, &["name", "base_quantity", "reference_price", "status", "steps"][..]),
    ] {
        for field in fields {
            let (status, problem) = it.ask(Method::PATCH, path, json!({ *field: null })).await;
            let said = format!("{field}: expected a value");
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(status == 422 && detail.starts_with(&said), "{field}: {status} {problem}");
        }
        let (status, changed) = it.ask(Method::PATCH, path, json!({ "notes": null })).await;
        assert_eq!((status, changed.get("notes")), (200, None));
    }
}

#[actix_web::test]
async fn a_path_or_method_that_is_none_is_refused_like_all_else() {
    let it = Scene::new().await;
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/portfolios/", "/v1/portfolios/1/2/3", "/v1//"] {
        let (status, problem) = it.ask(Method::GET, path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{path}");
    }
    let document = it.get("/openapi.json").await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = path.replace("{id}", &TokenId::new().to_string());
        let desk = it.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let wrong = test::TestRequest::with_uri(&real).method(Method::TRACE).to_request();
        let answer = test::call_service(&app, wrong).await;
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers().get(ALLOW).unwrap().to_str().unwrap().to_owned();
        let mut allowed: Vec<_> = allowed.split(", ").map(str::to_lowercase).collect();
        allowed.sort();
        let mut known: Vec<_> = methods.as_object().unwrap().keys().cloned().collect();
        known.extend(methods.get("get").map(|_| "head".to_owned()));
        known.sort();
        assert_eq!(allowed, known, "{path}");
        let problem: Value = serde_json::from_slice(&test::read_body(answer).await).unwrap();
        assert_eq!(problem["code"], "method_not_allowed");
    }
}

#[actix_web::test]
async fn a_wrong_method_beside_the_document_is_refused_like_all_else() {
    let it = Scene::new().await;
    for path in ["/v1/present", "/openapi.json", "/docs"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::TRACE] {
            let (status, problem) = it.ask(method.clone(), path, Value::Null).await;
            assert_eq!((status, &problem["code"]), (405, &json!("method_not_allowed")), "{path}");
            assert_eq!(problem["detail"], "expected one of GET, HEAD", "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn head_is_answered_like_get() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let lists = ["/v1/dashboard", "/v1/portfolios", "/v1/holdings", "/v1/alerts", "/v1/tokens"];
    let others = [&*path, "/v1/present", "/openapi.json", "/docs"];
    for path in lists.into_iter().chain(others) {
        let desk = it.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let head = Scene::request(Method::HEAD, path).to_request();
        let (head, get) = (
            test::call_service(&app, head).await,
            test::call_service(&app, Scene::request(Method::GET, path).to_request()).await,
        );
        assert!(get.status().is_success() && head.status() == get.status(), "{path}");
        assert_eq!(head.headers().get(ETAG), get.headers().get(ETAG), "{path}");
    }
}

#[actix_web::test]
async fn a_parameter_that_a_call_does_not_know_is_refused_by_name() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let document = it.get("/openapi.json").await;
    for (known, methods) in document["paths"].as_object().unwrap() {
        let real = known.replace("{id}", path.rsplit('/').next().unwrap());
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let body =
                if known.ends_with("/transactions") { it.bought("1", "1") } else { json!({}) };
            let (status, problem) =
                it.ask(method.clone(), &format!("{real}?colour=red"), body).await;
            let said = problem["detail"].as_str().unwrap_or_default().contains("colour");
            assert!(status == 422 && said, "{method} {known}: {status} {problem}");
        }
    }
    let (status, _) = it
        .ask(Method::POST, &format!("{path}/transactions?dry_run=true"), it.bought("1", "1"))
        .await;
    assert_eq!((status, &it.get(&path).await["holdings_count"]), (422, &json!(0)));
}
