//! One node asks for the prices of all.

use std::{collections::HashMap, time::Duration};

use super::fixture::{Fixture, d};
use crate::domain::portfolio::{id::TokenId, transaction::Kind};

const MINUTE: Duration = Duration::from_secs(60);

fn prices(of: TokenId, price: &str) -> HashMap<TokenId, crate::domain::decimal::Decimal> {
    HashMap::from([(of, d(price))])
}

pub async fn one_has_the_lease_until_it_ends(it: Fixture) {
    let (one, two) = (&it.store, &it.second);
    let first = one.lease_prices("one", MINUTE).await.unwrap().expect("nobody has it");
    assert_eq!(two.lease_prices("two", MINUTE).await, Ok(None));
    let kept = one.lease_prices("one", Duration::ZERO).await;
    assert_eq!(kept, Ok(Some(first)), "who has it keeps it");
    let second = two.lease_prices("two", MINUTE).await.unwrap().expect("it has ended");
    assert!(second > first);
    assert_eq!(one.lease_prices("one", MINUTE).await, Ok(None));
}

pub async fn who_lost_the_lease_writes_nothing(it: Fixture) {
    let (one, two) = (&it.store, &it.second);
    let old = one.lease_prices("one", Duration::ZERO).await.unwrap();
    let first = one.observe_prices(old, prices(it.btc, "1")).await.unwrap();
    assert!(first.is_some(), "nobody has taken it yet");
    let new = two.lease_prices("two", MINUTE).await.unwrap();
    assert!(new.is_some());
    assert_eq!(one.observe_prices(old, prices(it.btc, "2")).await, Ok(None));
    let second = two.observe_prices(new, prices(it.eth, "3")).await.unwrap();
    assert!(second > first);
    let (known, _) = one.prices_since(0).await.unwrap();
    assert_eq!((known[&it.btc].price, known[&it.eth].price), (d("1"), d("3")));
}

pub async fn prices_are_wanted_of_what_is_held_or_planned_for(it: Fixture) {
    assert_eq!(it.store.wanted_prices().await, Ok(vec![]));
    let portfolio = it.portfolio(&it.ana, "main").await;
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Buy, "1", "1", 1)]).await.unwrap();
    it.planned(&it.bo).await;
    let wanted = it.store.wanted_prices().await.unwrap();
    assert_eq!(wanted.len(), 1);
    assert_eq!((wanted[0].token, wanted[0].provider_id, wanted[0].price), (it.btc, 1, None));
    it.store.observe_prices(None, prices(it.btc, "2.5")).await.unwrap();
    assert_eq!(it.store.wanted_prices().await.unwrap()[0].price, Some(d("2.5")));
    let eth = it.entry(Kind::Buy, "1", "1", 1);
    let eth = crate::domain::portfolio::transaction::Entry { token_id: it.eth, ..eth };
    it.add(&it.ana, portfolio, vec![eth]).await.unwrap();
    assert_eq!(it.store.wanted_prices().await.unwrap().len(), 2);
}
