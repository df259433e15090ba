//! Where in a body something is wrong: its field, and of several which one.

use super::*;

#[actix_web::test]
async fn bad_input_is_named_and_changes_nothing() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let transactions = format!("{path}/transactions");
    let with = |field: &str, value: Value| {
        let mut body = it.bought("1", "1");
        body[field] = value;
        body
    };
    for (body, said) in [
        (with("quantity", json!("-1")), "quantity: expected more than 0"),
        (with("quantity", json!("NaN")), "expected a decimal like 12.5"),
        (with("quantity", json!("1e3")), "without an exponent"),
        (with("quantity", json!("")), "expected a decimal like 12.5"),
        (with("quantity", json!("1".repeat(40))), "at most 38 digits"),
        (with("quantity", json!(1.5)), "a decimal in a JSON string"),
        (with("colour", json!("red")), "colour"),
        (with("kind", json!("gift")), "gift"),
        (with("occurred_at", json!("yesterday")), "expected a time like"),
        (with("kind", json!("sell")), "expected at most 0"),
        (with("token_id", json!(TokenId::new())), "token_id: expected the id of a token"),
        (json!(vec![it.bought("1", "1"); 1_001]), "expected 1 to 1000"),
        (json!([]), "expected 1 to 1000"),
    ] {
        let (status, problem) = it.ask(Method::POST, &transactions, body).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{said}: {problem}");
    }
    let large = Scene::request(Method::POST, &transactions).set_payload(vec![b' '; 1_000_001]);
    assert_eq!(it.send(large).await.0, 413);
    let broken = Scene::request(Method::POST, &transactions).set_payload("{");
    assert_eq!(it.send(broken).await.1["code"], "invalid_body");
    for query in ["cursor=forged", "limit=0", "limit=1000", "limit=x", "colour=red"] {
        let (status, problem) =
            it.ask(Method::GET, &format!("{transactions}?{query}"), Value::Null).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_field")),
            "{query}: {problem}"
        );
    }
    assert_eq!(it.get(&transactions).await["items"], json!([]));
}

#[actix_web::test]
async fn what_is_wrong_is_told_with_its_place() {
    let it = Scene::new().await;
    let path = format!("{}/transactions", it.portfolio("mine").await);
    let with = |field: &str, value: Value| {
        let mut body = it.bought("1", "1");
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = it.bought("1", "1");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    for (body, place, said) in [
        (with("quantity", json!("")), "quantity", "expected a decimal like 12.5"),
        (with("quantity", json!(1.5)), "quantity", "expected a decimal in a JSON string"),
        (with("amount", json!(null)), "amount", "null"),
        (with("amount", json!("1e3")), "amount", "without an exponent"),
        (with("kind", json!("gift")), "kind", "unknown variant `gift`, expected one of"),
        (with("kind", json!(1)), "kind", "expected a text, one of the words"),
        (with("kind", json!(null)), "kind", "expected a text"),
        (with("occurred_at", json!("yesterday")), "occurred_at", "expected a time like"),
        (with("token_id", json!("1")), "token_id", "expected an id like"),
        (with("notes", json!(7)), "notes", "expected a string"),
        (with("colour", json!("red")), "colour", "unknown field `colour`, expected one of"),
        (without("amount"), "", "missing field `amount`"),
        (json!("x"), "", "expected an object"),
        (json!(null), "", "expected an object"),
    ] {
        let one = if place.is_empty() { "the body" } else { place };
        let several = if place.is_empty() { "" } else { "." };
        let several = format!("transactions[1]{several}{place}");
        for (place, body) in
            [(one, body.clone()), (&several, json!([it.bought("1", "1"), body.clone()]))]
        {
            let (status, problem) = it.ask(Method::POST, &path, body).await;
            assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with(&format!("{place}: ")), "{place}: {detail}");
            assert!(detail.contains(said) && !detail.contains(" column "), "{said}: {detail}");
        }
    }
    assert_eq!(it.get(&path).await["items"], json!([]));
}

