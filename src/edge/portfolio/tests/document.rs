//! The document of the calls, and the page to try them.

use actix_web::{App, test, web};

use super::{Scene, routes};
use crate::domain::portfolio::id::TokenId;

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
