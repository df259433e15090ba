//! How much one person may have.

use super::fixture::{Fixture, d, second};
use crate::domain::{
    portfolio::{
        Refusal,
        forecast::NewForecast,
        transaction::{Change, Entry, Kind},
    },
    store::{MOST_LISTED, Page},
};

fn refused<T>(outcome: Result<T, Refusal>) -> String {
    outcome.err().expect("a refusal").to_string()
}

pub async fn a_person_has_so_many_transactions_and_no_more(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let one = |at| vec![it.entry(Kind::Buy, "1", "1000", at)];
    it.add(&it.ana, portfolio, one(1)).await.unwrap();
    it.sql("update holdings set count = 99999");
    it.add(&it.ana, portfolio, one(2)).await.unwrap();
    let before = it.store.generation(&it.ana).await;
    let why = "transactions: expected at most 100000 of one person; delete some first, got 100001";
    assert_eq!(refused(it.add(&it.ana, portfolio, one(3)).await), why);
    for dry_run in [true, false] {
        let rows = vec![(2, it.entry(Kind::Buy, "1", "1000", 3))];
        let imported = it.store.import_transactions(&it.ana, portfolio, rows, dry_run);
        assert_eq!(refused(imported.await), why);
    }
    assert_eq!(it.store.generation(&it.ana).await, before);
    assert_eq!(it.count("transactions"), 2);
    it.sql("update holdings set count = 100001");
    let id = it.store.transactions(&it.ana, portfolio, Page::first(1)).await.unwrap().value[0].id;
    let to = Change { quantity: Some(d("2")), ..Change::default() };
    it.store.change_transaction(&it.ana, id, to).await.expect("what is there may be changed");
    let his = it.portfolio(&it.bo, "p").await;
    it.add(&it.bo, his, one(3)).await.unwrap();
}

pub async fn a_person_holds_so_many_tokens_and_no_more(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let of = |token_id, at| Entry { token_id, ..it.entry(Kind::Buy, "1", "1000", at) };
    let ids = it.add(&it.ana, portfolio, vec![of(it.btc, 1), of(it.btc, 2)]).await.unwrap();
    let numbers = "with recursive numbers (n) as (select 2 union all select n + 1 from numbers where n < 10000)";
    it.sql(&format!(
        "{numbers} insert into portfolios (id, owner, name, is_default, created_at, updated_at) \
         select 'p' || n, 'ana', 'p' || n, false, 1, 1 from numbers"
    ));
    it.sql(&format!(
        "{numbers} insert into holdings (portfolio, token, owner, quantity, invested, realized, count, last_at, last_id) \
         select 'p' || n, token, owner, quantity, invested, realized, 1, last_at, last_id from holdings, numbers"
    ));
    it.add(&it.ana, portfolio, vec![of(it.btc, 3)]).await.unwrap();
    let before = it.store.generation(&it.ana).await;
    let why = "holdings: expected at most 10000 of one person; delete some first, got 10001";
    let two = vec![of(it.btc, 4), of(it.eth, 4)];
    assert_eq!(refused(it.add(&it.ana, portfolio, two).await), why);
    for dry_run in [true, false] {
        let rows = vec![(2, of(it.eth, 4))];
        let imported = it.store.import_transactions(&it.ana, portfolio, rows, dry_run);
        assert_eq!(refused(imported.await), why);
    }
    let to = Change { token_id: Some(it.eth), ..Change::default() };
    assert_eq!(refused(it.store.change_transaction(&it.ana, ids[0], to).await), why);
    assert_eq!(it.store.generation(&it.ana).await, before);
}

pub async fn a_person_has_so_many_strategies_and_forecasts_and_no_more(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    it.planned(&it.ana).await;
    it.forecast(&it.ana, portfolio, &[]).await;
    let numbers = format!(
        "with recursive numbers (n) as (select 3 union all select n + 1 from numbers where n < {MOST_LISTED})"
    );
    it.sql(&format!(
        "{numbers} insert into strategies (id, owner, token, name, base_quantity, reference_price, status, created_at, \
         updated_at) select 's' || n, owner, token, name, base_quantity, reference_price, status, 1, 1 \
         from strategies, numbers"
    ));
    it.sql(&format!(
        "{numbers} insert into forecasts (id, owner, portfolio, name, created_at, updated_at, stale) \
         select 'f' || n, owner, portfolio, name, 1, 1, true from forecasts, numbers"
    ));
    it.planned(&it.ana).await;
    it.forecast(&it.ana, portfolio, &[]).await;
    let before = it.store.generation(&it.ana).await;
    let strategy = it.strategy(&[("1550", "25")]);
    let refusal = it.store.create_strategy(&it.ana, strategy, None, second(1)).await;
    let why = "strategies: expected at most 500 of one person; delete some first, got 501";
    assert_eq!(refused(refusal), why);
    let new = NewForecast {
        portfolio_id: portfolio,
        name: "f".into(),
        applied: Default::default(),
        notes: None,
    };
    let refusal = it.store.create_forecast(&it.ana, new, None, second(1)).await;
    let why = "forecasts: expected at most 500 of one person; delete some first, got 501";
    assert_eq!(refused(refusal), why);
    assert_eq!(it.store.generation(&it.ana).await, before);
}
