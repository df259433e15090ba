//! Transactions and the holdings that follow them.

use super::fixture::{Fixture, d, second};
use crate::domain::{
    portfolio::{
        Refusal,
        fold::Fold,
        transaction::{Change, Entry, Kind, Place},
    },
    store::Page,
};

fn fold(quantity: &str, invested: &str, realized: &str) -> Option<Fold> {
    Some(Fold { quantity: d(quantity), invested: d(invested), realized: d(realized) })
}

pub async fn holdings_follow_their_transactions(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let bought = vec![it.entry(Kind::Buy, "2", "4000", 1), it.entry(Kind::Buy, "2", "6000", 2)];
    let ids = it.add(&it.ana, portfolio, bought).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("4", "10000", "0"));
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Sell, "1", "3500", 3)]).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("3", "7500", "1000"));
    it.add(&it.ana, portfolio, vec![it.entry(Kind::TransferOut, "1", "0", 4)]).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("2", "5000", "1000"));
    // The second one cost less: what was sold after it brought more.
    let change = Change { amount: Some(d("2000")), ..Change::default() };
    let changed = it.store.change_transaction(&it.ana, ids[1], change).await.unwrap().value;
    assert_eq!((changed.entry.amount, changed.entry.quantity), (d("2000"), d("2")));
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("2", "3000", "2000"));
    let (all, held) = it.second.overview(&it.ana).await.unwrap().value;
    assert_eq!((all.len(), held.len(), held[0].fold.quantity), (1, 1, d("2")));
}

pub async fn a_batch_is_entered_whole_or_not_at_all(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let mut entries: Vec<Entry> = (0..1_000).map(|n| it.entry(Kind::Buy, "1", "1", n)).collect();
    entries[999] = it.entry(Kind::Sell, "999.000000000000000001", "1", 1_000);
    let refused = it.add(&it.ana, portfolio, entries.clone()).await.unwrap_err();
    let Refusal::NotEnough { transaction, held, asked, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (&**transaction, *held, *asked),
        ("transactions[999]", d("999"), d("999.000000000000000001"))
    );
    assert_eq!(refused.code(), "insufficient_quantity");
    entries[999] = it.entry(Kind::Buy, "-1", "1", 0);
    let refused = it.add(&it.ana, portfolio, entries.clone()).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("transactions[999].quantity: expected more than 0"),
        "{refused}"
    );
    entries[999] =
        Entry { token_id: crate::domain::portfolio::id::TokenId::new(), ..entries[0].clone() };
    let refused = it.add(&it.ana, portfolio, entries.clone()).await.unwrap_err();
    assert!(refused.to_string().starts_with("transactions[999].token_id"), "{refused}");
    assert_eq!(it.count("transactions") + it.count("holdings"), 0);
    entries[999] = it.entry(Kind::Sell, "999", "1", 1_000);
    assert_eq!(it.add(&it.ana, portfolio, entries.clone()).await.unwrap().len(), 1_000);
    entries.push(entries[0].clone());
    assert_eq!(it.add(&it.ana, portfolio, entries).await.unwrap_err().code(), "invalid_field");
    assert_eq!(it.add(&it.ana, portfolio, vec![]).await.unwrap_err().code(), "invalid_field");
    assert_eq!(it.count("transactions"), 1_000);
}

pub async fn transactions_of_one_moment_keep_the_order_of_their_batch(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let both = |first, then| vec![it.entry(first, "1", "5", 1), it.entry(then, "1", "7", 1)];
    let refused = it.add(&it.ana, portfolio, both(Kind::Sell, Kind::Buy)).await;
    assert!(matches!(refused, Err(Refusal::NotEnough { .. })), "{refused:?}");
    it.add(&it.ana, portfolio, both(Kind::Buy, Kind::Sell)).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("0", "0", "2"));
}

pub async fn a_change_that_would_take_more_than_is_held_is_refused(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let entries = vec![it.entry(Kind::Buy, "2", "2", 1), it.entry(Kind::Sell, "2", "3", 5)];
    let ids = it.add(&it.ana, portfolio, entries).await.unwrap();
    let changes = [
        Change { quantity: Some(d("1.9")), ..Change::default() },
        Change { occurred_at: Some(second(6)), ..Change::default() },
        Change { token_id: Some(it.eth), ..Change::default() },
        Change { kind: Some(Kind::Sell), ..Change::default() },
    ];
    for change in changes {
        let refused = it.store.change_transaction(&it.ana, ids[0], change.clone()).await;
        assert!(matches!(refused, Err(Refusal::NotEnough { .. })), "{change:?}: {refused:?}");
    }
    let refused = it.store.delete_transaction(&it.ana, ids[0]).await;
    assert!(matches!(refused, Err(Refusal::NotEnough { .. })), "{refused:?}");
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, fold("0", "0", "1"));
    it.store.delete_transaction(&it.ana, ids[1]).await.unwrap();
    let moved = Change { token_id: Some(it.eth), ..Change::default() };
    it.store.change_transaction(&it.ana, ids[0], moved).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, None);
    assert_eq!(it.held(&it.ana, portfolio, it.eth).await, fold("2", "2", "0"));
}

