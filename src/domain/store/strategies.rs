//! Strategies and their steps.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Answer, Key, Page, Store, bounds,
    columns::{At, Named, Shown},
    forecasts, page,
    query::{Query, Value},
    session::{Fault, Reads, Session},
    steps, tokens, watching,
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            Refusal,
            id::{StrategyId, TokenId},
            strategy::{Change, NewStep, NewStrategy, Status, Step, Strategy},
        },
    },
    ids::UserId,
};

const NOT_FOUND: Refusal = Refusal::NotFound { what: "strategy" };

/// A strategy in a list: how far it is, without its steps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    #[serde(flatten)]
    pub strategy: Strategy,
    /// Steps that are done.
    pub done: i64,
    pub steps: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<StrategyId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    base_quantity: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    reference_price: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    status: Named<Status>,
    #[diesel(sql_type = Nullable<Text>)]
    notes: Option<String>,
    #[diesel(sql_type = BigInt)]
    created_at: At,
    #[diesel(sql_type = BigInt)]
    updated_at: At,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = BigInt)]
    steps: i64,
}

impl From<Row> for Listed {
    fn from(row: Row) -> Self {
        let strategy = Strategy {
            id: row.id.0,
            token_id: row.token.0,
            name: row.name,
            base_quantity: row.base_quantity.0,
            reference_price: row.reference_price.0,
            status: row.status.0,
            notes: row.notes,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        };
        Self { strategy, done: row.done, steps: row.steps }
    }
}

pub(super) const LIST: &str = "\
select s.id, s.token, s.name, s.base_quantity, s.reference_price, s.status, s.notes, s.created_at, s.updated_at, \
(select count(*) from strategy_steps p where p.strategy = s.id and p.state = 'done') as done, \
(select count(*) from strategy_steps p where p.strategy = s.id) as steps \
from strategies s where s.owner = $1 and s.id > $2 order by s.id limit $3";

pub(super) const ONE: &str = "\
select s.id, s.token, s.name, s.base_quantity, s.reference_price, s.status, s.notes, s.created_at, s.updated_at, \
(select count(*) from strategy_steps p where p.strategy = s.id and p.state = 'done') as done, \
(select count(*) from strategy_steps p where p.strategy = s.id) as steps \
from strategies s where s.id = $1 and s.owner = $2";

impl Store {
    /// Creates a strategy for a token.
    pub async fn create_strategy(
        &self,
        user: &UserId,
        new: NewStrategy,
        key: Option<Key>,
        now: Moment,
    ) -> Answer<StrategyId> {
        self.create_strategy_and(user, new, key, now, |made, _| Ok(made.id)).await
    }

    /// The same with an answer made of what there is then. If it can't be made, nothing was changed; who comes again with
    /// their key has this one.
    pub async fn create_strategy_and<A: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        user: &UserId,
        new: NewStrategy,
        key: Option<Key>,
        now: Moment,
        answer: impl FnOnce(Strategy, Vec<Step>) -> Result<A, Refusal> + Send + 'static,
    ) -> Answer<A> {
        let (owner, new) = (user.clone(), new.checked()?);
        self.write_once(user, key, now, move |session| {
            Box::pin(async move {
                bounds::one_more_strategy(session, &owner).await?;
                let id = create(session, &owner, new, now).await?;
                let (made, steps) = one(session, &owner, id).await?;
                Ok(answer(made, steps)?)
            })
        })
        .await
    }

    /// A person's strategies without their steps, the oldest first.
    pub async fn strategies(&self, user: &UserId, page: Page<StrategyId>) -> Answer<Vec<Listed>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move { list(&session.reads(), &owner, page).await })
        })
        .await
    }

    /// One strategy with its steps.
    pub async fn strategy(&self, user: &UserId, id: StrategyId) -> Answer<(Strategy, Vec<Step>)> {
        let owner = user.clone();
        self.read(user, move |session| Box::pin(async move { one(session, &owner, id).await }))
            .await
    }

    /// Changes a strategy; the forecasts that apply it are outdated by it.
    pub async fn change_strategy(
        &self,
        user: &UserId,
        id: StrategyId,
        to: Change,
        now: Moment,
    ) -> Answer<(Strategy, Vec<Step>)> {
        let owner = user.clone();
        self.write(user, move |session| {
            Box::pin(async move { change(session, &owner, id, to, now).await })
        })
        .await
    }

    /// Deletes a strategy; forecasts that applied it go on without it.
    pub async fn delete_strategy(&self, user: &UserId, id: StrategyId) -> Answer<()> {
        let owner = user.clone();
        self.write(user, move |session| {
            Box::pin(async move {
                find(session, &owner, id).await?;
                forecasts::outdate_of_strategy(session, &owner, id).await?;
                session.change(Query::new("delete from strategies where id = $1").bind(id)).await?;
                Ok(())
            })
        })
        .await
    }
}

