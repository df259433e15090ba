//! Idempotency keys.

use super::fixture::{Fixture, second};
use crate::domain::{
    portfolio::{Refusal, transaction::Kind},
    store::Key,
};

const DAY: i64 = 24 * 60 * 60;

fn key(key: &str, request: &str) -> Option<Key> {
    Some(Key::of(key, request.as_bytes()).unwrap())
}

pub async fn a_key_makes_a_retry_happen_once(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let add = |user: &crate::ids::UserId, at| {
        let (user, store) = (user.clone(), it.second.clone());
        let entries = vec![it.entry(Kind::Buy, "1", "1", 1), it.entry(Kind::Buy, "1", "1", 2)];
        async move {
            let key = key("k", "two");
            store
                .add_transactions(&user, portfolio, entries, key, second(at))
                .await
                .map(|stored| stored.value)
        }
    };
    let (first, again) = futures_util::future::join(add(&it.ana, 0), add(&it.ana, 0)).await;
    assert_eq!(first, again);
    assert_eq!(add(&it.ana, DAY - 1).await, first);
    assert_eq!((first.unwrap().len(), it.count("transactions")), (2, 2));
    // A key belongs to who used it.
    assert_eq!(add(&it.bo, 0).await, Err(Refusal::NotFound { what: "portfolio" }));
}

pub async fn a_key_with_another_request_is_refused(it: Fixture) {
    let strategy = it.strategy(&[("1", "1")]);
    let create =
        |request| it.store.create_strategy(&it.ana, strategy.clone(), key("k", request), second(0));
    create("one").await.unwrap();
    assert_eq!(create("other").await.unwrap_err(), Refusal::KeyReused);
    assert_eq!(it.count("strategies"), 1);
    for bad in ["", "a b", "caf\u{e9}", &"x".repeat(256)] {
        assert!(Key::of(bad, b"").is_err(), "{bad}");
    }
}

pub async fn a_refused_request_does_not_use_up_its_key(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let sell = |at| {
        let entries = vec![it.entry(Kind::Sell, "1", "1", at)];
        it.store.add_transactions(&it.ana, portfolio, entries, key("k", "sell"), second(0))
    };
    assert!(matches!(sell(5).await, Err(Refusal::NotEnough { .. })));
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Buy, "1", "1", 1)]).await.unwrap();
    sell(5).await.unwrap();
}

pub async fn a_key_is_forgotten_after_a_day(it: Fixture) {
    let create =
        |key, at| it.store.create_strategy(&it.ana, it.strategy(&[("1", "1")]), key, second(at));
    create(key("old", "r"), 0).await.unwrap();
    create(key("new", "r"), DAY + 1).await.unwrap();
    assert_eq!(it.count("idempotency_keys"), 1);
    assert_eq!(it.second.forget_keys(second(2 * DAY + 1), 9).await, Ok(0), "it is a day old");
    // Nor does one count that is there still.
    create(key("new", "another"), 2 * DAY + 2).await.unwrap();
    assert_eq!((it.count("idempotency_keys"), it.count("strategies")), (1, 3));
    create(key("newest", "r"), 2 * DAY + 3).await.unwrap();
    let never_back = second(4 * DAY);
    assert_eq!(it.second.forget_keys(never_back, 1).await, Ok(1));
    assert_eq!(it.second.forget_keys(never_back, 9).await, Ok(1));
    assert_eq!(it.count("idempotency_keys"), 0);
}
