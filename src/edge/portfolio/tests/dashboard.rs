//! The dashboard as one answer.

use super::*;

#[actix_web::test]
async fn the_dashboard_is_one_answer_of_one_generation() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.portfolio("other").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    let all = it.get("/v1/dashboard").await;
    let listed = it.get("/v1/portfolios").await;
    assert_eq!((&all["generation"], &all["price_version"]), (&listed["generation"], &json!(1)));
    let parts = ["portfolios", "holdings", "strategies", "forecasts"];
    let counts = parts.map(|part| all[part]["items"].as_array().unwrap().len());
    assert_eq!(counts, [2, 1, 0, 0]);
    assert!(parts.iter().all(|part| all[*part]["as_of"].is_string()));
    assert_eq!(all["portfolios"]["items"][0]["value"], all["holdings"]["items"][0]["value"]);
}

#[actix_web::test]
async fn a_part_of_the_dashboard_that_can_not_be_computed_leaves_the_others() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("99999999999999999999", "1")).await;
    let all = it.get("/v1/dashboard").await;
    assert_eq!(
        (&all["holdings"], &all["problems"]["holdings"]["code"]),
        (&Value::Null, &json!("out_of_range"))
    );
    assert_eq!(all["strategies"]["items"], json!([]));
}

#[actix_web::test]
async fn a_part_of_the_dashboard_that_can_not_be_read_leaves_the_others() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    it.post("/v1/strategies", it.plan("1550")).await;
    let parts = ["portfolios", "holdings", "strategies", "forecasts"];
    let shown = async |name: &str, sql: &str| {
        let mut connection = it.database.connect().unwrap();
        diesel::connection::SimpleConnection::batch_execute(&mut connection, sql).unwrap();
        // Nothing that was read before stands in.
        it.portfolio(name).await;
        let all = it.get("/v1/dashboard").await;
        let items = parts.map(|part| all[part]["items"].as_array().map(Vec::len));
        (items, all["problems"].clone())
    };
    let (items, problems) = shown("a", "update strategies set base_quantity = 'x'").await;
    assert_eq!(items, [Some(2), Some(1), None, Some(0)]);
    let problem = &problems["strategies"];
    assert_eq!((&problem["status"], &problem["code"]), (&json!(500), &json!("data_damaged")));
    let (items, problems) = shown("b", "update holdings set quantity = 'x'").await;
    assert_eq!(items, [None, None, None, Some(0)], "sums need holdings");
    assert_eq!(problems.as_object().unwrap().len(), 3);
    let mended = "update strategies set base_quantity = '5'; update holdings set quantity = '4'";
    assert_eq!(shown("c", mended).await, ([Some(4), Some(1), Some(1), Some(0)], json!({})));
}
