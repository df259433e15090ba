//! A new price lets fire what it calls for: once, in its own transaction, whoever stores it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::fixture::{Fixture, d, second};
use crate::{
    domain::{
        portfolio::{
            Refusal,
            alert::Kind,
            strategy::{Change, NewStep, Status, StepState},
        },
        store::{Arm, Observed, Page},
    },
    ids::UserId,
};

/// A price comes.
async fn price(it: &Fixture, price: &str) -> Observed {
    let prices = HashMap::from([(it.btc, d(price))]);
    it.store.observe_prices(None, prices, it.heard.clone()).await.unwrap().expect("no fence")
}

/// What fired for a person, the first first: what it was, at which target, at which price.
async fn fired(it: &Fixture, user: &UserId) -> Vec<(Kind, String, String)> {
    let fired = it.second.alerts(user, Page::first(50)).await.unwrap().value;
    let shown = |(kind, target, price): (Kind, crate::domain::decimal::Decimal, _)| {
        (kind, target.to_string(), crate::domain::decimal::Decimal::to_string(&price))
    };
    fired.into_iter().rev().map(|it| shown((it.kind, it.target_price, it.price))).collect()
}

fn alert(kind: Kind, target: &str, price: &str) -> (Kind, String, String) {
    (kind, target.into(), price.into())
}

pub async fn a_price_fires_what_it_comes_near_to_and_what_it_reaches_each_once(it: Fixture) {
    let id = it.planned(&it.ana).await;
    assert_eq!(price(&it, "1518.999999999999999999").await.fired, 0);
    assert_eq!(price(&it, "1519").await.fired, 1, "two percent before 1550");
    assert_eq!(price(&it, "1530").await.fired, 0);
    assert_eq!(price(&it, "1549.999999999999999999").await.fired, 0);
    assert_eq!(price(&it, "1550").await.fired, 1);
    let before = it.store.generation(&it.ana).await.unwrap();
    for again in ["1549", "1550", "1600", "1"] {
        assert_eq!(price(&it, again).await.fired, 0, "{again}");
    }
    assert_eq!(it.store.generation(&it.ana).await, Ok(before), "nothing of hers changed");
    assert_eq!(price(&it, "5000").await.fired, 1, "past both: only the second is reached now");
    let expected = [
        alert(Kind::BeforeTarget, "1550", "1519"),
        alert(Kind::TargetReached, "1550", "1550"),
        alert(Kind::TargetReached, "3600", "5000"),
    ];
    assert_eq!(fired(&it, &it.ana).await, expected);
    assert_eq!(fired(&it, &it.bo).await, []);
    let steps = it.store.strategy(&it.ana, id).await.unwrap().value.1;
    assert!(steps.iter().all(|step| step.state == StepState::Triggered), "{steps:?}");
    assert!(steps.iter().all(|step| step.triggered_at.is_some()));
    let heard = it.heard.take();
    assert!(heard.iter().all(|(user, _)| *user == it.ana));
    let kinds: Vec<_> = heard.iter().map(|(_, alert)| alert.kind).collect();
    assert_eq!(kinds, expected.map(|(kind, ..)| kind), "all of it was told");
}

pub async fn what_fires_raises_its_persons_generation(it: Fixture) {
    it.planned(&it.ana).await;
    it.planned(&it.bo).await;
    let generations = async || {
        let ana = it.store.generation(&it.ana).await.unwrap();
        (ana, it.store.generation(&it.bo).await.unwrap())
    };
    let before = generations().await;
    assert_eq!(price(&it, "1000").await.fired, 0);
    assert_eq!(generations().await, before);
    assert_eq!(price(&it, "1550").await.fired, 2);
    let after = generations().await;
    assert!(after.0 > before.0 && after.1 > before.1, "{before:?}, then {after:?}");
}

pub async fn what_can_not_be_told_did_not_happen(it: Fixture) {
    it.planned(&it.ana).await;
    it.heard.refuse(true);
    let prices = HashMap::from([(it.btc, d("1550"))]);
    let refused = it.store.observe_prices(None, prices, it.heard.clone()).await;
    assert!(matches!(refused, Err(Refusal::Unavailable(_))), "{refused:?}");
    assert_eq!(fired(&it, &it.ana).await, []);
    assert!(it.store.prices_since(0).await.unwrap().0.is_empty(), "nor did the price come");
    it.heard.refuse(false);
    assert_eq!(price(&it, "1550").await.fired, 1);
    assert_eq!(it.heard.take().len(), 1);
}

