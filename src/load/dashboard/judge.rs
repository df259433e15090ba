//! Whether an answer is right: its sums agree with each other, it is not older than the one before, and it shows what its
//! person has just written. Pure.
//!
//! A server can't be believed about its own sums, so they are added up again here, exactly.

use serde::Deserialize;

use crate::domain::decimal::{Decimal, NoDecimal};

/// What a seeded person has; the load adds transactions and nothing else.
const PORTFOLIOS: usize = 2;
const STRATEGIES: usize = 5;
const FORECASTS: usize = 10;

/// A dashboard, as far as it is checked. A part that could not be computed is none.
#[derive(Deserialize)]
pub struct Dashboard {
    pub generation: i64,
    portfolios: Option<Part<Portfolio>>,
    holdings: Option<Part<Holding>>,
    strategies: Option<Part<serde::de::IgnoredAny>>,
    forecasts: Option<Part<Forecast>>,
}

#[derive(Deserialize)]
struct Part<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Portfolio {
    id: String,
    is_default: bool,
    invested: Decimal,
    value: Decimal,
    profit: Decimal,
    profit_percent: Decimal,
    holdings_count: usize,
}

#[derive(Deserialize)]
struct Holding {
    token: Token,
    quantity: Decimal,
    invested: Decimal,
    average_price: Decimal,
    price: Decimal,
    value: Decimal,
    profit: Decimal,
    profit_percent: Decimal,
}

#[derive(Deserialize)]
struct Token {
    id: String,
}

#[derive(Deserialize)]
struct Forecast {
    summary: Option<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    invested: Decimal,
    collected: Decimal,
    remaining_value: Decimal,
    profit: Decimal,
    return_percent: Decimal,
}

/// What the person knows from the answer before, to hold the next one against.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    pub generation: i64,
    /// The default portfolio.
    pub portfolio: String,
    /// The first holding of it.
    pub token: String,
    pub quantity: Decimal,
}

/// What the person has written since: so much more of the first holding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bought(pub Decimal);

/// What is wrong with an answer, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong(pub String);

impl From<NoDecimal> for Wrong {
    fn from(why: NoDecimal) -> Self {
        Self(format!("sums that are too large: {why}"))
    }
}

/// Judges an answer. `before` is what this person saw last, `bought` what they wrote after that and were told is kept.
pub fn judge(body: &[u8], before: Option<&Known>, bought: Option<Bought>) -> Result<Known, Wrong> {
    let it: Dashboard =
        serde_json::from_slice(body).map_err(|why| Wrong(format!("no dashboard: {why}")))?;
    let (Some(portfolios), Some(holdings), Some(strategies), Some(forecasts)) =
        (&it.portfolios, &it.holdings, &it.strategies, &it.forecasts)
    else {
        return Err(Wrong("a part is missing".into()));
    };
    let (portfolios, holdings) = (&portfolios.items, &holdings.items);
    count("portfolios", portfolios.len(), PORTFOLIOS)?;
    count("strategies", strategies.items.len(), STRATEGIES)?;
    count("forecasts", forecasts.items.len(), FORECASTS)?;
    let mut defaults = portfolios.iter().filter(|one| one.is_default);
    let (Some(default), None) = (defaults.next(), defaults.next()) else {
        return Err(Wrong("not exactly one default portfolio".into()));
    };
    for one in holdings {
        same(
            "the average price of a holding",
            one.average_price,
            one.invested.over(one.quantity)?,
        )?;
        same("the value of a holding", one.value, one.quantity.times(one.price)?)?;
        same("the profit of a holding", one.profit, one.value.minus(one.invested)?)?;
        same("the percent of a holding", one.profit_percent, percent(one.profit, one.invested)?)?;
    }
    for one in portfolios {
        same("the profit of a portfolio", one.profit, one.value.minus(one.invested)?)?;
        same("the percent of a portfolio", one.profit_percent, percent(one.profit, one.invested)?)?;
    }
    let sum = |figure: fn(&Holding) -> Decimal| Decimal::sum(holdings.iter().map(figure));
    count("holdings of the default portfolio", default.holdings_count, holdings.len())?;
    same("what the default portfolio cost", default.invested, sum(|one| one.invested)?)?;
    same("what the default portfolio is worth", default.value, sum(|one| one.value)?)?;
    for one in &forecasts.items {
        // People are seeded with them computed, and a write leaves the last one.
        let Some(one) = &one.summary else {
            return Err(Wrong("a forecast without its summary".into()));
        };
        let comes = one.collected.plus(one.remaining_value)?;
        same("the profit of a forecast", one.profit, comes.minus(one.invested)?)?;
        same("the return of a forecast", one.return_percent, percent(one.profit, one.invested)?)?;
    }
    let held = |token: &str| {
        holdings
            .iter()
            .find(|one| one.token.id == token)
            .map(|one| one.quantity)
            .unwrap_or_default()
    };
    if let Some(before) = before {
        // Their own write raised it.
        let least = before.generation + i64::from(bought.is_some());
        if it.generation < least {
            return Err(Wrong(format!("generation {} after {least}", it.generation)));
        }
        let expected = match bought {
            Some(Bought(more)) => before.quantity.plus(more)?,
            None => before.quantity,
        };
        same("what a person holds after their own writes", held(&before.token), expected)?;
    }
    let token = before.map(|before| before.token.clone());
    let token =
        token.or_else(|| holdings.first().map(|one| one.token.id.clone())).unwrap_or_default();
    let quantity = held(&token);
    Ok(Known { generation: it.generation, portfolio: default.id.clone(), token, quantity })
}

