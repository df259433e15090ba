//! Exit strategies: sell a part at each target (docs/PORTFOLIO.md, formula 4).

use serde::{Deserialize, Serialize};

use super::{
    Object, Refusal,
    id::{StepId, StrategyId, TokenId},
    transaction::given,
    words,
};
use crate::domain::{
    decimal::{Decimal, Exact, NoDecimal},
    moment::Moment,
};

/// Steps of a strategy, at most.
pub const MOST_STEPS: usize = 6;

/// What a step's target is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// Percent above a reference.
    Percentage,
    /// USD.
    Price,
}

/// Where a strategy stands; alerts come of active ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StrategyStatus)]
pub enum Status {
    Draft,
    Active,
    Paused,
    Completed,
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Pending,
    /// Its price was reached.
    Triggered,
    /// Its person sold.
    Done,
}

/// Names as they are stored.
macro_rules! names {
    ($($type:ident { $($variant:ident: $name:literal),+ $(,)? })+) => {$(
        impl $type {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    )+};
}

names! {
    TargetKind { Percentage: "percentage", Price: "price" }
    Status { Draft: "draft", Active: "active", Paused: "paused", Completed: "completed" }
    StepState { Pending: "pending", Triggered: "triggered", Done: "done" }
}

/// Sell so much at that price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub target_kind: TargetKind,
    /// More than 0: USD, or percent above the reference.
    pub target_value: Decimal,
    /// Of the base quantity, never of what remains; more than 0, at most 100.
    pub sell_percent: Decimal,
}

impl Target {
    /// The price, where a percentage is on top of `reference`. Exact.
    fn exact_price(&self, reference: Decimal) -> Exact {
        match self.target_kind {
            TargetKind::Price => self.target_value.into(),
            TargetKind::Percentage => {
                let percents = Exact::from(Decimal::HUNDRED) + self.target_value.into();
                (percents * reference).percent()
            }
        }
    }

    /// The price, where a percentage is on top of `reference`.
    pub fn price(&self, reference: Decimal) -> Result<Decimal, NoDecimal> {
        self.exact_price(reference).rounded()
    }

    /// How much of `base` is sold.
    pub fn quantity(&self, base: Decimal) -> Result<Decimal, NoDecimal> {
        base.times_over(self.sell_percent, Decimal::HUNDRED)
    }
}

/// What is sold at all targets together, and what that brings.
pub(super) struct Sale {
    pub sold: Exact,
    pub proceeds: Exact,
}

/// Sells parts of `base` at each target, where a percentage is on top of `reference`.
pub(super) fn sell<'a>(
    base: Decimal,
    reference: Decimal,
    targets: impl IntoIterator<Item = &'a Target>,
) -> Sale {
    let nothing = Sale { sold: Exact::default(), proceeds: Exact::default() };
    targets.into_iter().fold(nothing, |Sale { sold, proceeds }, target| {
        let quantity = (Exact::from(base) * target.sell_percent).percent();
        let brings = quantity.clone() * target.exact_price(reference);
        Sale { sold: sold + quantity, proceeds: proceeds + brings }
    })
}

/// A strategy without its steps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Strategy {
    pub id: StrategyId,
    pub token_id: TokenId,
    pub name: String,
    pub base_quantity: Decimal,
    pub reference_price: Decimal,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// A step and what follows from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Step {
    pub id: StepId,
    #[serde(flatten)]
    pub target: Target,
    pub state: StepState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered_at: Option<Moment>,
    pub target_price: Decimal,
    pub sell_quantity: Decimal,
}

/// What a strategy would bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StrategySummary)]
pub struct Summary {
    pub to_sell: Decimal,
    pub remaining: Decimal,
    pub expected_proceeds: Decimal,
    pub expected_profit: Decimal,
}

impl Summary {
    pub fn of<'a>(
        base: Decimal,
        reference: Decimal,
        targets: impl IntoIterator<Item = &'a Target>,
    ) -> Result<Self, NoDecimal> {
        let Sale { sold, proceeds } = sell(base, reference, targets);
        let cost = sold.clone() * reference;
        let to_sell = sold.rounded()?;
        Ok(Self {
            to_sell,
            remaining: base.minus(to_sell)?,
            expected_proceeds: proceeds.clone().rounded()?,
            expected_profit: (proceeds - cost).rounded()?,
        })
    }
}

