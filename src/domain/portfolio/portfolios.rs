//! Portfolios by name, and their view: the sums of what they hold.

use serde::{Deserialize, Serialize};

use super::{Refusal, holding::HoldingView, id::PortfolioId, words};
use crate::domain::{
    decimal::{Decimal, NoDecimal},
    moment::Moment,
};

/// A portfolio, without what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Portfolio {
    pub id: PortfolioId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Exactly one of a person's portfolios is.
    pub is_default: bool,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// A portfolio as it is asked for, new or in the place of the one before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPortfolio {
    /// 1 to 100 characters, unique among a person's.
    pub name: String,
    /// Up to 1,000 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// Makes it the default in the place of the one before. The default stays it until another one is.
    #[serde(default)]
    pub is_default: bool,
}

impl NewPortfolio {
    /// Checks it; what comes back is trimmed.
    pub fn checked(self) -> Result<Self, Refusal> {
        let name = words::text("name", &self.name, 1, 100, false)?;
        let description = words::optional("description", self.description.as_deref(), 1_000)?;
        Ok(Self { name, description, ..self })
    }
}

/// The figures of several holdings together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Totals {
    pub invested: Decimal,
    pub value: Decimal,
    pub profit: Decimal,
    /// 0 if nothing is invested.
    pub profit_percent: Decimal,
    /// Of sold-out holdings too.
    pub realized_profit: Decimal,
    /// Holdings of more than 0.
    pub holdings_count: usize,
    /// False if one of them has no price.
    pub priced: bool,
    /// True if one of their prices is old.
    pub stale: bool,
}

impl Totals {
    /// Adds up what is shown of each holding, and `sold_out`: the profit of those that are not shown any more.
    pub fn of(holdings: &[HoldingView], sold_out: Decimal) -> Result<Self, NoDecimal> {
        let sum = |figure: fn(&HoldingView) -> Decimal| Decimal::sum(holdings.iter().map(figure));
        let (invested, profit) = (sum(|one| one.invested)?, sum(|one| one.profit)?);
        Ok(Self {
            invested,
            value: sum(|one| one.value)?,
            profit,
            profit_percent: profit.percent_of(invested)?,
            realized_profit: sum(|one| one.realized_profit)?.plus(sold_out)?,
            holdings_count: holdings.len(),
            priced: holdings.iter().all(|one| one.priced),
            stale: holdings.iter().any(|one| one.stale),
        })
    }
}
