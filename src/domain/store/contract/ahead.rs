//! Forecasts of several people, computed before they ask.

use tokio::sync::oneshot;

use super::{
    fixture::{Fixture, d, second},
    forecasts::scene,
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            forecast::{Summary, forecast},
            id::ForecastId,
            strategy,
            token::Prices,
            transaction::{Entry, Kind},
        },
        store::{Expected, Foreseen, Grounds, MOST_EXPECTED, Page, Stored},
    },
    ids::UserId,
};

impl Fixture {
    async fn grounds(&self, people: &[&UserId]) -> Vec<Grounds> {
        let people = people.iter().map(|user| (*user).clone()).collect();
        self.store.grounds(people).await.unwrap()
    }

    /// Keeps one summary of a person, of that generation and these prices; whose stood.
    async fn foresee(
        &self,
        user: &UserId,
        generation: i64,
        (id, summary): (ForecastId, Option<Summary>),
        price_version: i64,
    ) -> bool {
        let foreseen = Foreseen { user: user.clone(), generation, summaries: vec![(id, summary)] };
        let kept = self.store.keep_foreseen(vec![foreseen], price_version, second(9)).await;
        kept.unwrap().contains(user)
    }

    /// What is kept of somebody's only forecast, and when it was computed; none while it is stale.
    async fn kept(&self, user: &UserId) -> Option<(Option<Summary>, Option<Moment>)> {
        let listed = self.second.forecasts(user, Page::first(9)).await.unwrap().value;
        let [it] = &listed[..] else { panic!("one forecast: {listed:?}") };
        (!it.stale).then_some((it.summary, it.computed_at))
    }
}

/// A summary like no other.
fn collected(text: &str) -> Option<Summary> {
    Some(Summary { collected: d(text), ..Summary::default() })
}

pub async fn grounds_are_what_each_forecast_alone_is_computed_from(it: Fixture) {
    let (first, exit, _) = scene(&it, &it.ana).await;
    let second = it.portfolio(&it.ana, "second").await;
    let eth = Entry { token_id: it.eth, ..it.entry(Kind::Buy, "3", "30", 2) };
    it.add(&it.ana, second, vec![eth, it.entry(Kind::Buy, "1", "7", 1)]).await.unwrap();
    it.forecast(&it.ana, second, &[(it.btc, exit)]).await;
    it.forecast(&it.ana, first, &[]).await;
    scene(&it, &it.bo).await;
    let none = UserId::new("none");
    let all = it.grounds(&[&it.bo, &none, &it.ana]).await;
    assert_eq!(all.iter().map(|one| &one.user).collect::<Vec<_>>(), [&it.ana, &it.bo]);
    assert_eq!(all.iter().map(|one| one.forecasts.len()).collect::<Vec<_>>(), [3, 1]);
    for Grounds { user, generation, forecasts, holdings } in &all {
        for Expected { id, portfolio, plans, stale, .. } in forecasts {
            let alone = it.store.forecast(user, *id).await.unwrap();
            assert_eq!(alone.generation, *generation);
            let alone = alone.value;
            assert_eq!((&alone.plans, alone.forecast.stale), (plans, *stale));
            let of =
                |held, plans| forecast(held, plans, &Prices::new()).map(|(_, summary)| summary);
            assert_eq!(of(&alone.holdings, &alone.plans), of(&holdings[portfolio], plans));
        }
    }
    assert_eq!(it.store.grounds(vec![]).await, Ok(vec![]));
}

pub async fn stale_ones_come_first_and_then_those_computed_longest_ago(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "p").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(it.forecast(&it.ana, portfolio, &[]).await);
    }
    for (id, at) in [(ids[0], 8), (ids[2], 7)] {
        let sql =
            format!("update forecasts set stale = false, computed_at = {at} where id = '{id}'");
        it.sql(&sql);
    }
    let order = |grounds: &[Grounds]| -> Vec<ForecastId> {
        grounds[0].forecasts.iter().map(|expected| expected.id).collect()
    };
    let mut few = order(&it.grounds(&[&it.ana]).await);
    few.sort_unstable();
    assert_eq!(few, ids, "all of them, while they are few");
    let many = "insert into forecasts (id, owner, portfolio, name, created_at, updated_at, stale, computed_at) \
        select '018bcfe5-6800-7000-8000-00000000' || (1000 + n), owner, portfolio, name, 1, 1, false, n from forecasts, numbers";
    let numbers = "with recursive numbers (n) as (select 9 union all select n + 1 from numbers where n < 300) ";
    it.sql(&format!("{numbers} {many} where id = '{}'", ids[1]));
    let read = order(&it.grounds(&[&it.ana]).await);
    assert_eq!(read.len(), MOST_EXPECTED);
    assert!(ids.iter().all(|id| read.contains(id)), "one is stale, two are the oldest");
}

