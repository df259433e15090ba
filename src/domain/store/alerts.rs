//! Alerts: what is armed, and what fired. A step fires each kind once: the database keeps that.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Answer, Page, Store,
    columns::{At, Named, Shown},
    query::{Query, Value},
    session::{Fault, Session},
    strategies, watching,
};
use crate::{
    domain::{
        decimal::Decimal,
        portfolio::{
            Refusal,
            alert::{Alert, Kind, StepAlerts},
            id::{AlertId, StepId, StrategyId, TokenId},
            strategy::StepState,
        },
    },
    ids::UserId,
};

#[derive(QueryableByName)]
struct ArmedRow {
    #[diesel(sql_type = Text)]
    id: Shown<StepId>,
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

#[derive(QueryableByName)]
struct FiredRow {
    #[diesel(sql_type = Text)]
    id: Shown<AlertId>,
    #[diesel(sql_type = Text)]
    strategy: Shown<StrategyId>,
    #[diesel(sql_type = Text)]
    step: Shown<StepId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    kind: Named<Kind>,
    #[diesel(sql_type = Text)]
    target_price: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    price: Shown<Decimal>,
    #[diesel(sql_type = BigInt)]
    fired_at: At,
}

pub(super) const ARMED: &str = "\
select p.id, p.state, p.target_price, p.before_percent, p.alert_reached, \
(select count(*) from alerts a where a.step = p.id and a.kind = 'before_target') as announced, \
(select count(*) from alerts a where a.step = p.id and a.kind = 'target_reached') as reached \
from strategy_steps p where p.strategy = $1 order by p.position";

pub(super) const FIRED: &str = "\
select id, strategy, step, token, kind, target_price, price, fired_at from alerts \
where owner = $1 and id < $2 order by id desc limit $3";

/// What is to be armed of a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub step_id: StepId,
    /// More than 0, less than 100; `null`: it is not announced before.
    #[serde(deserialize_with = "or_null")]
    #[schema(required)]
    pub before_percent: Option<Decimal>,
    pub reached: bool,
}

/// Takes `null`, and no silence: serde takes a field that is missing for none, unless it is read by a function.
fn or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    Option::deserialize(from)
}

impl Store {
    /// What is armed of a strategy, step by step.
    pub async fn armed(&self, user: &UserId, strategy: StrategyId) -> Answer<Vec<StepAlerts>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                strategies::find(session, &owner, strategy).await?;
                armed(session, strategy).await
            })
        })
        .await
    }

    /// Arms steps of a strategy anew; those that are not named stay as they are.
    pub async fn arm(
        &self,
        user: &UserId,
        strategy: StrategyId,
        arms: Vec<Arm>,
    ) -> Answer<Vec<StepAlerts>> {
        for (n, arm) in arms.iter().enumerate() {
            let near = |percent: &Decimal| percent.is_positive() && *percent < Decimal::HUNDRED;
            if let Some(percent) = arm.before_percent.filter(|percent| !near(percent)) {
                let refused =
                    Refusal::invalid("before_percent", "more than 0 and less than 100", percent);
                return Err(refused.within("steps", n));
            }
        }
        let owner = user.clone();
        self.write(user, move |session| {
            Box::pin(async move { arm(session, &owner, strategy, arms).await })
        })
        .await
    }

    /// What fired, the latest first.
    pub async fn alerts(&self, user: &UserId, page: Page<AlertId>) -> Answer<Vec<Alert>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                // Sorts behind every id.
                let before = page.after.map_or_else(|| "~".to_owned(), |id| id.to_string());
                let fired = Query::new(FIRED).bind(&owner).bind(before).bind(page.limit);
                let rows: Vec<FiredRow> = session.rows(fired).await?;
                Ok(rows.into_iter().map(Alert::from).collect())
            })
        })
        .await
    }
}

impl From<FiredRow> for Alert {
    fn from(row: FiredRow) -> Self {
        Self {
            id: row.id.0,
            strategy_id: row.strategy.0,
            step_id: row.step.0,
            token_id: row.token.0,
            kind: row.kind.0,
            target_price: row.target_price.0,
            price: row.price.0,
            fired_at: row.fired_at.0,
        }
    }
}

async fn armed(session: &mut Session, strategy: StrategyId) -> Result<Vec<StepAlerts>, Fault> {
    let rows: Vec<ArmedRow> = session.rows(Query::new(ARMED).bind(strategy)).await?;
    let one = |row: ArmedRow| StepAlerts {
        step_id: row.id.0,
        state: row.state.0,
        target_price: row.target_price.0,
        before_percent: row.before_percent.map(|shown| shown.0),
        reached: row.alert_reached,
        fired: [(row.announced, Kind::BeforeTarget), (row.reached, Kind::TargetReached)]
            .into_iter()
            .filter_map(|(count, kind)| (count > 0).then_some(kind))
            .collect(),
    };
    Ok(rows.into_iter().map(one).collect())
}

async fn arm(
    session: &mut Session,
    owner: &UserId,
    strategy: StrategyId,
    arms: Vec<Arm>,
) -> Result<Vec<StepAlerts>, Fault> {
    strategies::find(session, owner, strategy).await?;
    let present = armed(session, strategy).await?;
    for (n, arm) in arms.iter().enumerate() {
        let once = arms[..n].iter().all(|other| other.step_id != arm.step_id);
        if !once || present.iter().all(|step| step.step_id != arm.step_id) {
            let refused =
                Refusal::invalid("step_id", "the id of one of its steps, each once", arm.step_id);
            return Err(refused.within("steps", n).into());
        }
    }
    if !arms.is_empty() {
        let row = |arm: &Arm| -> [Value; 3] {
            [arm.step_id.into(), arm.before_percent.into(), arm.reached.into()]
        };
        let update = Query::new("with arms (step, before_percent, reached) as (values ")
            .rows(arms.iter().map(row))
            .and(
                ") update strategy_steps set \
                before_percent = (select before_percent from arms where step = strategy_steps.id), \
                alert_reached = (select reached from arms where step = strategy_steps.id) \
                where id in (select step from arms)",
            );
        session.change(update).await?;
        watching::renew(session, [strategy]).await?;
    }
    armed(session, strategy).await
}
