//! Forecasts: what the strategies applied to a portfolio would bring (docs/PORTFOLIO.md, formula 5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Refusal,
    holding::Holding,
    id::{ForecastId, PortfolioId, StrategyId, TokenId},
    strategy::{Sale, Target, sell},
    token::Prices,
    words,
};
use crate::domain::{
    decimal::{Decimal, Exact, NoDecimal},
    moment::Moment,
};

/// Strategies that one forecast applies, at most.
pub const MOST_APPLIED: usize = 500;

/// Which strategy is applied to which token of the portfolio.
pub type Applied = BTreeMap<TokenId, StrategyId>;

/// A forecast without its lines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Forecast {
    pub id: ForecastId,
    pub portfolio_id: PortfolioId,
    pub name: String,
    #[schema(value_type = BTreeMap<TokenId, StrategyId>)]
    pub applied: Applied,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
    /// Whether something changed that it depends on since `summary` was computed.
    pub stale: bool,
    pub summary: Option<Summary>,
    pub computed_at: Option<Moment>,
}

/// A forecast as it is asked for. Its summary is computed, never taken from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForecast {
    pub portfolio_id: PortfolioId,
    /// 1 to 100 characters.
    pub name: String,
    /// Tokens that the portfolio holds, each with a strategy for that token.
    #[serde(default)]
    #[schema(value_type = BTreeMap<TokenId, StrategyId>)]
    pub applied: Applied,
    /// Up to 2,000 characters.
    #[serde(default)]
    pub notes: Option<String>,
}

impl NewForecast {
    /// Checks it; what comes back is trimmed.
    pub fn checked(self) -> Result<Self, Refusal> {
        let name = words::text("name", &self.name, 1, 100, false)?;
        let notes = words::optional("notes", self.notes.as_deref(), 2_000)?;
        words::list("applied", self.applied.len(), 0, MOST_APPLIED)?;
        Ok(Self { name, notes, ..self })
    }
}

/// What a strategy does to a holding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub strategy: StrategyId,
    pub targets: Vec<Target>,
}

/// The totals of a forecast: sums of its lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ForecastSummary)]
pub struct Summary {
    pub invested: Decimal,
    pub collected: Decimal,
    pub remaining_value: Decimal,
    pub profit: Decimal,
    /// 0 if nothing is invested.
    pub return_percent: Decimal,
    pub holdings_with_strategy: usize,
}

/// What becomes of one holding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ForecastLine)]
pub struct Line {
    pub token_id: TokenId,
    pub symbol: String,
    /// None: the holding is neutral, what it cost counts as what is left of it.
    pub strategy_id: Option<StrategyId>,
    pub quantity: Decimal,
    pub invested: Decimal,
    pub sold: Decimal,
    pub collected: Decimal,
    pub remaining_quantity: Decimal,
    pub remaining_value: Decimal,
    pub profit: Decimal,
}

/// Computes a forecast: a line for each holding of more than 0, and their totals.
pub fn forecast<'a>(
    holdings: impl IntoIterator<Item = &'a Holding>,
    plans: &BTreeMap<TokenId, Plan>,
    prices: &Prices,
) -> Result<(Vec<Line>, Summary), NoDecimal> {
    let mut lines = Vec::new();
    for holding in holdings {
        let Some(average) = holding.fold.average_price()? else { continue };
        lines.push(line(holding, average, plans.get(&holding.token.id), prices)?);
    }
    let sum = |figure: fn(&Line) -> Decimal| Decimal::sum(lines.iter().map(figure));
    let (invested, profit) = (sum(|line| line.invested)?, sum(|line| line.profit)?);
    let summary = Summary {
        invested,
        collected: sum(|line| line.collected)?,
        remaining_value: sum(|line| line.remaining_value)?,
        profit,
        return_percent: profit.percent_of(invested)?,
        holdings_with_strategy: lines.iter().filter(|line| line.strategy_id.is_some()).count(),
    };
    Ok((lines, summary))
}

fn line(
    Holding { token, fold, .. }: &Holding,
    average: Decimal,
    plan: Option<&Plan>,
    prices: &Prices,
) -> Result<Line, NoDecimal> {
    let (quantity, invested) = (fold.quantity, fold.invested);
    let neutral = Line {
        token_id: token.id,
        symbol: token.symbol.clone(),
        strategy_id: None,
        quantity,
        invested,
        sold: Decimal::ZERO,
        collected: Decimal::ZERO,
        remaining_quantity: quantity,
        remaining_value: invested,
        profit: Decimal::ZERO,
    };
    let Some(plan) = plan else { return Ok(neutral) };
    let Sale { sold, proceeds } = sell(quantity, average, &plan.targets);
    let price = prices.get(&token.id).map_or(average, |known| known.price);
    let remaining_value = ((Exact::from(quantity) - sold.clone()) * price).rounded()?;
    let (sold, collected) = (sold.rounded()?, proceeds.rounded()?);
    Ok(Line {
        strategy_id: Some(plan.strategy),
        sold,
        collected,
        remaining_quantity: quantity.minus(sold)?,
        remaining_value,
        profit: collected.plus(remaining_value)?.minus(invested)?,
        ..neutral
    })
}