pub async fn who_has_a_stale_forecast_is_found(it: Fixture) {
    assert_eq!(it.store.stale_people(9).await, Ok(vec![]));
    let (_, _, id) = scene(&it, &it.ana).await;
    let (portfolio, exit, _) = scene(&it, &it.bo).await;
    it.forecast(&it.bo, portfolio, &[]).await;
    assert_eq!(it.store.stale_people(9).await, Ok(vec![it.ana.clone(), it.bo.clone()]));
    assert_eq!(it.store.stale_people(1).await, Ok(vec![it.ana.clone()]));
    let generation = it.grounds(&[&it.ana]).await[0].generation;
    assert!(it.foresee(&it.ana, generation, (id, collected("1")), 1).await);
    assert_eq!(it.store.stale_people(9).await, Ok(vec![it.bo.clone()]));
    let renamed = strategy::Change { name: Some("other".into()), ..strategy::Change::default() };
    it.store.change_strategy(&it.bo, exit, renamed, second(3)).await.unwrap();
    assert_eq!(it.store.stale_people(9).await, Ok(vec![it.bo.clone()]));
}

pub async fn who_changed_something_meanwhile_keeps_nothing_and_others_do(it: Fixture) {
    let (portfolio, _, hers) = scene(&it, &it.ana).await;
    let (_, _, his) = scene(&it, &it.bo).await;
    let grounds = it.grounds(&[&it.ana, &it.bo]).await;
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Reward, "1", "0", 2)]).await.unwrap();
    let ids = [(hers, "1"), (his, "2")];
    let foreseen = grounds.iter().zip(ids).map(|(grounds, (id, amount))| Foreseen {
        user: grounds.user.clone(),
        generation: grounds.generation,
        summaries: vec![(id, collected(amount))],
    });
    let kept = it.second.keep_foreseen(foreseen.collect(), 1, second(9)).await.unwrap();
    assert_eq!(kept, [it.bo.clone()].into());
    assert_eq!(it.kept(&it.ana).await, None);
    assert_eq!(it.kept(&it.bo).await, Some((collected("2"), Some(second(9)))));
    let after = it.store.generation(&it.bo).await;
    assert_eq!(after, Ok(grounds[1].generation), "nothing that he said has changed");
}

pub async fn what_was_computed_of_older_prices_is_not_kept(it: Fixture) {
    let (_, _, id) = scene(&it, &it.ana).await;
    let generation = it.grounds(&[&it.ana]).await[0].generation;
    for (amount, version, stays) in [("5", 5, "5"), ("4", 4, "5"), ("6", 5, "6"), ("7", 7, "7")] {
        assert!(it.foresee(&it.ana, generation, (id, collected(amount)), version).await);
        let kept = it.kept(&it.ana).await.unwrap().0;
        assert_eq!(kept, collected(stays), "at {version}");
    }
}

pub async fn who_asks_a_node_with_older_prices_overwrites_no_newer_summary(it: Fixture) {
    let (_, _, id) = scene(&it, &it.ana).await;
    let generation = it.grounds(&[&it.ana]).await[0].generation;
    assert!(it.foresee(&it.ana, generation, (id, collected("5")), 5).await);
    let from = Stored { generation, value: id };
    for (amount, version, is_kept) in [("4", 4, false), ("6", 5, true)] {
        let summary = collected(amount).unwrap();
        let kept = it.second.keep_summary(&it.ana, &from, summary, version, second(9)).await;
        assert_eq!(kept, Ok(is_kept), "at {version}");
    }
    assert_eq!(it.kept(&it.ana).await.unwrap().0, collected("6"));
}

pub async fn what_can_not_be_computed_has_no_summary_and_waits_for_a_change(it: Fixture) {
    let (portfolio, _, id) = scene(&it, &it.ana).await;
    let generation = it.grounds(&[&it.ana]).await[0].generation;
    assert!(it.foresee(&it.ana, generation, (id, collected("1")), 1).await);
    assert!(it.foresee(&it.ana, generation, (id, None), 1).await);
    assert_eq!(it.kept(&it.ana).await, None, "who looks sees that there is none that holds");
    assert_eq!(it.store.stale_people(9).await, Ok(vec![]));
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Reward, "1", "0", 2)]).await.unwrap();
    assert_eq!(it.store.stale_people(9).await, Ok(vec![it.ana.clone()]));
}

pub async fn who_writes_at_this_moment_is_not_waited_for(it: Fixture) {
    let (_, _, hers) = scene(&it, &it.ana).await;
    let (_, _, his) = scene(&it, &it.bo).await;
    // In a file one transaction writes at a time.
    if it.is_file() {
        return;
    }
    let grounds = it.grounds(&[&it.ana, &it.bo]).await;
    let both = grounds.iter().zip([hers, his]).map(|(grounds, id)| Foreseen {
        user: grounds.user.clone(),
        generation: grounds.generation,
        summaries: vec![(id, collected("1"))],
    });
    let both = both.collect();
    let (begun, has_begun) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let writing = it.second.write(&it.ana, move |_| {
        Box::pin(async move {
            let _ = begun.send(());
            let _ = ended.await;
            Ok(())
        })
    });
    let keeping = async {
        has_begun.await.unwrap();
        let kept = it.store.keep_foreseen(both, 1, second(9)).await;
        drop(end);
        kept
    };
    let (written, kept) = tokio::join!(writing, keeping);
    assert_eq!(kept, Ok([it.bo.clone()].into()));
    assert!(written.is_ok(), "{written:?}");
}
