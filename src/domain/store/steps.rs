//! The steps of strategies.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    columns::{At, Named, Shown},
    query::{Query, Value},
    session::{Fault, Session},
};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{
        Refusal,
        alert::BEFORE,
        id::{StepId, StrategyId},
        strategy::{NewStrategy, StepState, Target, TargetKind},
    },
};

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Text)]
    pub id: Shown<StepId>,
    #[diesel(sql_type = Text)]
    strategy: Shown<StrategyId>,
    #[diesel(sql_type = Text)]
    target_kind: Named<TargetKind>,
    #[diesel(sql_type = Text)]
    target_value: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    sell_percent: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    pub state: Named<StepState>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub triggered_at: Option<At>,
    #[diesel(sql_type = Nullable<Text>)]
    before_percent: Option<Shown<Decimal>>,
    #[diesel(sql_type = Bool)]
    alert_reached: bool,
}

impl Row {
    pub fn target(&self) -> Target {
        Target {
            target_kind: self.target_kind.0,
            target_value: self.target_value.0,
            sell_percent: self.sell_percent.0,
        }
    }
}

pub(super) const STEPS: &str = "\
select id, strategy, target_kind, target_value, sell_percent, state, triggered_at, before_percent, alert_reached \
from strategy_steps where strategy in (";

/// The steps of several strategies, each in its order.
pub(super) async fn of(
    session: &mut Session,
    strategies: impl IntoIterator<Item = StrategyId>,
) -> Result<Vec<Row>, Fault> {
    let steps = Query::new(STEPS).list(strategies).and(") order by strategy, position");
    Ok(session.rows(steps).await?)
}

/// The targets of several strategies, each in its order.
pub(super) async fn targets(
    session: &mut Session,
    strategies: impl IntoIterator<Item = StrategyId>,
) -> Result<HashMap<StrategyId, Vec<Target>>, Fault> {
    let mut targets: HashMap<StrategyId, Vec<Target>> = HashMap::new();
    for row in of(session, strategies).await? {
        targets.entry(row.strategy.0).or_default().push(row.target());
    }
    Ok(targets)
}

/// Writes all steps; those that were there before keep what is not said about them.
pub(super) async fn put(
    session: &mut Session,
    id: StrategyId,
    new: &NewStrategy,
    before: &[Row],
    now: Moment,
) -> Result<(), Fault> {
    let mut rows: Vec<[Value; 11]> = Vec::with_capacity(new.steps.len());
    for (position, step) in new.steps.iter().enumerate() {
        let kept = before.iter().find(|row| Some(row.id.0) == step.id);
        let twice =
            new.steps[..position].iter().any(|other| other.id.is_some() && other.id == step.id);
        if let Some(unknown) = step.id.filter(|_| kept.is_none() || twice) {
            let expected = "the id of one of its steps, each once, or none for a new one";
            return Err(Refusal::invalid("id", expected, unknown).within("steps", position).into());
        }
        let state = step.state.or(kept.map(|row| row.state.0)).unwrap_or(StepState::Pending);
        let triggered_at = match state {
            StepState::Pending => None,
            _ => kept.and_then(|row| row.triggered_at).map(|at| at.0).or(Some(now)),
        };
        let price =
            step.target.price(new.reference_price).map_err(Refusal::no_decimal("target_price"))?;
        let before_percent =
            kept.map_or(Some(BEFORE), |row| row.before_percent.map(|shown| shown.0));
        rows.push([
            step.id.unwrap_or_else(StepId::new).into(),
            id.into(),
            position.into(),
            step.target.target_kind.into(),
            step.target.target_value.into(),
            step.target.sell_percent.into(),
            price.into(),
            state.into(),
            triggered_at.into(),
            before_percent.into(),
            kept.is_none_or(|row| row.alert_reached).into(),
        ]);
    }
    let insert = "insert into strategy_steps (id, strategy, position, target_kind, target_value, sell_percent, \
        target_price, state, triggered_at, before_percent, alert_reached) values ";
    session.change(Query::new(insert).rows(rows)).await?;
    Ok(())
}