/// How many percent of `whole` this is; 0 of nothing.
fn percent(part: Decimal, whole: Decimal) -> Result<Decimal, NoDecimal> {
    match whole.is_zero() {
        true => Ok(Decimal::ZERO),
        false => part.times_over(Decimal::HUNDRED, whole),
    }
}

fn count(what: &str, came: usize, expected: usize) -> Result<(), Wrong> {
    match came == expected {
        true => Ok(()),
        false => Err(Wrong(format!("{came} {what} instead of {expected}"))),
    }
}

fn same(what: &str, came: Decimal, expected: Decimal) -> Result<(), Wrong> {
    match came == expected {
        true => Ok(()),
        false => Err(Wrong(format!("{what}: {came} instead of {expected}"))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A dashboard of somebody who holds 2 and 3 of two tokens, at the prices 10 and 100.
    pub fn right(generation: i64) -> Value {
        let forecast = json!({"summary": {"invested": "250", "collected": "100", "remaining_value": "300",
            "profit": "150", "return_percent": "60", "holdings_with_strategy": 1}});
        let portfolio = |id: &str, is_default| {
            json!({"id": id, "name": id, "is_default": is_default, "invested": "250", "value": "320",
                "profit": "70", "profit_percent": "28", "holdings_count": 2})
        };
        let holding = |id: &str,
                       quantity: &str,
                       price: &str,
                       value: &str,
                       [invested, average]: [&str; 2],
                       [profit, percent]: [&str; 2]| {
            json!({"token": {"id": id, "symbol": id}, "quantity": quantity, "price": price, "value": value,
                "invested": invested, "average_price": average, "profit": profit, "profit_percent": percent})
        };
        let holdings = [
            holding("b", "3", "100", "300", ["240", "80"], ["60", "25"]),
            holding("a", "2", "10", "20", ["10", "5"], ["10", "100"]),
        ];
        json!({"generation": generation, "price_version": 1, "problems": {},
            "portfolios": {"items": [portfolio("p", true), portfolio("q", false)], "as_of": "now"},
            "holdings": {"items": holdings, "as_of": "now"},
            "strategies": {"items": vec![json!({}); 5], "as_of": "now"},
            "forecasts": {"items": vec![forecast; 10], "as_of": "now"}})
    }

    /// Sets anew what follows from the other figures by a division.
    pub fn divide(it: &mut Value) {
        for place in ["/holdings/items/0", "/holdings/items/1", "/portfolios/items/0"] {
            let one = it.pointer_mut(place).unwrap();
            let figure = |name: &str| one[name].as_str().unwrap().parse::<Decimal>().unwrap();
            let share = percent(figure("profit"), figure("invested")).unwrap();
            let average = one.get("quantity").map(|_| figure("invested").over(figure("quantity")));
            one["profit_percent"] = json!(share);
            if let Some(average) = average {
                one["average_price"] = json!(average.unwrap());
            }
        }
    }

    fn judged(it: &Value, before: Option<&Known>, bought: Option<Bought>) -> Result<Known, String> {
        judge(it.to_string().as_bytes(), before, bought).map_err(|wrong| wrong.0)
    }

    #[test]
    fn an_answer_that_is_right_says_what_to_hold_the_next_one_against() {
        let known = judged(&right(3), None, None).unwrap();
        let quantity = Decimal::whole(3);
        assert_eq!(
            known,
            Known { generation: 3, portfolio: "p".into(), token: "b".into(), quantity }
        );
        assert_eq!(judged(&right(3), Some(&known), None), Ok(known));
    }

    #[test]
    fn a_server_that_lies_is_found_out() {
        for (place, lie) in [
            ("/portfolios/items/0/value", json!("321")),
            ("/portfolios/items/0/invested", json!("249")),
            ("/portfolios/items/1/profit", json!("71")),
            ("/portfolios/items/1/is_default", json!(true)),
            ("/portfolios/items/0/is_default", json!(false)),
            ("/portfolios/items/0/holdings_count", json!(1)),
            ("/portfolios/items", json!([])),
            ("/holdings/items/0/value", json!("300.000000000000000001")),
            ("/holdings/items/1/profit", json!("11")),
            ("/holdings/items/1/average_price", json!("5.000000000000000001")),
            ("/holdings/items/0/profit_percent", json!("24.9")),
            ("/portfolios/items/1/profit_percent", json!("0")),
            ("/holdings/items/1/quantity", json!("2.1")),
            ("/holdings/items/1/quantity", json!(2)),
            ("/holdings", Value::Null),
            ("/strategies/items", json!([{}])),
            ("/forecasts/items/9/summary/profit", json!("151")),
            ("/forecasts/items/0/summary/return_percent", json!("59")),
            ("/forecasts/items/3/summary", Value::Null),
            ("/forecasts/items", json!([])),
            ("/generation", json!("many")),
        ] {
            let mut it = right(3);
            *it.pointer_mut(place).unwrap() = lie;
            assert!(judged(&it, None, None).is_err(), "{place}");
        }
        assert!(judge(b"<html>", None, None).is_err());
    }

    #[test]
    fn an_answer_from_before_the_persons_own_write_is_wrong() {
        let before = judged(&right(3), None, None).unwrap();
        let bought = Some(Bought("0.5".parse().unwrap()));
        let mut after = right(4);
        for (place, figure) in [
            ("/holdings/items/0/quantity", "3.5"),
            ("/holdings/items/0/value", "350"),
            ("/holdings/items/0/profit", "110"),
            ("/portfolios/items/0/value", "370"),
            ("/portfolios/items/0/profit", "120"),
        ] {
            *after.pointer_mut(place).unwrap() = json!(figure);
        }
        divide(&mut after);
        assert_eq!(judged(&after, Some(&before), bought).unwrap().quantity, "3.5".parse().unwrap());
        let stale = judged(&right(3), Some(&before), bought).unwrap_err();
        assert!(stale.contains("generation 3 after 4"), "{stale}");
        let half = judged(&right(4), Some(&before), bought).unwrap_err();
        assert!(half.contains("own writes: 3 instead of 3.5"), "{half}");
        let back = judged(&right(2), Some(&before), None).unwrap_err();
        assert!(back.contains("generation 2 after 3"), "{back}");
    }
}
