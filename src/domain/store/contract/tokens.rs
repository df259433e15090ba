//! Tokens and prices.

use super::fixture::{Fixture, d, second};
use crate::domain::{
    portfolio::token::{Price, Prices},
    store::{NewToken, Page},
};

fn token(symbol: &str, name: &str, provider_id: i64) -> NewToken {
    NewToken { symbol: symbol.into(), name: name.into(), provider_id, logo_url: None }
}

pub async fn tokens_are_found_by_the_beginning_of_symbol_or_name(it: Fixture) {
    let more = vec![
        token("WBTC", "Wrapped Bitcoin", 2),
        token("BTCB", "Bitcoin BEP2", 3),
        token("bit", "BitDAO", 4),
    ];
    it.store.put_tokens(more).await.unwrap();
    let found = |begins: &'static str, limit| {
        let store = it.store.clone();
        async move {
            let found = store.search_tokens(begins, Page::first(limit)).await.unwrap();
            found.into_iter().map(|token| token.symbol).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("btc", 10).await, ["BTC", "BTCB"]);
    assert_eq!(found(" Bit", 10).await, ["bit", "BTC", "BTCB"]);
    assert_eq!(found("wrapped b", 10).await, ["WBTC"]);
    assert_eq!(found("%", 10).await, [""; 0]);
    assert_eq!(found("", 2).await.len(), 2);
}

pub async fn a_token_keeps_its_id_when_its_provider_renames_it(it: Fixture) {
    let renamed = vec![token("OLD", "Old", 1), token("XBT", "Bitcoin", 1)];
    it.store.put_tokens(renamed).await.unwrap();
    let tokens = it.store.tokens(&[it.btc, it.eth]).await.unwrap();
    let btc = tokens.iter().find(|token| token.id == it.btc).unwrap();
    assert_eq!((tokens.len(), btc.symbol.as_str(), btc.provider_id), (2, "XBT", 1));
    let called = it.store.tokens_called(&["xbt", "#1", "#1027", "gone", "#x"]).await.unwrap();
    assert_eq!(called.len(), 2);
    assert!(it.store.put_tokens(vec![token(" ", "x", 9)]).await.is_err());
    assert!(it.store.put_tokens(vec![token("x", "x", 0)]).await.is_err());
    let logo_url = Some("https://\0".into());
    assert!(it.store.put_tokens(vec![NewToken { logo_url, ..token("x", "x", 9) }]).await.is_err());
}

pub async fn prices_are_one_a_token_and_read_from_a_version_on(it: Fixture) {
    let price = |price: &str, at| Price { price: d(price), observed_at: second(at) };
    assert_eq!(it.store.prices_since(0).await, Ok((Prices::new(), 0)));
    let first = it
        .store
        .put_prices(Prices::from([(it.btc, price("1", 1)), (it.eth, price("2", 1))]))
        .await
        .unwrap();
    let second = it.second.put_prices(Prices::from([(it.btc, price("3", 2))])).await.unwrap();
    assert!(second > first);
    let (all, version) = it.store.prices_since(0).await.unwrap();
    assert_eq!((all[&it.btc], all[&it.eth], version), (price("3", 2), price("2", 1), second));
    let (new, _) = it.store.prices_since(first).await.unwrap();
    assert_eq!(new, Prices::from([(it.btc, price("3", 2))]));
    assert_eq!(it.store.prices_since(second).await, Ok((Prices::new(), second)));
}

pub async fn prices_of_a_database_that_was_set_back_are_news_to_who_saw_later_ones(it: Fixture) {
    let prices = |price: &str, at| {
        Prices::from([(it.btc, Price { price: d(price), observed_at: second(at) })])
    };
    it.store.put_prices(prices("1", 1)).await.unwrap();
    it.sql("create table old_prices as select * from prices");
    it.sql("create table old_versions as select * from price_versions");
    let mut seen = 0;
    for n in 2..10 {
        seen = it.store.put_prices(prices("2", n)).await.unwrap();
    }
    it.sql("delete from prices; insert into prices select * from old_prices");
    it.sql("delete from price_versions; insert into price_versions select * from old_versions");
    assert_eq!(it.second.prices_since(seen).await, Ok((Prices::new(), seen)));
    it.store.put_prices(prices("3", 20)).await.unwrap();
    let (news, version) = it.second.prices_since(seen).await.unwrap();
    assert_eq!(news, prices("3", 20));
    assert!(version > seen);
    // A clock that went back gives none out twice either.
    it.sql(&format!("update price_versions set version = {}", i64::MAX / 2));
    assert_eq!(it.store.put_prices(prices("4", 21)).await, Ok(i64::MAX / 2 + 1));
}
