//! Who is noted as answered, for those who compute ahead for them.

use actix_web::http::Method;
use serde_json::json;

use super::Scene;

#[actix_web::test]
async fn who_was_answered_is_heard_of_when_what_they_changed_is_there() {
    let it = Scene::new().await;
    it.get("/v1/portfolios").await;
    assert_eq!(*it.answered.lock().unwrap(), [("ana".to_owned(), false)]);
    it.post("/v1/portfolios", json!({ "name": "mine" })).await;
    let refused = it.ask(Method::POST, "/v1/portfolios", json!({ "name": "mine" })).await;
    assert_eq!(refused.0, 409);
    let heard = it.answered.lock().unwrap().split_off(1);
    assert_eq!(heard, [("ana".to_owned(), true), ("ana".to_owned(), true)]);
}

#[actix_web::test]
async fn who_is_not_let_in_is_not_heard_of() {
    let it = Scene::new().await;
    let request = actix_web::test::TestRequest::with_uri("/v1/portfolios");
    let request = request.insert_header(("authorization", "Bearer forged"));
    assert_eq!(it.send(request).await.0, 401);
    assert!(it.answered.lock().unwrap().is_empty());
}
