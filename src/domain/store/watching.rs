//! At which prices a step has an alert to fire: kept beside the step, so that a new price finds by index what it is about.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    columns::{Named, Shown},
    query::{Query, Value},
    session::{Fault, Session},
};
use crate::domain::{
    decimal::Decimal,
    portfolio::{
        alert::Armed,
        id::{StepId, StrategyId, TokenId},
        strategy::{Status, StepState},
    },
};

/// Rows of one statement, at most.
const MOST: usize = 1_000;

/// Sorts behind every key.
const NO_END: &str = "~";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<StepId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    status: Named<Status>,
    #[diesel(sql_type = Text)]
    state: Named<StepState>,
    #[diesel(sql_type = Text)]
    target_price: Shown<Decimal>,
    #[diesel(sql_type = Nullable<Text>)]
    before_percent: Option<Shown<Decimal>>,
    #[diesel(sql_type = Bool)]
    alert_reached: bool,
    #[diesel(sql_type = BigInt)]
    announced: i64,
    #[diesel(sql_type = BigInt)]
    reached: i64,
}

pub(super) const STEPS: &str = "\
select p.id, s.token, s.status, p.state, p.target_price, p.before_percent, p.alert_reached, \
(select count(*) from alerts a where a.step = p.id and a.kind = 'before_target') as announced, \
(select count(*) from alerts a where a.step = p.id and a.kind = 'target_reached') as reached \
from strategy_steps p join strategies s on s.id = p.strategy where p.strategy in (";

impl Row {
    /// What it may still fire: each kind fires once, whatever becomes of the step later.
    fn left(&self) -> Option<Armed> {
        let is_active = self.status.0 == Status::Active;
        is_active.then(|| Armed {
            step_id: self.id.0,
            state: self.state.0,
            target_price: self.target_price.0,
            before_percent: self
                .before_percent
                .filter(|_| self.announced == 0)
                .map(|shown| shown.0),
            reached: self.alert_reached && self.reached == 0,
        })
    }
}

/// Notes anew what the steps of some strategies wait for. To be called after each change of them, in its transaction.
pub(super) async fn renew(
    session: &mut Session,
    strategies: impl IntoIterator<Item = StrategyId>,
) -> Result<(), Fault> {
    let rows: Vec<Row> = session.rows(Query::new(STEPS).list(strategies).and(")")).await?;
    for rows in rows.chunks(MOST) {
        let note = |row: &Row| -> [Value; 4] {
            let range = row.left().and_then(|armed| armed.range());
            let token = range.map(|_| row.token.0.to_string());
            let end = |(_, end): (Decimal, Option<Decimal>)| end.map_or(NO_END.into(), key);
            [
                row.id.0.into(),
                token.into(),
                range.map(|(from, _)| key(from)).into(),
                range.map(end).into(),
            ]
        };
        let update = Query::new("with watches (step, token, fires_from, fires_until) as (values ")
            .rows(rows.iter().map(note))
            .and(
                ") update strategy_steps set \
                watched_token = (select token from watches where step = strategy_steps.id), \
                fires_from = (select fires_from from watches where step = strategy_steps.id), \
                fires_until = (select fires_until from watches where step = strategy_steps.id) \
                where id in (select step from watches)",
            );
        session.change(update).await?;
    }
    Ok(())
}

/// A price as text that sorts like the number: it is not negative.
pub(super) fn key(price: Decimal) -> String {
    let shown = price.to_string();
    let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
    format!("{whole:0>20}.{fraction:0<18}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_like_their_numbers() {
        let ascending = [
            "0.000000000000000001",
            "0.1",
            "0.100000000000000001",
            "2",
            "2.5",
            "10",
            "99999999999999999999.999999999999999999",
        ];
        let keys = ascending.map(|text| key(text.parse().unwrap()));
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert!(keys.iter().all(|key| **key < *NO_END));
    }
}
