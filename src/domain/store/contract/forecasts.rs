//! Forecasts: what they apply, and how long a summary holds.

use super::fixture::{Fixture, second};
use crate::{
    domain::{
        portfolio::{
            forecast::{Applied, NewForecast, Summary, forecast},
            id::{ForecastId, PortfolioId, StrategyId, TokenId},
            strategy,
            token::Prices,
            transaction::Kind,
        },
        store::{Page, Stored, Wanted},
    },
    ids::UserId,
};

fn new(portfolio: PortfolioId, applied: &[(TokenId, StrategyId)]) -> NewForecast {
    let applied: Applied = applied.iter().copied().collect();
    NewForecast { portfolio_id: portfolio, name: "f".into(), applied, notes: None }
}

impl Fixture {
    pub async fn forecast(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        applied: &[(TokenId, StrategyId)],
    ) -> ForecastId {
        let new = new(portfolio, applied);
        self.store.create_forecast(user, new, None, second(0)).await.unwrap().value
    }

    /// Computes a forecast and keeps that; whether it was kept.
    async fn compute(&self, id: ForecastId) -> (Stored<ForecastId>, Summary, bool) {
        let basis = self.store.forecast(&self.ana, id).await.unwrap();
        let value = &basis.value;
        let (_, summary) = forecast(&value.holdings, &value.plans, &Prices::new()).unwrap();
        let from = basis.map(|_| id);
        let kept = self.store.keep_summary(&self.ana, &from, summary, 1, second(9)).await.unwrap();
        (from, summary, kept)
    }

    async fn is_stale(&self, id: ForecastId) -> bool {
        self.second.forecast(&self.ana, id).await.unwrap().value.forecast.stale
    }
}

/// A portfolio with a bitcoin, a strategy for it, and a forecast that applies it.
pub async fn scene(it: &Fixture, user: &UserId) -> (PortfolioId, StrategyId, ForecastId) {
    let portfolio = it.portfolio(user, "p").await;
    it.add(user, portfolio, vec![it.entry(Kind::Buy, "1", "1000", 1)]).await.unwrap();
    let strategy = it.planned(user).await;
    let id = it.forecast(user, portfolio, &[(it.btc, strategy)]).await;
    (portfolio, strategy, id)
}

pub async fn a_forecast_is_kept_with_its_summary_until_something_changes(it: Fixture) {
    let (portfolio, strategy, id) = scene(&it, &it.ana).await;
    let other = it.portfolio(&it.ana, "other").await;
    let untouched = it.forecast(&it.ana, other, &[]).await;
    assert!(it.is_stale(id).await);
    let (from, summary, kept) = it.compute(id).await;
    assert!(kept && it.compute(untouched).await.2);
    let listed = it.store.forecasts(&it.ana, Page::first(10)).await.unwrap();
    assert_eq!(
        listed.generation, from.generation,
        "computing changes nothing that the person said"
    );
    assert_eq!((listed.value[0].summary, listed.value[0].stale), (Some(summary), false));
    assert_eq!(listed.value[0].applied, Applied::from([(it.btc, strategy)]));
    assert_eq!((summary.holdings_with_strategy, listed.value[0].computed_at), (1, Some(second(9))));

    it.add(&it.ana, portfolio, vec![it.entry(Kind::Reward, "1", "0", 2)]).await.unwrap();
    assert!(it.is_stale(id).await && !it.is_stale(untouched).await);
    it.compute(id).await;
    let renamed = strategy::Change { name: Some("other".into()), ..strategy::Change::default() };
    it.store.change_strategy(&it.ana, strategy, renamed, second(3)).await.unwrap();
    assert!(it.is_stale(id).await && !it.is_stale(untouched).await);
    it.compute(id).await;
    it.store.change_forecast(&it.ana, id, new(portfolio, &[]), second(4)).await.unwrap();
    assert!(it.is_stale(id).await);
}

pub async fn what_was_computed_of_older_data_is_not_kept(it: Fixture) {
    let (portfolio, _, id) = scene(&it, &it.ana).await;
    let (from, summary, _) = it.compute(id).await;
    it.add(&it.ana, portfolio, vec![it.entry(Kind::Reward, "1", "0", 2)]).await.unwrap();
    let kept = it.second.keep_summary(&it.ana, &from, summary, 2, second(9)).await;
    assert_eq!(kept, Ok(false));
    assert!(it.is_stale(id).await);
}

pub async fn a_forecast_applies_only_what_fits(it: Fixture) {
    let (portfolio, strategy, id) = scene(&it, &it.ana).await;
    let eth = it.entry(Kind::Buy, "1", "1", 1);
    let eth = crate::domain::portfolio::transaction::Entry { token_id: it.eth, ..eth };
    for (applied, why) in [
        (vec![(it.btc, StrategyId::new())], "a strategy of yours"),
        (vec![(it.eth, strategy)], "a token that the portfolio holds"),
        (vec![(it.btc, it.planned(&it.bo).await)], "a strategy of yours"),
    ] {
        let refused =
            it.store.create_forecast(&it.ana, new(portfolio, &applied), None, second(0)).await;
        assert!(refused.clone().unwrap_err().to_string().contains(why), "{refused:?}");
        let refused =
            it.store.change_forecast(&it.ana, id, new(portfolio, &applied), second(0)).await;
        assert!(refused.clone().unwrap_err().to_string().contains(why), "{refused:?}");
    }
    it.add(&it.ana, portfolio, vec![eth]).await.unwrap();
    let refused = it
        .store
        .create_forecast(&it.ana, new(portfolio, &[(it.eth, strategy)]), None, second(0))
        .await;
    assert!(
        refused.clone().unwrap_err().to_string().contains("a strategy for this token"),
        "{refused:?}"
    );
}

pub async fn a_deleted_strategy_leaves_the_forecast(it: Fixture) {
    let (_, strategy, id) = scene(&it, &it.ana).await;
    it.compute(id).await;
    it.store.delete_strategy(&it.ana, strategy).await.unwrap();
    let basis = it.store.forecast(&it.ana, id).await.unwrap().value;
    assert!(basis.forecast.stale && basis.forecast.applied.is_empty() && basis.plans.is_empty());
    it.store.delete_forecast(&it.ana, id).await.unwrap();
    assert_eq!(it.store.forecast(&it.ana, id).await.unwrap_err().code(), "not_found");
}

pub async fn a_summary_that_is_kept_changes_the_state_of_forecasts_and_no_generation(it: Fixture) {
    let (_, _, id) = scene(&it, &it.ana).await;
    let wanted = Wanted { forecasts: true, ..Wanted::default() };
    let before = it.second.parts(&it.ana, wanted).await.unwrap();
    let (_, summary, _) = it.compute(id).await;
    let after = it.second.parts(&it.ana, wanted).await.unwrap();
    assert_eq!((before.generation, before.value.computed), (after.generation, 0));
    assert!(after.value.computed > 0);
    assert_eq!(after.value.forecasts.unwrap()[0].summary, Some(summary));
    assert_eq!(after.value.portfolios, None, "it was not asked for");
    let present = it.second.generations(vec![it.ana.clone()]).await.unwrap()[&it.ana];
    assert_eq!((present.generation, present.computed), (after.generation, after.value.computed));
}