pub async fn two_nodes_that_store_a_price_at_once_fire_once(it: Fixture) {
    for user in 0..20 {
        it.planned(&UserId::new(&format!("u{user}"))).await;
    }
    let prices = || HashMap::from([(it.btc, d("1550")), (it.eth, d("1"))]);
    let store = |store: &std::sync::Arc<crate::domain::store::Store>| {
        let (store, prices, heard) = (store.clone(), prices(), it.heard.clone());
        async move { store.observe_prices(None, prices, heard).await.unwrap().unwrap().fired }
    };
    let (one, two) = tokio::join!(store(&it.store), store(&it.second));
    assert_eq!(one + two, 20);
    assert_eq!((it.count("alerts"), it.heard.take().len()), (20, 20));
}

/// Lets so many more than ana plan what she plans.
async fn crowd(it: &Fixture, count: usize) {
    // The first by the front door, for the form of its rows.
    let id = it.planned(&it.ana).await;
    it.sql(&format!("delete from strategy_steps where strategy = '{id}' and position > 0"));
    let of = "substr('0000' || n, -4)";
    let of = if it.is_file() { of } else { "right('0000' || n, 4)" };
    let numbers = format!(
        "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {count}) "
    );
    it.sql(&format!(
        "{numbers} insert into strategies (id, owner, token, name, base_quantity, reference_price, status, created_at, \
         updated_at) select '01900000-0000-7000-8000-00000000' || {of}, 'u' || {of}, token, name, base_quantity, \
         reference_price, status, 1, 1 from strategies, numbers"
    ));
    it.sql(&format!(
        "{numbers} insert into strategy_steps (id, strategy, position, target_kind, target_value, sell_percent, \
         target_price, state, before_percent, alert_reached, watched_token, fires_from, fires_until) \
         select '01900000-0000-7000-8000-00000000' || {of}, '01900000-0000-7000-8000-00000000' || {of}, 0, target_kind, \
         target_value, sell_percent, target_price, state, before_percent, alert_reached, watched_token, fires_from, \
         fires_until from strategy_steps, numbers where strategy = '{id}'"
    ));
}

/// Whether a price of the token is written down.
async fn is_stored(it: &Fixture) -> bool {
    it.second.prices_since(0).await.unwrap().0.contains_key(&it.btc)
}

pub async fn a_crowd_with_one_target_fires_with_the_price_that_reaches_it(it: Fixture) {
    let count = super::super::firing::A_STATEMENT + 5;
    crowd(&it, count).await;
    let all = price(&it, "1550").await;
    assert_eq!((all.fired, all.more, it.count("alerts")), (count + 1, false, count as i64 + 1));
    assert!(is_stored(&it).await);
    assert_eq!(it.heard.take().len(), count + 1, "each was told");
}

pub async fn a_price_is_not_written_before_all_that_it_calls_for_has_fired(it: Fixture) {
    let count = super::super::firing::MOST + 5;
    crowd(&it, count).await;
    let first = price(&it, "1550").await;
    assert!(first.more && first.fired < count, "{first:?}");
    assert!(!is_stored(&it).await, "who dies now has left nothing out");
    let second = price(&it, "1550").await;
    assert_eq!((first.fired + second.fired, second.more), (count + 1, false));
    assert!(is_stored(&it).await);
    assert_eq!(price(&it, "1550").await.fired, 0);
}

pub async fn only_active_strategies_fire(it: Fixture) {
    let status = |status| Change { status: Some(status), ..Change::default() };
    let id = it.planned(&it.ana).await;
    for asleep in [Status::Draft, Status::Paused, Status::Completed] {
        it.store.change_strategy(&it.ana, id, status(asleep), second(1)).await.unwrap();
        assert_eq!(price(&it, "9999").await.fired, 0, "{asleep:?}");
    }
    it.store.change_strategy(&it.ana, id, status(Status::Active), second(2)).await.unwrap();
    assert_eq!(price(&it, "1519").await.fired, 1);
    it.store.delete_strategy(&it.ana, id).await.unwrap();
    assert_eq!(price(&it, "9999").await.fired, 0);
}

pub async fn what_is_not_armed_does_not_fire(it: Fixture) {
    let id = it.planned(&it.ana).await;
    let steps = it.store.armed(&it.ana, id).await.unwrap().value;
    let arm = |n: usize, before: Option<&str>, reached| Arm {
        step_id: steps[n].step_id,
        before_percent: before.map(d),
        reached,
    };
    let arms = vec![arm(0, None, true), arm(1, Some("50"), false)];
    it.store.arm(&it.ana, id, arms).await.unwrap();
    assert_eq!(price(&it, "1549").await.fired, 0);
    assert_eq!(price(&it, "1800").await.fired, 2);
    assert_eq!(price(&it, "3600").await.fired, 0);
    let expected =
        [alert(Kind::TargetReached, "1550", "1800"), alert(Kind::BeforeTarget, "3600", "1800")];
    assert_eq!(fired(&it, &it.ana).await, expected);
    let after = it.store.armed(&it.ana, id).await.unwrap().value;
    assert_eq!(after[1].state, StepState::Pending, "its target was not reached");
}

