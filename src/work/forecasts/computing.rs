//! What comes of a person's forecasts at the prices of a board, and which of these prices it depends on.

use std::collections::BTreeSet;

use super::people::Used;
use crate::domain::{
    portfolio::{
        forecast::{Summary, forecast},
        id::{ForecastId, TokenId},
        token::PriceBoard,
    },
    store::{Expected, Grounds},
};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Computed {
    /// What has to be kept. None: it can't be computed.
    pub summaries: Vec<(ForecastId, Option<Summary>)>,
    /// Forecasts of which that is kept already.
    pub unchanged: usize,
    /// The prices that all of the person's forecasts depend on.
    pub used: Used,
}

/// Computes the forecasts of a person.
pub fn compute(grounds: &Grounds, board: &PriceBoard) -> Computed {
    let mut computed = Computed { summaries: Vec::new(), unchanged: 0, used: Vec::new() };
    for expected in &grounds.forecasts {
        match news(expected, grounds, board) {
            Some(summary) => computed.summaries.push((expected.id, summary)),
            None => computed.unchanged += 1,
        }
    }
    // A holding without a plan is worth what it cost, whatever its price.
    let tokens: BTreeSet<TokenId> =
        grounds.forecasts.iter().flat_map(|expected| expected.plans.keys().copied()).collect();
    let price = |token: TokenId| (token, board.prices.get(&token).map(|known| known.price));
    computed.used = tokens.into_iter().map(price).collect();
    computed
}

/// The summary of a forecast, if it is another than what is kept.
fn news(expected: &Expected, grounds: &Grounds, board: &PriceBoard) -> Option<Option<Summary>> {
    // Another node has done it.
    let is_present = expected.price_version == Some(board.version);
    if !expected.stale && is_present {
        return None;
    }
    let holdings = grounds.holdings.get(&expected.portfolio).into_iter().flatten();
    let summary = match forecast(holdings, &expected.plans, &board.prices) {
        Ok((_, summary)) => Some(summary),
        Err(why) => {
            log::debug!("a forecast can't be computed: {why}");
            None
        }
    };
    (expected.stale || expected.summary != summary).then_some(summary)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;
    use crate::{
        domain::{
            decimal::Decimal,
            moment::Moment,
            portfolio::{
                fold::Fold,
                forecast::Plan,
                holding::Holding,
                id::{PortfolioId, StrategyId},
                strategy::{Target, TargetKind},
                token::{Price, Token},
            },
        },
        ids::UserId,
    };

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// Somebody who holds 4 of a token that cost 10000, and 1 of another, and plans for the first one.
    fn grounds(expected: impl Fn(Expected) -> Expected) -> (Grounds, TokenId) {
        let [one, other] = [TokenId::new(), TokenId::new()];
        let portfolio = PortfolioId::new();
        let holding = |id, quantity, invested| Holding {
            portfolio,
            token: Token {
                id,
                symbol: "T".into(),
                name: "T".into(),
                provider_id: 1,
                logo_url: None,
            },
            fold: Fold { quantity: d(quantity), invested: d(invested), realized: Decimal::ZERO },
        };
        let target = Target {
            target_kind: TargetKind::Percentage,
            target_value: d("50"),
            sell_percent: d("25"),
        };
        let plan = Plan { strategy: StrategyId::new(), targets: vec![target] };
        let it = Expected {
            id: ForecastId::new(),
            portfolio,
            plans: BTreeMap::from([(one, plan)]),
            stale: false,
            summary: None,
            price_version: None,
        };
        let grounds = Grounds {
            user: UserId::new("ana"),
            generation: 1,
            forecasts: vec![expected(it)],
            holdings: HashMap::from([(
                portfolio,
                vec![holding(one, "4", "10000"), holding(other, "1", "7")],
            )]),
        };
        (grounds, one)
    }

    fn board(token: TokenId, price: &str) -> PriceBoard {
        let price = Price { price: d(price), observed_at: Moment::default() };
        PriceBoard { prices: HashMap::from([(token, price)]), version: 3 }
    }

    #[test]
    fn a_forecast_is_what_who_asks_for_it_would_get() {
        let (grounds, token) = grounds(|it| it);
        let Computed { summaries, unchanged, used } = compute(&grounds, &board(token, "3000"));
        let [(id, Some(summary))] = summaries[..] else { panic!("one") };
        assert_eq!((id, unchanged), (grounds.forecasts[0].id, 0));
        // Three are left at 3000, and what cost 7.
        assert_eq!((summary.collected, summary.remaining_value), (d("3750"), d("9007")));
        assert_eq!(used, [(token, Some(d("3000")))], "the other one is neutral");
    }

    #[test]
    fn a_price_that_nobody_knows_is_noted_as_such() {
        let (grounds, token) = grounds(|it| it);
        let computed = compute(&grounds, &PriceBoard::default());
        assert_eq!(computed.used, [(token, None)]);
        assert_eq!(computed.summaries[0].1.unwrap().remaining_value, d("7507"));
    }

    #[test]
    fn what_is_kept_already_is_not_kept_again() {
        let (first, token) = grounds(|it| it);
        let summary = compute(&first, &board(token, "3000")).summaries[0].1;
        let again = |stale| {
            let expected = Expected { summary, stale, ..first.forecasts[0].clone() };
            let grounds = Grounds { forecasts: vec![expected], ..first.clone() };
            let computed = compute(&grounds, &board(token, "3000"));
            (computed.summaries.len(), computed.unchanged)
        };
        assert_eq!(again(false), (0, 1));
        assert_eq!(again(true), (1, 0), "who looks has to see that it holds");
    }

    #[test]
    fn what_another_node_computed_of_these_prices_is_not_computed_again() {
        let of = |version| {
            let (grounds, token) = grounds(|it| Expected { price_version: Some(version), ..it });
            compute(&grounds, &board(token, "3000")).unchanged
        };
        assert_eq!((of(3), of(2)), (1, 0));
    }

    #[test]
    fn what_can_not_be_computed_is_left_until_something_changes() {
        let most = "99999999999999999999";
        let of = |stale| {
            let (grounds, token) = grounds(|it| Expected { stale, ..it });
            compute(&grounds, &board(token, most)).summaries
        };
        assert!(matches!(of(true)[..], [(_, None)]));
        assert_eq!(of(false), [], "it has none already");
    }
}