pub async fn a_holding_goes_with_its_last_transaction(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let ids = it.add(&it.ana, portfolio, vec![it.entry(Kind::Reward, "1", "0", 1)]).await.unwrap();
    it.store.delete_transaction(&it.ana, ids[0]).await.unwrap();
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await, None);
    assert_eq!(it.store.delete_transaction(&it.ana, ids[0]).await.unwrap_err().code(), "not_found");
}

pub async fn transactions_are_listed_latest_first(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let at = |n: i64| Entry { notes: Some(format!("{n}")), ..it.entry(Kind::Buy, "1", "1", n / 2) };
    let ids = it.add(&it.ana, portfolio, [3, 0, 4, 1, 2].map(at).to_vec()).await.unwrap();
    let (mut page, mut notes) = (Page::first(2), Vec::new());
    loop {
        let part = it.store.transactions(&it.ana, portfolio, page).await.unwrap().value;
        let Some(last) = part.last() else { break };
        let after = Place { occurred_at: last.entry.occurred_at, id: last.id };
        page = Page { after: Some(after), limit: 2 };
        notes.extend(part.into_iter().map(|one| one.entry.notes.unwrap()));
    }
    // 3 came before 2 in the batch, 0 before 1; of one moment each.
    assert_eq!((notes.join(""), ids.len()), ("42310".into(), 5));
}

pub async fn an_import_enters_what_it_can_and_says_why_not_the_rest(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let there = vec![it.entry(Kind::Buy, "5", "5", 10), it.entry(Kind::Sell, "4", "5", 20)];
    it.add(&it.ana, portfolio, there).await.unwrap();
    let rows = vec![
        (2, it.entry(Kind::Sell, "1", "1", 5)),
        (3, it.entry(Kind::Buy, "1", "1", 15)),
        // With it the sale at 20 would take more than is held.
        (4, it.entry(Kind::TransferOut, "3", "0", 16)),
        (5, it.entry(Kind::Sell, "2", "9", 30)),
        (6, it.entry(Kind::Sell, "0.1", "9", 31)),
    ];
    let before = it.store.generation(&it.ana).await.unwrap();
    let dry = it.store.import_transactions(&it.ana, portfolio, rows.clone(), true).await.unwrap();
    assert_eq!((it.count("transactions"), dry.generation), (2, before));
    let done = it.store.import_transactions(&it.ana, portfolio, rows, false).await.unwrap();
    assert_eq!(done.value, dry.value);
    assert_eq!(done.value.rows, 2);
    let mut lines: Vec<_> = done.value.bad.iter().map(|bad| bad.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 4, 6]);
    assert!(done.value.bad.iter().all(|bad| bad.reason.contains("more would go than is held")));
    assert_eq!(it.held(&it.ana, portfolio, it.btc).await.unwrap().quantity, d("0"));
    let nothing = it.store.import_transactions(&it.ana, portfolio, vec![], false).await.unwrap();
    assert_eq!(nothing.value.rows, 0);
}

pub async fn two_nodes_can_not_sell_the_same_coins(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    for round in 0..10 {
        it.add(&it.ana, portfolio, vec![it.entry(Kind::Buy, "1", "1", round)]).await.unwrap();
        let sell = |store: &std::sync::Arc<crate::domain::store::Store>| {
            let (store, user) = (store.clone(), it.ana.clone());
            let entry = it.entry(Kind::Sell, "1", "2", round);
            async move { store.add_transactions(&user, portfolio, vec![entry], None, second(0)).await }
        };
        let (one, other) = futures_util::future::join(sell(&it.store), sell(&it.second)).await;
        let sold = [&one, &other].iter().filter(|sold| sold.is_ok()).count();
        assert_eq!(sold, 1, "{one:?} {other:?}");
        assert_eq!(it.held(&it.ana, portfolio, it.btc).await.unwrap().quantity, d("0"));
    }
}
