//! Holdings: what a portfolio has of a token, and what that is worth (docs/PORTFOLIO.md, formula 2).

use std::{cmp::Ordering, collections::HashMap};

use serde::{Deserialize, Serialize};

use super::{
    fold::Fold,
    id::{PortfolioId, TokenId},
    portfolios::Totals,
    token::{Prices, Token},
};
use crate::domain::{
    decimal::{Decimal, NoDecimal},
    moment::Moment,
};

/// What a portfolio has of a token, without a price. May be 0: then its realized profit is what is left of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holding {
    pub portfolio: PortfolioId,
    pub token: Token,
    pub fold: Fold,
}

/// What is held of a token, at its price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Holding)]
pub struct HoldingView {
    pub token: Token,
    pub quantity: Decimal,
    pub invested: Decimal,
    pub average_price: Decimal,
    pub realized_profit: Decimal,
    /// The average price if no price is known.
    pub price: Decimal,
    /// Whether a price is known.
    pub priced: bool,
    /// Whether it is older than it should be.
    pub stale: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_observed_at: Option<Moment>,
    pub value: Decimal,
    pub profit: Decimal,
    /// 0 if nothing is invested.
    pub profit_percent: Decimal,
}

impl HoldingView {
    /// None if nothing is held.
    fn of(
        token: &Token,
        fold: Fold,
        prices: &Prices,
        now: Moment,
    ) -> Result<Option<Self>, NoDecimal> {
        let Some(average_price) = fold.average_price()? else { return Ok(None) };
        let known = prices.get(&token.id);
        let price = known.map_or(average_price, |known| known.price);
        let value = fold.quantity.times(price)?;
        let profit = value.minus(fold.invested)?;
        Ok(Some(Self {
            token: token.clone(),
            quantity: fold.quantity,
            invested: fold.invested,
            average_price,
            realized_profit: fold.realized,
            price,
            priced: known.is_some(),
            stale: known.is_some_and(|known| known.is_stale(now)),
            price_observed_at: known.map(|known| known.observed_at),
            value,
            profit,
            profit_percent: profit.percent_of(fold.invested)?,
        }))
    }
}

/// Holdings as they are shown: those of more than 0, the most valuable first, and their totals.
pub fn view<'a>(
    holdings: impl IntoIterator<Item = &'a Holding>,
    prices: &Prices,
    now: Moment,
) -> Result<(Vec<HoldingView>, Totals), NoDecimal> {
    let (mut shown, mut sold_out) = (Vec::new(), Decimal::ZERO);
    for Holding { token, fold, .. } in holdings {
        match HoldingView::of(token, *fold, prices, now)? {
            Some(view) => shown.push(view),
            None => sold_out = sold_out.plus(fold.realized)?,
        }
    }
    shown.sort_by(order);
    let totals = Totals::of(&shown, sold_out)?;
    Ok((shown, totals))
}

/// The most valuable first, then by symbol.
fn order(one: &HoldingView, other: &HoldingView) -> Ordering {
    let by_value = other.value.cmp(&one.value);
    by_value
        .then_with(|| one.token.symbol.cmp(&other.token.symbol))
        .then_with(|| one.token.id.cmp(&other.token.id))
}

/// What each portfolio holds.
pub fn by_portfolio(holdings: &[Holding]) -> HashMap<PortfolioId, Vec<&Holding>> {
    let mut of: HashMap<PortfolioId, Vec<&Holding>> = HashMap::new();
    for holding in holdings {
        of.entry(holding.portfolio).or_default().push(holding);
    }
    of
}

/// Holdings as they are shown, those of one token as one; and the tokens of those that can't be computed.
pub fn each<'a>(
    holdings: impl IntoIterator<Item = &'a Holding>,
    prices: &Prices,
    now: Moment,
) -> (Vec<HoldingView>, Vec<Token>) {
    let mut of: HashMap<TokenId, Vec<Holding>> = HashMap::new();
    for holding in holdings {
        of.entry(holding.token.id).or_default().push(holding.clone());
    }
    let (mut shown, mut not) = (Vec::with_capacity(of.len()), Vec::new());
    for theirs in of.into_values() {
        let token = theirs.first().map(|one| one.token.clone());
        let one = merged(theirs).and_then(|one| view(&one, prices, now));
        match one {
            Ok((views, _)) => shown.extend(views),
            Err(_) => not.extend(token),
        }
    }
    shown.sort_by(order);
    (shown, not)
}

/// The holdings of all portfolios as if they were one: those of one token are one.
pub fn merged(holdings: Vec<Holding>) -> Result<Vec<Holding>, NoDecimal> {
    let mut places: HashMap<TokenId, usize> = HashMap::with_capacity(holdings.len());
    let mut merged: Vec<Holding> = Vec::with_capacity(holdings.len());
    for holding in holdings {
        match places.get(&holding.token.id) {
            None => {
                places.insert(holding.token.id, merged.len());
                merged.push(holding);
            }
            Some(&place) => {
                let (fold, more) = (&mut merged[place].fold, holding.fold);
                fold.quantity = fold.quantity.plus(more.quantity)?;
                fold.invested = fold.invested.plus(more.invested)?;
                fold.realized = fold.realized.plus(more.realized)?;
            }
        }
    }
    Ok(merged)
}
