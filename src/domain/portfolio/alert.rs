//! Alerts: which steps a price has come near to, or reached (docs/PORTFOLIO.md, formula 6).

use serde::Serialize;

use super::{
    id::{AlertId, StepId, StrategyId, TokenId},
    strategy::StepState,
};
use crate::domain::{
    decimal::{Decimal, Exact},
    moment::Moment,
};

/// How near a price has to come before its target is announced, percent of the target, if nothing else is said.
pub const BEFORE: Decimal = Decimal::whole(2);

/// Which of its two alerts of a step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertKind)]
pub enum Kind {
    BeforeTarget,
    TargetReached,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeTarget => "before_target",
            Self::TargetReached => "target_reached",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::BeforeTarget, Self::TargetReached].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a step waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Armed {
    pub step_id: StepId,
    pub state: StepState,
    pub target_price: Decimal,
    /// More than 0, less than 100; none: it is not announced before.
    pub before_percent: Option<Decimal>,
    pub reached: bool,
}

/// What is armed of a step, and what fired of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Armed)]
pub struct StepAlerts {
    pub step_id: StepId,
    pub state: StepState,
    pub target_price: Decimal,
    /// More than 0, less than 100; none: it is not announced before.
    pub before_percent: Option<Decimal>,
    pub reached: bool,
    /// What has fired, and does not fire again, whatever is armed.
    pub fired: Vec<Kind>,
}

/// An alert that fired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Alert {
    pub id: AlertId,
    pub strategy_id: StrategyId,
    pub step_id: StepId,
    pub token_id: TokenId,
    pub kind: Kind,
    pub target_price: Decimal,
    /// The price that it fired at.
    pub price: Decimal,
    pub fired_at: Moment,
}

impl Armed {
    /// At which prices it has to be looked at: from the first on and below the second, if there is one.
    ///
    /// [`Armed::due`] has the last word: where announcing begins may be between two decimals.
    pub fn range(&self) -> Option<(Decimal, Option<Decimal>)> {
        if self.state != StepState::Pending {
            return None;
        }
        let begins = |before: Decimal| self.begins(before).percent().rounded().ok();
        match (self.before_percent.and_then(begins), self.reached) {
            (Some(near), true) => Some((near, None)),
            (Some(near), false) => Some((near, Some(self.target_price))),
            (None, true) => Some((self.target_price, None)),
            (None, false) => None,
        }
    }

    /// A hundred times the price from which it is announced.
    fn begins(&self, before: Decimal) -> Exact {
        (Exact::from(Decimal::HUNDRED) - before.into()) * self.target_price
    }

    /// Which alert a price calls for; that it fires once is the store's part.
    pub fn due(&self, price: Decimal) -> Option<Kind> {
        if self.state != StepState::Pending {
            return None;
        }
        if price >= self.target_price {
            return self.reached.then_some(Kind::TargetReached);
        }
        // target * (100 - before) <= price * 100, without a division.
        let near = self.begins(self.before_percent?);
        (near <= Exact::from(price) * Decimal::HUNDRED).then_some(Kind::BeforeTarget)
    }
}