pub(super) async fn list(
    reads: &Reads<'_>,
    owner: &UserId,
    Page { after, limit }: Page<StrategyId>,
) -> Result<Vec<Listed>, Fault> {
    let list = Query::new(LIST).bind(owner).bind(page::start(after)).bind(limit);
    let rows: Vec<Row> = reads.rows(list).await?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// That owner's strategy, or that there is none.
pub(super) async fn find(
    session: &mut Session,
    owner: &UserId,
    id: StrategyId,
) -> Result<Strategy, Fault> {
    let row: Option<Row> = session.row(Query::new(ONE).bind(id).bind(owner)).await?;
    row.map(|row| Listed::from(row).strategy).ok_or(NOT_FOUND.into())
}

async fn one(
    session: &mut Session,
    owner: &UserId,
    id: StrategyId,
) -> Result<(Strategy, Vec<Step>), Fault> {
    let strategy = find(session, owner, id).await?;
    let rows = steps::of(session, [id]).await?;
    let step = |row: steps::Row| {
        let target = row.target();
        Ok(Step {
            id: row.id.0,
            state: row.state.0,
            triggered_at: row.triggered_at.map(|at| at.0),
            target_price: target.price(strategy.reference_price)?,
            sell_quantity: target.quantity(strategy.base_quantity)?,
            target,
        })
    };
    let shown = rows.into_iter().map(step).collect::<Result<_, _>>();
    let shown = shown.map_err(Refusal::no_decimal("steps"))?;
    Ok((strategy, shown))
}

#[derive(QueryableByName)]
struct TokenOf {
    #[diesel(sql_type = Text)]
    id: Shown<StrategyId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
}

pub(super) const TOKENS_OF: &str = "select id, token from strategies where owner = $1 and id in (";

/// The token of each of these strategies that is the owner's.
pub(super) async fn tokens_of(
    session: &mut Session,
    owner: &UserId,
    ids: impl IntoIterator<Item = StrategyId>,
) -> Result<HashMap<StrategyId, TokenId>, Fault> {
    let rows: Vec<TokenOf> =
        session.rows(Query::new(TOKENS_OF).bind(owner).list(ids).and(")")).await?;
    Ok(rows.into_iter().map(|row| (row.id.0, row.token.0)).collect())
}

pub(super) async fn create(
    session: &mut Session,
    owner: &UserId,
    new: NewStrategy,
    now: Moment,
) -> Result<StrategyId, Fault> {
    let token = new.token_id;
    if !tokens::known(session, [token]).await?.contains(&token) {
        return Err(Refusal::invalid("token_id", "the id of a token", token).into());
    }
    let id = StrategyId::new();
    let row: [Value; 10] = [
        id.into(),
        owner.into(),
        token.into(),
        new.name.clone().into(),
        new.base_quantity.into(),
        new.reference_price.into(),
        new.status.into(),
        new.notes.clone().into(),
        now.into(),
        now.into(),
    ];
    let insert = "insert into strategies \
        (id, owner, token, name, base_quantity, reference_price, status, notes, created_at, updated_at) values ";
    session.change(Query::new(insert).rows([row])).await?;
    steps::put(session, id, &new, &[], now).await?;
    watching::renew(session, [id]).await?;
    Ok(id)
}

async fn change(
    session: &mut Session,
    owner: &UserId,
    id: StrategyId,
    to: Change,
    now: Moment,
) -> Result<(Strategy, Vec<Step>), Fault> {
    let before = find(session, owner, id).await?;
    let rows = steps::of(session, [id]).await?;
    let step = |row: &steps::Row| NewStep { id: Some(row.id.0), target: row.target(), state: None };
    let present = NewStrategy {
        token_id: before.token_id,
        name: before.name,
        base_quantity: before.base_quantity,
        reference_price: before.reference_price,
        status: before.status,
        notes: before.notes,
        steps: rows.iter().map(step).collect(),
    };
    let new = present.changed(to)?;
    let update = "update strategies set name = $1, base_quantity = $2, reference_price = $3, status = $4, \
        notes = $5, updated_at = $6 where id = $7";
    let update = Query::new(update)
        .bind(&*new.name)
        .bind(new.base_quantity)
        .bind(new.reference_price)
        .bind(new.status)
        .bind(new.notes.clone())
        .bind(now)
        .bind(id);
    session.change(update).await?;
    session.change(Query::new("delete from strategy_steps where strategy = $1").bind(id)).await?;
    steps::put(session, id, &new, &rows, now).await?;
    watching::renew(session, [id]).await?;
    forecasts::outdate_of_strategy(session, owner, id).await?;
    one(session, owner, id).await
}
