//! Every call that names something, made by somebody else.

use super::fixture::{Fixture, second};
use crate::domain::{
    portfolio::{
        forecast::NewForecast,
        portfolios::NewPortfolio,
        strategy,
        transaction::{Change, Kind},
    },
    store::{Answer, Page},
};

/// It is as if it was not there.
fn nothing<T: std::fmt::Debug>(call: &str, answer: Answer<T>) {
    match answer {
        Err(refused) => assert_eq!(refused.code(), "not_found", "{call}: {refused:?}"),
        Ok(found) => panic!("{call}: {found:?}"),
    }
}

pub async fn what_is_somebody_elses_is_not_found(it: Fixture) {
    let portfolio = it.portfolio(&it.ana, "hers").await;
    let entry = it.entry(Kind::Buy, "1", "1", 1);
    let transaction = it.add(&it.ana, portfolio, vec![entry.clone()]).await.unwrap()[0];
    let strategy = it.planned(&it.ana).await;
    let forecast = it.forecast(&it.ana, portfolio, &[(it.btc, strategy)]).await;
    let his = it.portfolio(&it.bo, "his").await;
    let (store, bo) = (&it.store, &it.bo);
    let before = (store.overview(&it.ana).await, store.forecast(&it.ana, forecast).await);

    let name = NewPortfolio { name: "x".into(), description: None, is_default: true };
    nothing("portfolio", store.portfolio(bo, portfolio).await);
    nothing("change_portfolio", store.change_portfolio(bo, portfolio, name, second(1)).await);
    nothing("delete_portfolio", store.delete_portfolio(bo, portfolio).await);
    nothing("holdings", store.holdings(bo, portfolio).await);
    nothing("transactions", store.transactions(bo, portfolio, Page::first(10)).await);
    let rows = vec![(2, entry.clone())];
    nothing(
        "add_transactions",
        store.add_transactions(bo, portfolio, vec![entry], None, second(1)).await,
    );
    nothing("import", store.import_transactions(bo, portfolio, rows.clone(), false).await);
    nothing("import, dry", store.import_transactions(bo, portfolio, rows, true).await);
    let change = Change { kind: Some(Kind::Reward), ..Change::default() };
    nothing("change_transaction", store.change_transaction(bo, transaction, change).await);
    nothing("delete_transaction", store.delete_transaction(bo, transaction).await);
    nothing("strategy", store.strategy(bo, strategy).await);
    let change = strategy::Change { name: Some("x".into()), ..strategy::Change::default() };
    nothing("change_strategy", store.change_strategy(bo, strategy, change, second(1)).await);
    nothing("delete_strategy", store.delete_strategy(bo, strategy).await);
    nothing("armed", store.armed(bo, strategy).await);
    nothing("arm", store.arm(bo, strategy, vec![]).await);
    nothing("forecast", store.forecast(bo, forecast).await);
    nothing("delete_forecast", store.delete_forecast(bo, forecast).await);
    let new = |portfolio_id| NewForecast {
        portfolio_id,
        name: "x".into(),
        applied: [].into(),
        notes: None,
    };
    nothing("create_forecast", store.create_forecast(bo, new(portfolio), None, second(1)).await);
    nothing("change_forecast", store.change_forecast(bo, forecast, new(his), second(1)).await);

    assert_eq!(store.portfolios(bo, Page::first(10)).await.unwrap().value.len(), 1);
    assert_eq!(store.strategies(bo, Page::first(10)).await.unwrap().value, []);
    assert_eq!(store.forecasts(bo, Page::first(10)).await.unwrap().value, []);
    assert_eq!(store.alerts(bo, Page::first(10)).await.unwrap().value, []);
    let (portfolios, held) = store.overview(bo).await.unwrap().value;
    assert_eq!((portfolios.len(), held.len()), (1, 0));
    assert_eq!((store.overview(&it.ana).await, store.forecast(&it.ana, forecast).await), before);
}
