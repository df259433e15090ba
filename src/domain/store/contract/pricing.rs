//! One node asks for the prices of all.

use std::{collections::HashMap, time::Duration};

use super::fixture::{Fixture, d};
use crate::domain::{
    portfolio::{id::TokenId, transaction::Kind},
    store::{Fence, Store},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Writes a price; the version, unless another has the lease.
async fn observe(
    it: &Fixture,
    store: &Store,
    fence: Option<Fence>,
    token: TokenId,
    price: &str,
) -> Option<i64> {
    let prices = HashMap::from([(token, d(price))]);
    let observed = store.observe_prices(fence, prices, it.heard.clone()).await.unwrap();
    observed.map(|observed| observed.version)
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
    let first = observe(&it, one, old, it.btc, "1").await;
    assert!(first.is_some(), "nobody has taken it yet");
    let new = two.lease_prices("two", MINUTE).await.unwrap();
    assert!(new.is_some());
    assert_eq!(observe(&it, one, old, it.btc, "2").await, None);
    let second = observe(&it, two, new, it.eth, "3").await;
    assert!(second > first);
    let (known, _) = one.prices_since(0).await.unwrap();
    assert_eq!((known[&it.btc].price, known[&it.eth].price), (d("1"), d("3")));
}

pub async fn prices_are_wanted_of_what_is_held_or_planned_for(it: Fixture) {
    assert_eq!(it.store.wanted_prices(None, 9).await, Ok(vec![]));
    let portfolio = it.portfolio(&it.ana, "main").await;
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Buy, "1", "1", 1)]).await.unwrap();
    it.planned(&it.bo).await;
    let wanted = it.store.wanted_prices(None, 9).await.unwrap();
    assert_eq!(wanted.len(), 1);
    assert_eq!((wanted[0].token, wanted[0].provider_id, wanted[0].price), (it.btc, 1, None));
    observe(&it, &it.store, None, it.btc, "2.5").await;
    assert_eq!(it.store.wanted_prices(None, 9).await.unwrap()[0].price, Some(d("2.5")));
    let eth = it.entry(Kind::Buy, "1", "1", 1);
    let eth = crate::domain::portfolio::transaction::Entry { token_id: it.eth, ..eth };
    it.add(&it.ana, portfolio, vec![eth]).await.unwrap();
    let mut ids = [it.btc, it.eth];
    ids.sort_unstable();
    let wanted = async |behind, most| -> Vec<TokenId> {
        let wanted = it.store.wanted_prices(behind, most).await.unwrap();
        wanted.into_iter().map(|one| one.token).collect()
    };
    assert_eq!(wanted(None, 9).await, ids);
    assert_eq!(wanted(None, 1).await, ids[..1], "the others have their turn");
    assert_eq!(wanted(Some(ids[0]), 1).await, ids[1..]);
    assert_eq!(wanted(Some(ids[0]), 9).await, [ids[1], ids[0]]);
    assert_eq!(wanted(Some(ids[1]), 9).await, ids);
}