#[actix_web::test]
async fn a_place_may_be_deep_and_is_told_shortly() {
    let it = Scene::new().await;
    let portfolio = it.portfolio("mine").await;
    let id = portfolio.rsplit('/').next().unwrap();
    let step = |value: Value| json!({ "target_kind": "price", "target_value": value, "sell_percent": "50" });
    let plan = |steps: Value| json!({ "token_id": it.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200", "steps": steps });
    let forecast = |applied: Value| json!({ "portfolio_id": id, "name": "f", "applied": applied });
    let made = it.post("/v1/strategies", plan(json!([step(json!("1550"))]))).await;
    let one = format!("/v1/strategies/{}", made["id"].as_str().unwrap());
    let arms = |arm: Value| json!({ "steps": [arm] });
    let of = &made["steps"][0]["id"];
    let long = "x".repeat(10_000);
    let btc = it.btc.to_string();
    for (method, path, body, told) in [
        (
            Method::POST,
            "/v1/strategies",
            plan(json!([step(json!("1550")), step(json!("1,6"))])),
            "steps[1].target_value: expected a decimal",
        ),
        (
            Method::PATCH,
            &one,
            json!({ "steps": [step(json!(2))] }),
            "steps[0].target_value: invalid type: integer `2`",
        ),
        (Method::PATCH, &one, json!({ "status": "asleep" }), "status: unknown variant `asleep`"),
        (
            Method::PUT,
            &format!("{one}/alerts"),
            arms(json!({ "step_id": of, "before_percent": "x", "reached": true })),
            "steps[0].before_percent: expected a decimal",
        ),
        (
            Method::PUT,
            &format!("{one}/alerts"),
            arms(json!({ "step_id": of, "reached": true })),
            "steps[0]: missing field `before_percent`",
        ),
        (
            Method::POST,
            "/v1/forecasts",
            forecast(json!({ &btc: "1" })),
            &format!("applied.{btc}: expected an id like"),
        ),
        (
            Method::POST,
            "/v1/forecasts",
            forecast(json!({ &long: of })),
            &format!("applied.{}: expected an id like", "x".repeat(292)),
        ),
        (Method::POST, "/v1/portfolios", json!({ &long: 1 }), "xxx"),
    ] {
        let (status, problem) = it.ask(method, path, body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.starts_with(told), "{told}: {status} {problem}");
        assert!(detail.len() < 700, "{}", detail.len());
    }
    let armed = it.get(&format!("{one}/alerts")).await;
    assert_eq!(armed["steps"][0]["before_percent"], "2", "who says nothing disarms nothing");
}

#[actix_web::test]
async fn a_field_that_comes_twice_and_what_comes_behind_a_body_are_refused() {
    let it = Scene::new().await;
    for (body, status, code) in [
        (r#"{"name":"x","name":"y"}"#, 422, "invalid_field"),
        (r#"{"name":"x"} {"name":"y"}"#, 400, "invalid_body"),
        (r#"{"name":"x"}]"#, 400, "invalid_body"),
        (r#"{"name":"x""#, 400, "invalid_body"),
        (r#"{"name":"\ud800"}"#, 400, "invalid_body"),
        (r#"{"name":}"#, 400, "invalid_body"),
        ("{\"name\":\"\u{0}\"}", 400, "invalid_body"),
        (r#"{"name":"\u0000"}"#, 422, "invalid_field"),
        ("", 400, "invalid_body"),
    ] {
        let request = Scene::request(Method::POST, "/v1/portfolios").set_payload(body);
        let (came, problem) = it.send(request).await;
        assert_eq!((came.as_u16(), &problem["code"]), (status, &json!(code)), "{body}: {problem}");
    }
    assert_eq!(it.get("/v1/portfolios").await["items"], json!([]));
}