/// A strategy as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStrategy {
    pub token_id: TokenId,
    /// 1 to 100 characters.
    pub name: String,
    /// More than 0.
    pub base_quantity: Decimal,
    /// More than 0, USD.
    pub reference_price: Decimal,
    #[serde(default = "draft")]
    pub status: Status,
    /// Up to 2,000 characters.
    #[serde(default)]
    pub notes: Option<String>,
    /// 1 to 6; their prices rise, their parts are at most 100 % together.
    #[schema(value_type = Vec<StepWords>)]
    pub steps: Vec<NewStep>,
}

fn draft() -> Status {
    Status::Draft
}

/// A step as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Object<StepWords>")]
pub struct NewStep {
    pub id: Option<StepId>,
    #[serde(flatten)]
    pub target: Target,
    pub state: Option<StepState>,
}

// Flattened fields can't refuse unknown ones.
/// A step as it is asked for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStep)]
struct StepWords {
    /// A step that is there already keeps its alerts and, unless told, its state.
    id: Option<StepId>,
    target_kind: TargetKind,
    /// More than 0: USD, or percent above the reference.
    target_value: Decimal,
    /// Of the base quantity, never of what remains; more than 0, at most 100.
    sell_percent: Decimal,
    state: Option<StepState>,
}

impl From<Object<StepWords>> for NewStep {
    fn from(Object(words): Object<StepWords>) -> Self {
        let StepWords { id, target_kind, target_value, sell_percent, state } = words;
        Self { id, target: Target { target_kind, target_value, sell_percent }, state }
    }
}

/// What is to change about a strategy; what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StrategyChange)]
pub struct Change {
    #[schema(nullable = false)]
    pub name: Option<String>,
    #[schema(nullable = false)]
    pub base_quantity: Option<Decimal>,
    #[schema(nullable = false)]
    pub reference_price: Option<Decimal>,
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// `null` takes them away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub notes: Option<Option<String>>,
    /// All of them, in the place of those before.
    #[schema(value_type = Option<Vec<StepWords>>, nullable = false)]
    pub steps: Option<Vec<NewStep>>,
}

impl NewStrategy {
    /// Checks it; what comes back is trimmed.
    pub fn checked(self) -> Result<Self, Refusal> {
        let name = words::text("name", &self.name, 1, 100, false)?;
        let notes = words::optional("notes", self.notes.as_deref(), 2_000)?;
        for (field, value) in
            [("base_quantity", self.base_quantity), ("reference_price", self.reference_price)]
        {
            if !value.is_positive() {
                return Err(Refusal::invalid(field, "more than 0", value));
            }
        }
        words::list("steps", self.steps.len(), 1, MOST_STEPS)?;
        let mut before = Decimal::ZERO;
        for (n, step) in self.steps.iter().enumerate() {
            let price = check(&step.target, before, self.reference_price);
            before = price.map_err(|refused| refused.within("steps", n))?;
        }
        let parts = self.steps.iter().map(|step| step.target.sell_percent);
        let parts = Decimal::sum(parts).map_err(Refusal::no_decimal("steps"))?;
        if parts > Decimal::HUNDRED {
            return Err(Refusal::invalid("steps", "at most 100 percent to sell in all", parts));
        }
        let targets = self.steps.iter().map(|step| &step.target);
        Summary::of(self.base_quantity, self.reference_price, targets)
            .map_err(Refusal::no_decimal("what the strategy would bring"))?;
        Ok(Self { name, notes, ..self })
    }

    /// The same with a change, checked.
    pub fn changed(self, change: Change) -> Result<Self, Refusal> {
        let changed = Self {
            token_id: self.token_id,
            name: change.name.unwrap_or(self.name),
            base_quantity: change.base_quantity.unwrap_or(self.base_quantity),
            reference_price: change.reference_price.unwrap_or(self.reference_price),
            status: change.status.unwrap_or(self.status),
            notes: change.notes.unwrap_or(self.notes),
            steps: change.steps.unwrap_or(self.steps),
        };
        changed.checked()
    }
}

/// Checks one target; its price, which has to be above the one before.
fn check(target: &Target, before: Decimal, reference: Decimal) -> Result<Decimal, Refusal> {
    if !target.target_value.is_positive() {
        return Err(Refusal::invalid("target_value", "more than 0", target.target_value));
    }
    if !target.sell_percent.is_positive() || target.sell_percent > Decimal::HUNDRED {
        return Err(Refusal::invalid(
            "sell_percent",
            "more than 0 and at most 100",
            target.sell_percent,
        ));
    }
    let price = target.price(reference).map_err(Refusal::no_decimal("target_price"))?;
    if price <= before {
        let expected = format!("a target above the one before, {before}");
        return Err(Refusal::invalid("target_value", expected, price));
    }
    Ok(price)
}
