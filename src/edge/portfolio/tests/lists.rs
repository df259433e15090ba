//! Lists: what one entry may not take from the others, and where they go on.

use super::*;

#[actix_web::test]
async fn a_row_whose_average_price_is_no_figure_is_refused_and_lists_stand() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    let (status, problem) = it
        .ask(
            Method::POST,
            &format!("{path}/transactions"),
            it.bought("0.000000000000000001", "100"),
        )
        .await;
    assert_eq!((status, &problem["code"]), (422, &json!("out_of_range")));
    assert!(problem["detail"].as_str().unwrap().contains("transactions[0]"), "{problem}");
    for list in ["/v1/portfolios", "/v1/holdings", &format!("{path}/holdings")] {
        it.get(list).await;
    }
}

#[actix_web::test]
async fn what_can_not_be_computed_is_named_and_takes_nothing_from_the_others() {
    let it = Scene::new().await;
    let (mine, much) = (it.portfolio("mine").await, it.portfolio("much").await);
    let staked = |quantity: &str| {
        json!({ "token_id": it.eth, "kind": "staking", "quantity": quantity, "amount": "1",
            "occurred_at": "2026-01-31T12:00:00Z" })
    };
    it.post(&format!("{mine}/transactions"), it.bought("1", "1000")).await;
    it.post(&format!("{much}/transactions"), staked("1")).await;
    // Worth more than a figure can say, at a price of 3000.
    it.post(&format!("{much}/transactions"), it.bought("99999999999999999999", "1")).await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let listed = it.get("/v1/portfolios").await;
    assert_eq!(
        (listed["items"].as_array().unwrap().len(), &listed["items"][0]["name"]),
        (1, &json!("mine"))
    );
    assert_eq!(listed["problems"][&id(&much)]["code"], "out_of_range");
    let btc = it.btc.to_string();
    for list in [format!("{much}/holdings"), "/v1/holdings".into()] {
        let held = it.get(&list).await;
        let symbols: Vec<_> =
            held["items"].as_array().unwrap().iter().map(|one| &one["token"]["symbol"]).collect();
        assert_eq!(symbols, [&json!("ETH")], "{list}");
        assert_eq!(held["problems"][&btc]["code"], "out_of_range", "{list}: {held}");
    }
    assert_eq!(it.get(&format!("{mine}/holdings")).await.get("problems"), None);
}

#[actix_web::test]
async fn a_cursor_opens_no_other_list() {
    let it = Scene::new().await;
    let (one, other) = (it.portfolio("one").await, it.portfolio("other").await);
    for path in [&one, &other] {
        it.post(&format!("{path}/transactions"), it.bought("1", "1")).await;
        let mut more = it.bought("1", "1");
        more["token_id"] = json!(it.eth);
        it.post(&format!("{path}/transactions"), more).await;
    }
    let lists = ["holdings", "transactions"].map(|list| format!("{one}/{list}"));
    for (list, others) in [
        (&lists[0], [format!("{other}/holdings"), "/v1/holdings".into()]),
        (&lists[1], [format!("{other}/transactions"), "/v1/alerts".into()]),
    ] {
        let cursor = it.get(&format!("{list}?limit=1")).await["next_cursor"].clone();
        let cursor = cursor.as_str().unwrap();
        assert_eq!(
            it.get(&format!("{list}?cursor={cursor}")).await["items"].as_array().unwrap().len(),
            1
        );
        for other in others {
            let (status, problem) =
                it.ask(Method::GET, &format!("{other}?cursor={cursor}"), Value::Null).await;
            assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{other}");
        }
    }
}

#[actix_web::test]
async fn a_page_goes_on_behind_an_entry_that_is_gone() {
    let it = Scene::new().await;
    let mut paths = Vec::new();
    for name in ["a", "b", "c"] {
        paths.push(it.portfolio(name).await);
    }
    let cursor = it.get("/v1/portfolios?limit=2").await["next_cursor"].clone();
    assert_eq!(it.ask(Method::DELETE, &paths[1], Value::Null).await.0, 204);
    let rest = it.get(&format!("/v1/portfolios?cursor={}", cursor.as_str().unwrap())).await;
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["items"][0]["name"]),
        (1, &json!("c"))
    );
    let deals = format!("{}/transactions", paths[0]);
    for _ in 0..3 {
        it.post(&deals, it.bought("1", "1")).await;
    }
    let first = it.get(&format!("{deals}?limit=2")).await;
    let gone = format!("/v1/transactions/{}", first["items"][1]["id"].as_str().unwrap());
    assert_eq!(it.ask(Method::DELETE, &gone, Value::Null).await.0, 204);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        it.get(&format!("{deals}?cursor={cursor}")).await["items"].as_array().unwrap().len(),
        1
    );
}

#[actix_web::test]
async fn tokens_are_found_page_by_page() {
    let it = Scene::new().await;
    let token = |n: i64, symbol: &str, name: &str| NewToken {
        symbol: symbol.into(),
        name: name.into(),
        provider_id: 100 + n,
        logo_url: None,
    };
    let tokens = vec![
        token(1, "BTCB", "Wrapped"),
        token(2, "XBT", "btc of old"),
        token(3, "BTCA", "BTC A"),
        token(4, "WB", "btc wrapped"),
    ];
    it.desk.store.put_tokens(tokens).await.unwrap();
    let (mut symbols, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = it.get(&format!("/v1/tokens?search=btc&limit=1&cursor={cursor}")).await;
        let items = page["items"].as_array().unwrap();
        symbols.extend(items.iter().map(|one| one["symbol"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(symbols, ["BTC", "BTCA", "BTCB", "XBT", "WB"]);
    assert_eq!(it.get("/v1/tokens?search=btc").await["items"].as_array().unwrap().len(), 5);
    let cursor = it.get("/v1/tokens?search=btc&limit=1").await["next_cursor"].clone();
    let other = format!("/v1/tokens?search=b&cursor={}", cursor.as_str().unwrap());
    assert_eq!(it.ask(Method::GET, &other, Value::Null).await.0, 422);
}
