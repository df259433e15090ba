//! Which alerts new prices make fire: found, written down and told in the transaction that stores the prices.

use std::collections::{BTreeSet, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{Bool, Nullable, Text},
};

use super::{
    columns::{Named, Shown},
    query::{Query, Value},
    session::{Fault, Session},
    transact, watching,
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            alert::{Alert, Armed, Kind},
            id::{AlertId, StepId, StrategyId, TokenId},
            strategy::StepState,
        },
    },
    ids::UserId,
};

/// Steps that one transaction lets fire, at most: it holds its locks for a second then, and its deadline is ten. Tests have
/// no time for such a crowd.
pub(super) const MOST: usize = if cfg!(test) { 2 * A_STATEMENT } else { 10 * A_STATEMENT };

/// Steps, or prices, of one statement, at most.
pub(super) const A_STATEMENT: usize = 1_000;

/// What fired.
#[derive(Default)]
pub(super) struct Fired {
    pub alerts: Vec<(UserId, Alert)>,
    /// There may be more than one transaction lets fire.
    pub more: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<StepId>,
    #[diesel(sql_type = Text)]
    strategy: Shown<StrategyId>,
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    state: Named<StepState>,
    #[diesel(sql_type = Text)]
    target_price: Shown<Decimal>,
    #[diesel(sql_type = Nullable<Text>)]
    before_percent: Option<Shown<Decimal>>,
    #[diesel(sql_type = Bool)]
    alert_reached: bool,
    #[diesel(sql_type = Text)]
    price: Shown<Decimal>,
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = Text)]
    id: Shown<AlertId>,
}

/// Before it the new prices, after it how many.
pub(super) const DUE: &str = "\
) select p.id, p.strategy, s.owner, s.token, p.state, p.target_price, p.before_percent, p.alert_reached, moved.price \
from moved join strategy_steps p on p.watched_token = moved.token \
and p.fires_from <= moved.price_key and p.fires_until > moved.price_key \
join strategies s on s.id = p.strategy where s.status = 'active' and p.state = 'pending' order by s.owner, p.id limit ";

/// The beginning of [`DUE`] with new prices.
pub(super) fn moved(prices: &[(TokenId, Decimal)]) -> Query {
    let row = |(token, price): &(TokenId, Decimal)| -> [Value; 3] {
        [(*token).into(), (*price).into(), watching::key(*price).into()]
    };
    Query::new("with moved (token, price, price_key) as (values ").rows(prices.iter().map(row))
}

/// Lets fire what these prices call for. An alert that fired before does not fire again, whoever tries.
pub(super) async fn fire(
    session: &mut Session,
    prices: &[(TokenId, Decimal)],
    now: Moment,
) -> Result<Fired, Fault> {
    let mut fired = Fired::default();
    'prices: for prices in prices.chunks(A_STATEMENT) {
        for _ in 0..MOST / A_STATEMENT {
            let due = self::due(session, prices).await?;
            let is_last = due.len() < A_STATEMENT;
            if !due.is_empty() {
                fired.alerts.extend(fire_some(session, prices, due, now).await?);
            }
            if is_last {
                continue 'prices;
            }
        }
        // Else it would be so again the next time.
        fired.more = !fired.alerts.is_empty();
        break;
    }
    Ok(fired)
}

/// Lets fire what is due of some people.
async fn fire_some(
    session: &mut Session,
    prices: &[(TokenId, Decimal)],
    due: Vec<Row>,
    now: Moment,
) -> Result<Vec<(UserId, Alert)>, Fault> {
    // They change nothing from here on; what they changed before is seen by asking again.
    let owners: BTreeSet<String> = due.into_iter().map(|row| row.owner).collect();
    transact::raise_all(session, owners.iter().map(String::as_str)).await?;
    let mut due = self::due(session, prices).await?;
    due.retain(|row| owners.contains(&row.owner));
    write(session, due, now).await
}

async fn due(session: &mut Session, prices: &[(TokenId, Decimal)]) -> Result<Vec<Row>, Fault> {
    Ok(session.rows(moved(prices).and(DUE).value(A_STATEMENT)).await?)
}

impl Row {
    fn alert(&self, now: Moment) -> Option<(UserId, Alert)> {
        let armed = Armed {
            step_id: self.id.0,
            state: self.state.0,
            target_price: self.target_price.0,
            before_percent: self.before_percent.map(|shown| shown.0),
            reached: self.alert_reached,
        };
        let alert = Alert {
            id: AlertId::new(),
            strategy_id: self.strategy.0,
            step_id: self.id.0,
            token_id: self.token.0,
            kind: armed.due(self.price.0)?,
            target_price: self.target_price.0,
            price: self.price.0,
            fired_at: now,
        };
        Some((UserId::new(&self.owner), alert))
    }
}

async fn write(
    session: &mut Session,
    due: Vec<Row>,
    now: Moment,
) -> Result<Vec<(UserId, Alert)>, Fault> {
    let mut alerts: Vec<_> = due.iter().filter_map(|row| row.alert(now)).collect();
    if !alerts.is_empty() {
        let insert = Query::new(
            "insert into alerts (id, owner, strategy, step, token, kind, target_price, price, fired_at) values ",
        );
        let insert = insert
            .rows(alerts.iter().map(row))
            .and(" on conflict (step, kind) do nothing returning id");
        let written: Vec<Written> = session.rows(insert).await?;
        let written: HashSet<AlertId> = written.into_iter().map(|row| row.id.0).collect();
        alerts.retain(|(_, alert)| written.contains(&alert.id));
    }
    let reached = alerts.iter().filter(|(_, alert)| alert.kind == Kind::TargetReached);
    let reached: Vec<StepId> = reached.map(|(_, alert)| alert.step_id).collect();
    if !reached.is_empty() {
        let update =
            Query::new("update strategy_steps set state = $1, triggered_at = $2 where id in (")
                .bind(StepState::Triggered)
                .bind(now)
                .list(reached)
                .and(")");
        session.change(update).await?;
    }
    // Also of those that did not fire: they do not come up again.
    let strategies: BTreeSet<StrategyId> = due.iter().map(|row| row.strategy.0).collect();
    if !strategies.is_empty() {
        watching::renew(session, strategies).await?;
    }
    Ok(alerts)
}

fn row((user, alert): &(UserId, Alert)) -> [Value; 9] {
    [
        alert.id.into(),
        user.into(),
        alert.strategy_id.into(),
        alert.step_id.into(),
        alert.token_id.into(),
        alert.kind.into(),
        alert.target_price.into(),
        alert.price.into(),
        alert.fired_at.into(),
    ]
}
