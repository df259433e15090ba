//! The worked examples, number by number.

use std::collections::BTreeMap;

use super::{
    super::{
        alert::{Armed, BEFORE, Kind as Alert},
        forecast::{Plan, forecast},
        holding::{merged, view},
        id::{StepId, StrategyId, TokenId},
        strategy::{StepState, Summary},
        token::Prices,
        transaction::Kind,
    },
    *,
};

#[test]
fn bought_sold_and_transferred_out() {
    let of = TokenId::new();
    let mut entries = vec![entry(of, Kind::Buy, "2", "4000"), entry(of, Kind::Buy, "2", "6000")];
    let after = |entries: &[Entry]| {
        let fold = fold(entries);
        (fold.quantity, fold.invested, fold.average_price().unwrap(), fold.realized)
    };
    assert_eq!(after(&entries), (d("4"), d("10000"), Some(d("2500")), d("0")));
    entries.push(entry(of, Kind::Sell, "1", "3500"));
    assert_eq!(after(&entries), (d("3"), d("7500"), Some(d("2500")), d("1000")));
    entries.push(entry(of, Kind::TransferOut, "1", "0"));
    assert_eq!(after(&entries), (d("2"), d("5000"), Some(d("2500")), d("1000")));
    entries.push(entry(of, Kind::Sell, "2", "5500"));
    assert_eq!(after(&entries), (d("0"), d("0"), None, d("1500")));
}

#[test]
fn a_strategy_says_what_it_would_bring() {
    let targets = [at("1550", "25"), percent("200", "50")];
    assert_eq!(targets[1].price(d("1200")), Ok(d("3600")));
    assert_eq!(targets[1].quantity(d("5")), Ok(d("2.5")));
    let summary = Summary::of(d("5"), d("1200"), &targets).unwrap();
    assert_eq!((summary.to_sell, summary.remaining), (d("3.75"), d("1.25")));
    assert_eq!(summary.expected_proceeds, d("10937.5"));
    assert_eq!(summary.expected_profit, d("6437.5"));
}

#[test]
fn a_forecast_of_two_holdings_one_with_a_strategy() {
    let holdings = [holding("A", "4", "10000"), holding("B", "2", "100000")];
    let [a, b] = [holdings[0].token.id, holdings[1].token.id];
    let prices = Prices::from([(a, price("3000")), (b, price("60000"))]);
    let targets = vec![percent("50", "25"), percent("100", "50")];
    let plans = BTreeMap::from([(a, Plan { strategy: StrategyId::new(), targets })]);
    let (lines, summary) = forecast(&holdings, &plans, &prices).unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(summary.invested, d("110000"));
    assert_eq!(summary.collected, d("13750"));
    assert_eq!(summary.remaining_value, d("103000"));
    assert_eq!(summary.profit, d("6750"));
    assert_eq!(summary.return_percent, d("6.136363636363636364"));
    assert_eq!(summary.holdings_with_strategy, 1);
}

#[test]
fn a_portfolio_shows_the_most_valuable_first_and_adds_up() {
    let mut holdings = vec![
        holding("SMALL", "1", "10"),
        holding("BIG", "2", "100"),
        holding("NONE", "3", "60"),
        holding("SOLD", "0", "0"),
    ];
    holdings[3].fold.realized = d("7");
    holdings[1].fold.realized = d("-2");
    let prices =
        Prices::from([(holdings[0].token.id, price("20")), (holdings[1].token.id, price("75"))]);
    let seconds = |n: i64| Moment::from_micros(n * 1_000_000);
    let (shown, totals) = view(&holdings, &prices, seconds(29)).unwrap();
    let symbols: Vec<_> = shown.iter().map(|one| &*one.token.symbol).collect();
    assert_eq!(symbols, ["BIG", "NONE", "SMALL"]);
    assert_eq!(
        (shown[0].value, shown[0].profit, shown[0].profit_percent),
        (d("150"), d("50"), d("50"))
    );
    assert_eq!((shown[1].priced, shown[1].price, shown[1].profit), (false, d("20"), d("0")));
    assert_eq!((totals.invested, totals.value, totals.profit), (d("170"), d("230"), d("60")));
    assert_eq!((totals.realized_profit, totals.holdings_count), (d("5"), 3));
    assert_eq!(totals.profit_percent, d("35.294117647058823529"));
    assert_eq!((totals.priced, totals.stale), (false, false));
    let stale = |after| view(&holdings, &prices, seconds(after)).unwrap().1.stale;
    assert_eq!(
        [30, 32, 33].map(stale),
        [false, false, true],
        "the next one comes each 30 s, and takes a while"
    );
}

#[test]
fn the_global_view_is_one_holding_a_token() {
    let one = holding("A", "4", "10000");
    let mut other = Holding { portfolio: PortfolioId::new(), ..one.clone() };
    other.fold.realized = d("5");
    let merged = merged(vec![one.clone(), holding("B", "1", "1"), other]).unwrap();
    assert_eq!(merged.len(), 2);
    assert_eq!(merged[0].fold, Fold { quantity: d("8"), invested: d("20000"), realized: d("5") });
}

#[test]
fn an_alert_is_due_near_its_target_and_at_it() {
    let armed = Armed {
        step_id: StepId::new(),
        state: StepState::Pending,
        target_price: d("100"),
        before_percent: Some(BEFORE),
        reached: true,
    };
    for (price, due) in [
        ("97.999999999999999999", None),
        ("98", Some(Alert::BeforeTarget)),
        ("99.999999999999999999", Some(Alert::BeforeTarget)),
        ("100", Some(Alert::TargetReached)),
        ("1000", Some(Alert::TargetReached)),
    ] {
        assert_eq!(armed.due(d(price)), due, "{price}");
        assert_eq!(d(price) >= armed.range().unwrap().0, due.is_some(), "{price}");
    }
    let range =
        |before_percent, reached, state| Armed { before_percent, reached, state, ..armed }.range();
    let pending = StepState::Pending;
    assert_eq!(range(Some(BEFORE), false, pending), Some((d("98"), Some(d("100")))));
    assert_eq!(range(None, true, pending), Some((d("100"), None)));
    assert_eq!(range(None, false, pending), None);
    assert_eq!(range(Some(BEFORE), true, StepState::Triggered), None);
    assert_eq!(Armed { before_percent: None, ..armed }.due(d("99")), None);
    assert_eq!(Armed { reached: false, ..armed }.due(d("101")), None);
    assert_eq!(Armed { state: StepState::Triggered, ..armed }.due(d("101")), None);
}
