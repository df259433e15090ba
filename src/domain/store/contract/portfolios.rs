//! Portfolios, and what every list and write has in common.

use std::collections::HashMap;

use super::fixture::{Fixture, second};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{Refusal, portfolios::NewPortfolio, transaction::Kind},
        store::{Page, Present},
    },
    ids::UserId,
};

fn new(name: &str, is_default: bool) -> NewPortfolio {
    NewPortfolio { name: name.into(), description: None, is_default }
}

/// Names in the order of the list; the default with a star.
async fn names(it: &Fixture) -> Vec<String> {
    let all = it.store.portfolios(&it.ana, Page::first(100)).await.unwrap().value;
    all.into_iter()
        .map(|one| format!("{}{}", one.name, if one.is_default { "*" } else { "" }))
        .collect()
}

pub async fn the_first_portfolio_is_the_default_and_there_is_exactly_one(it: Fixture) {
    let first = it.portfolio(&it.ana, "first").await;
    it.portfolio(&it.ana, "second").await;
    it.portfolio(&it.bo, "his").await;
    assert_eq!(names(&it).await, ["first*", "second"]);
    it.store.create_portfolio(&it.ana, new("third", true), None, second(1)).await.unwrap();
    assert_eq!(names(&it).await, ["first", "second", "third*"]);
    let changed = it
        .store
        .change_portfolio(&it.ana, first, new(" 1st ", true), second(2))
        .await
        .unwrap()
        .value;
    assert_eq!(
        (changed.name.as_str(), changed.is_default, changed.updated_at),
        ("1st", true, second(2))
    );
    assert_eq!(names(&it).await, ["1st*", "second", "third"]);
    // There is no portfolio without one.
    it.store.change_portfolio(&it.ana, first, new("1st", false), second(3)).await.unwrap();
    assert_eq!(names(&it).await, ["1st*", "second", "third"]);
    let read = it.second.portfolio(&it.ana, first).await.unwrap().value;
    assert_eq!((read.created_at, read.updated_at), (second(0), second(3)));
}

pub async fn the_default_passes_to_the_oldest_left(it: Fixture) {
    let first = it.portfolio(&it.ana, "first").await;
    let second = it.portfolio(&it.ana, "second").await;
    it.portfolio(&it.ana, "third").await;
    it.store.delete_portfolio(&it.ana, first).await.unwrap();
    assert_eq!(names(&it).await, ["second*", "third"]);
    it.store.delete_portfolio(&it.ana, second).await.unwrap();
    assert_eq!(names(&it).await, ["third*"]);
}

pub async fn a_name_is_taken_once_a_person(it: Fixture) {
    let first = it.portfolio(&it.ana, "mine").await;
    let other = it.portfolio(&it.ana, "other").await;
    it.portfolio(&it.bo, "mine").await;
    let taken = Err(Refusal::NameTaken { name: "mine".into() });
    let again = it.store.create_portfolio(&it.ana, new(" mine", false), None, second(1)).await;
    assert_eq!(again.map(|stored| stored.value), taken);
    let renamed = it.store.change_portfolio(&it.ana, other, new("mine", false), second(1)).await;
    assert_eq!(renamed.map(drop), taken.map(drop));
    it.store.change_portfolio(&it.ana, first, new("mine", false), second(1)).await.unwrap();
}

pub async fn deleting_a_portfolio_deletes_all_that_hangs_on_it(it: Fixture) {
    let (gone, kept) = (it.portfolio(&it.ana, "gone").await, it.portfolio(&it.ana, "kept").await);
    for portfolio in [gone, kept] {
        // As many as leave a checkpoint.
        let entries = (0..300).map(|n| it.entry(Kind::Buy, "1", "1", n)).collect();
        it.add(&it.ana, portfolio, entries).await.unwrap();
        it.forecast(&it.ana, portfolio, &[]).await;
    }
    let tables = ["transactions", "holdings", "holding_checkpoints", "forecasts"];
    assert_eq!(tables.map(|table| it.count(table)), [600, 2, 2, 2]);
    it.store.delete_portfolio(&it.ana, gone).await.unwrap();
    assert_eq!(tables.map(|table| it.count(table)), [300, 1, 1, 1]);
}

pub async fn lists_go_on_where_the_page_before_ended(it: Fixture) {
    for n in 0..5 {
        it.portfolio(&it.ana, &n.to_string()).await;
    }
    let (mut page, mut names) = (Page::first(2), Vec::new());
    loop {
        let part = it.store.portfolios(&it.ana, page).await.unwrap().value;
        let Some(last) = part.last() else { break };
        page = Page { after: Some(last.id), limit: 2 };
        names.extend(part.into_iter().map(|one| one.name));
    }
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
}

pub async fn each_write_raises_the_generation_and_a_refused_one_does_not(it: Fixture) {
    assert_eq!(it.store.generation(&it.ana).await, Ok(0));
    let before = Moment::now().micros();
    let portfolio =
        it.store.create_portfolio(&it.ana, new("a", false), None, second(0)).await.unwrap();
    let first = portfolio.generation;
    assert!(first >= before, "{first} of {before}: what a copy of {before} has is older");
    let refused = it.store.create_portfolio(&it.ana, new("a", false), None, second(0)).await;
    assert!(refused.is_err());
    let sold = it.add(&it.ana, portfolio.value, vec![it.entry(Kind::Sell, "1", "1", 1)]).await;
    assert!(sold.is_err());
    assert_eq!(it.second.generation(&it.ana).await, Ok(first));
    it.add(&it.ana, portfolio.value, vec![it.entry(Kind::Buy, "1", "1", 1)]).await.unwrap();
    it.portfolio(&it.bo, "his").await;
    let second = it.second.holdings(&it.ana, portfolio.value).await.unwrap().generation;
    assert!(second > first, "{second} after {first}");
}

pub async fn many_persons_states_are_one_question(it: Fixture) {
    it.portfolio(&it.ana, "a").await;
    it.portfolio(&it.bo, "his").await;
    let mut users: Vec<UserId> = (0..1_500).map(|n| UserId::new(&n.to_string())).collect();
    users.extend([it.ana.clone(), it.bo.clone()]);
    let known = it.second.generations(users).await.unwrap();
    let mut right = HashMap::new();
    for user in [&it.ana, &it.bo] {
        let generation = it.store.generation(user).await.unwrap();
        right.insert(user.clone(), Present { generation, computed: 0 });
    }
    assert_eq!(known, right);
}