pub async fn a_step_that_is_set_back_does_not_fire_again(it: Fixture) {
    let id = it.planned(&it.ana).await;
    assert_eq!(price(&it, "1550").await.fired, 1);
    let steps = it.store.strategy(&it.ana, id).await.unwrap().value.1;
    let back = |n: usize| NewStep {
        id: Some(steps[n].id),
        target: steps[n].target,
        state: Some(StepState::Pending),
    };
    let to = Change { steps: Some(vec![back(0), back(1)]), ..Change::default() };
    it.store.change_strategy(&it.ana, id, to, second(1)).await.unwrap();
    let fired = it.store.armed(&it.ana, id).await.unwrap().value.into_iter().map(|step| step.fired);
    assert_eq!(fired.collect::<Vec<_>>(), [vec![Kind::TargetReached], vec![]]);
    let before = it.store.generation(&it.ana).await.unwrap();
    assert_eq!(price(&it, "1551").await.fired, 0);
    assert_eq!(it.store.generation(&it.ana).await, Ok(before));
}

/// Does what `sql` says in a transaction of ana's, which lasts a second more, and comes back in the midst of it.
async fn hers(it: &Arc<Fixture>, sql: &str) -> std::thread::JoinHandle<()> {
    let ana = "update people set generation = generation + 1 where owner = 'ana'";
    let transaction = format!("begin; {ana}; {sql}; select pg_sleep(1); commit");
    let hand = it.clone();
    let under_way = std::thread::spawn(move || hand.sql(&transaction));
    // Asked by another connection, whose own text is not that one.
    let is_under_way = "pg_stat_activity where wait_event = 'PgSleep' and query like '%begin; update people%' \
                        and pid <> pg_backend_pid()";
    let end = Instant::now() + Duration::from_secs(10);
    while it.count(is_under_way) == 0 {
        assert!(Instant::now() < end, "she never began");
        tokio::task::yield_now().await;
    }
    under_way
}

pub async fn who_pauses_a_plan_while_a_price_comes_hears_nothing_of_it(it: Fixture) {
    // Writers of a file come one after the other.
    if it.is_file() {
        return;
    }
    it.planned(&it.ana).await;
    let it = Arc::new(it);
    let pausing = hers(&it, "update strategies set status = 'paused' where owner = 'ana'").await;
    assert_eq!(price(&it, "1550").await.fired, 0, "it waited for her");
    pausing.join().unwrap();
    assert!(is_stored(&it).await);
}

pub async fn who_resumes_a_plan_while_a_price_comes_hears_of_the_next(it: Fixture) {
    if it.is_file() {
        return;
    }
    it.planned(&it.ana).await;
    it.planned(&it.bo).await;
    it.sql("update strategies set status = 'paused' where owner = 'bo'");
    let before = it.store.generation(&it.bo).await.unwrap();
    let it = Arc::new(it);
    // The price found ana and waits for her. Bo, who is due when it goes on, was not taken into his next state with her.
    let resuming = hers(&it, "update strategies set status = 'active' where owner = 'bo'").await;
    assert_eq!(price(&it, "1550").await.fired, 1);
    resuming.join().unwrap();
    assert_eq!(fired(&it, &it.bo).await, []);
    assert_eq!(it.store.generation(&it.bo).await, Ok(before));
    assert_eq!(price(&it, "1550").await.fired, 1);
    assert!(it.store.generation(&it.bo).await.unwrap() > before);
}

pub async fn an_alert_that_fired_before_costs_no_price(it: Fixture) {
    it.planned(&it.ana).await;
    it.sql("create table watched as select id, watched_token, fires_from, fires_until from strategy_steps");
    assert_eq!(price(&it, "1550").await.fired, 1);
    // As if nobody had noted that it did.
    it.sql(
        "update strategy_steps set state = 'pending', \
         watched_token = (select w.watched_token from watched w where w.id = strategy_steps.id), \
         fires_from = (select w.fires_from from watched w where w.id = strategy_steps.id), \
         fires_until = (select w.fires_until from watched w where w.id = strategy_steps.id)",
    );
    assert_eq!(price(&it, "1551").await.fired, 0);
    assert_eq!((it.count("alerts"), it.heard.take().len()), (1, 1));
    assert_eq!(it.store.prices_since(0).await.unwrap().0[&it.btc].price, d("1551"));
}
