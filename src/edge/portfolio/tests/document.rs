//! The document of the calls, and the page to try them.

use super::*;

#[actix_web::test]
async fn the_document_names_every_call_that_is_answered() {
    let it = Scene::new().await;
    let document = it.get("/openapi.json").await;
    let mut calls = 0;
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = path.replace("{id}", &TokenId::new().to_string());
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let known = methods.get(method.to_lowercase()).is_some();
            calls += usize::from(known);
            names.extend(methods[method.to_lowercase()]["operationId"].as_str());
            let desk = it.desk.clone();
            let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
            let app = test::init_service(app).await;
            let request = test::TestRequest::with_uri(&real).method(method.parse().unwrap());
            // Without a token: who is asked is told so, whatever else is wrong.
            let answer = test::call_service(&app, request.to_request()).await;
            assert_eq!(answer.status() == 401, known, "{method} {path}: {}", answer.status());
        }
    }
    assert_eq!((calls, names.len()), (28, 28));
    let add = &document["paths"]["/v1/portfolios/{id}/transactions"]["post"];
    let sent = &add["requestBody"]["content"]["application/json"]["schema"];
    let answered = &add["responses"]["201"]["content"]["application/json"]["schema"];
    for either in [sent, answered] {
        let name = either["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let either = &document["components"]["schemas"][name.unwrap_or_default()];
        assert_eq!(either["oneOf"].as_array().map(Vec::len), Some(2), "one or several: {either}");
    }
    let one = &document["paths"]["/v1/portfolios/{id}"]["get"]["responses"]["200"];
    assert!(one.to_string().contains("PortfolioOne"), "{one}");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas["Decimal"]["type"], "string");
    assert!(schemas.contains_key("NewTransaction") && schemas.contains_key("Problem"));
}

#[actix_web::test]
async fn the_page_to_try_the_calls_speaks_to_this_node_alone() {
    let it = Scene::new().await;
    let desk = it.desk.clone();
    let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
    let app = test::init_service(app).await;
    let answer = test::call_service(&app, test::TestRequest::with_uri("/docs").to_request()).await;
    let policy = answer.headers().get("content-security-policy").cloned().unwrap();
    let policy = policy.to_str().unwrap().to_owned();
    assert!(
        policy.contains("connect-src 'self'") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    let page = String::from_utf8(test::read_body(answer).await.to_vec()).unwrap();
    assert!(
        page.contains("/openapi.json") && !page.contains("http://") && !page.contains("https://")
    );
}

/// Every reference in a part of the document.
fn references(part: &Value, all: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            all.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|part| references(part, all));
        }
        Value::Array(parts) => parts.iter().for_each(|part| references(part, all)),
        _ => {}
    }
}

#[actix_web::test]
async fn the_document_is_whole() {
    let document = described::document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 200, "found only {} references", all.len());
    for reference in all {
        let place = reference.strip_prefix('#').unwrap_or_default();
        assert!(document.pointer(place).is_some_and(Value::is_object), "{reference} leads nowhere");
    }
    let text = |part: &Value| part.as_str().is_some_and(|text| !text.is_empty());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let name = format!("{method} {path}");
            let parameters = call["parameters"].as_array().cloned().unwrap_or_default();
            let has = |place: &str, name: &str| {
                parameters.iter().any(|one| one["in"] == place && one["name"] == name)
            };
            assert_eq!(has("path", "id"), path.contains("{id}"), "{name}");
            assert_eq!(has("header", "Idempotency-Key"), method == "post", "{name}");
            let responses = call["responses"].as_object().unwrap();
            assert_eq!(has("header", "If-None-Match"), responses.contains_key("304"), "{name}");
            for status in ["4XX", "500", "503"] {
                let problem = &responses[status]["content"]["application/problem+json"]["schema"];
                assert_eq!(problem["$ref"], "#/components/schemas/Problem", "{name} {status}");
            }
            assert!(responses["503"]["headers"]["Retry-After"].is_object(), "{name}");
            for (status, response) in responses {
                assert!(text(&response["description"]), "{name} {status} has no description");
            }
            assert!(text(&call["operationId"]) && text(&call["summary"]), "{name}");
        }
    }
}

#[actix_web::test]
async fn what_is_refused_is_not_described() {
    let id = TokenId::new();
    let deal = json!({ "token_id": id, "kind": "buy", "quantity": "1", "amount": "1", "occurred_at": "2026-01-31T12:00:00Z" });
    let step = json!({ "target_kind": "price", "target_value": "2", "sell_percent": "50" });
    let plan = json!({ "token_id": id, "name": "x", "base_quantity": "1", "reference_price": "1", "steps": [step] });
    let arm = json!({ "steps": [{ "step_id": id, "before_percent": null, "reached": true }] });
    let one = |noun: &str| format!("/v1/{noun}/{id}");
    for (method, path, body) in [
        ("POST", "/v1/portfolios".into(), json!({ "name": "x" })),
        ("PUT", one("portfolios"), json!({ "name": "x", "description": null })),
        ("POST", format!("{}/transactions", one("portfolios")), deal.clone()),
        ("PATCH", one("transactions"), json!({ "quantity": "1" })),
        ("POST", "/v1/strategies".into(), plan.clone()),
        ("PATCH", one("strategies"), json!({ "steps": [step] })),
        ("PUT", format!("{}/alerts", one("strategies")), arm.clone()),
        ("POST", "/v1/forecasts".into(), json!({ "portfolio_id": id, "name": "x" })),
        (
            "PUT",
            one("forecasts"),
            json!({ "portfolio_id": id, "name": "x", "applied": { id.to_string(): id } }),
        ),
    ] {
        let takes = |body: &Value| described::takes(method, &path, body).unwrap();
        assert_eq!(takes(&body), Ok(()), "{method} {path}");
        let mut more = body.clone();
        more["colour"] = json!("red");
        assert!(takes(&more).is_err(), "{method} {path} with a colour");
        for (name, _) in body.as_object().unwrap().iter().filter(|_| method == "PATCH") {
            assert!(takes(&json!({ name: null })).is_err(), "{method} {path} without its {name}");
        }
    }
    let takes =
        |method: &str, path: &str, body: &Value| described::takes(method, path, body).unwrap();
    let path = format!("{}/transactions", one("portfolios"));
    assert_eq!(takes("POST", &path, &json!([deal, deal])), Ok(()));
    let mut wrong = deal.clone();
    wrong["quantity"] = json!("");
    assert!(takes("POST", &path, &json!([deal, wrong])).is_err());
    let mut wrong = plan;
    wrong["steps"][0]["colour"] = json!("red");
    assert!(takes("POST", "/v1/strategies", &wrong).is_err(), "an unknown field of a step");
    let mut silent = arm;
    silent["steps"][0].as_object_mut().unwrap().remove("before_percent");
    assert!(
        takes("PUT", &format!("{}/alerts", one("strategies")), &silent).is_err(),
        "an arm that is silent"
    );
}
