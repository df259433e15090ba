//! Forecasts: what they apply, and the summary that was computed of them last.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use futures_util::future::try_join;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Answer, Key, Page, Store, bounds,
    columns::{At, Shown},
    computing::{Basis, Computed, answered},
    holdings, page, portfolios,
    query::{Query, Value},
    session::{Fault, Reads, Session},
    strategies,
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            forecast::{Applied, Forecast, NewForecast, Summary},
            id::{ForecastId, PortfolioId, StrategyId, TokenId},
        },
    },
    ids::UserId,
};

const NOT_FOUND: Refusal = Refusal::NotFound { what: "forecast" };

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<ForecastId>,
    #[diesel(sql_type = Text)]
    portfolio: Shown<PortfolioId>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    notes: Option<String>,
    #[diesel(sql_type = BigInt)]
    created_at: At,
    #[diesel(sql_type = BigInt)]
    updated_at: At,
    #[diesel(sql_type = Bool)]
    stale: bool,
    #[diesel(sql_type = Nullable<Text>)]
    summary: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    computed_at: Option<At>,
}

#[derive(QueryableByName)]
struct AppliedRow {
    #[diesel(sql_type = Text)]
    forecast: Shown<ForecastId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    strategy: Shown<StrategyId>,
}

pub(super) const LIST: &str = "\
select id, portfolio, name, notes, created_at, updated_at, stale, summary, computed_at from forecasts \
where owner = $1 and id > $2 order by id limit $3";

pub(super) const ONE: &str = "\
select id, portfolio, name, notes, created_at, updated_at, stale, summary, computed_at from forecasts \
where id = $1 and owner = $2";

pub(super) const APPLIED: &str =
    "select forecast, token, strategy from forecast_strategies where forecast in (";

/// Of those that [`LIST`] lists.
pub(super) const APPLIED_BY_LISTED: &str = "\
select forecast, token, strategy from forecast_strategies where forecast in (\
select id from forecasts where owner = $1 and id > $2 order by id limit $3)";

pub(super) const OUTDATE_OF_PORTFOLIO: &str =
    "update forecasts set stale = $1 where portfolio = $2 and owner = $3 and not stale";

pub(super) const OUTDATE_OF_STRATEGY: &str = "\
update forecasts set stale = $1 where owner = $2 and not stale \
and id in (select forecast from forecast_strategies where strategy = $3)";

impl Store {
    /// Creates a forecast; it has no summary yet.
    pub async fn create_forecast(
        &self,
        user: &UserId,
        new: NewForecast,
        key: Option<Key>,
        now: Moment,
    ) -> Answer<ForecastId> {
        self.create_forecast_and(user, new, key, now, |made| Ok((made.forecast.id, None))).await
    }

    /// The same with an answer made of what there is then, and the summary that was computed for it. If it can't be made,
    /// nothing was changed; who comes again with their key has this one.
    pub async fn create_forecast_and<A: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        user: &UserId,
        new: NewForecast,
        key: Option<Key>,
        now: Moment,
        answer: impl FnOnce(Basis) -> Result<Computed<A>, Refusal> + Send + 'static,
    ) -> Answer<A> {
        let (owner, new) = (user.clone(), new.checked()?);
        self.write_once(user, key, now, move |session| {
            Box::pin(async move {
                bounds::one_more_forecast(session, &owner).await?;
                let id = create(session, &owner, new, now).await?;
                answered(session, &owner, id, now, answer).await
            })
        })
        .await
    }

    /// A person's forecasts with their summaries, the oldest first.
    pub async fn forecasts(&self, user: &UserId, page: Page<ForecastId>) -> Answer<Vec<Forecast>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move { list(&session.reads(), &owner, page).await })
        })
        .await
    }

    /// Puts another description in the place of the one before; it has to be computed anew.
    pub async fn change_forecast(
        &self,
        user: &UserId,
        id: ForecastId,
        to: NewForecast,
        now: Moment,
    ) -> Answer<Forecast> {
        self.change_forecast_and(user, id, to, now, |changed| Ok((changed.forecast, None))).await
    }

    /// The same with an answer made of what there is then, and the summary that was computed for it. If it can't be made,
    /// nothing was changed.
    pub async fn change_forecast_and<A: Send + 'static>(
        &self,
        user: &UserId,
        id: ForecastId,
        to: NewForecast,
        now: Moment,
        answer: impl FnOnce(Basis) -> Result<Computed<A>, Refusal> + Send + 'static,
    ) -> Answer<A> {
        let (owner, to) = (user.clone(), to.checked()?);
        self.write(user, move |session| {
            Box::pin(async move {
                change(session, &owner, id, to, now).await?;
                answered(session, &owner, id, now, answer).await
            })
        })
        .await
    }

    /// Deletes a forecast.
    pub async fn delete_forecast(&self, user: &UserId, id: ForecastId) -> Answer<()> {
        let owner = user.clone();
        self.write(user, move |session| {
            Box::pin(async move {
                let delete = "delete from forecasts where id = $1 and owner = $2";
                match session.change(Query::new(delete).bind(id).bind(&owner)).await? {
                    0 => Err(NOT_FOUND.into()),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}

pub(super) async fn list(
    reads: &Reads<'_>,
    owner: &UserId,
    Page { after, limit }: Page<ForecastId>,
) -> Result<Vec<Forecast>, Fault> {
    let listed = |text| Query::new(text).bind(owner).bind(page::start(after)).bind(limit);
    let rows = async { Ok(reads.rows(listed(LIST)).await?) };
    let (rows, applied) = try_join(rows, applied(reads, listed(APPLIED_BY_LISTED))).await?;
    Ok(whole(rows, applied))
}

/// Adds to rows what they apply.
fn whole(rows: Vec<Row>, mut all: HashMap<ForecastId, Applied>) -> Vec<Forecast> {
    let whole = |row: Row| {
        // What another version wrote is computed anew.
        let summary: Option<Summary> =
            row.summary.and_then(|json| serde_json::from_str(&json).ok());
        Forecast {
            id: row.id.0,
            portfolio_id: row.portfolio.0,
            name: row.name,
            applied: all.remove(&row.id.0).unwrap_or_default(),
            notes: row.notes,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            stale: row.stale || summary.is_none(),
            computed_at: row.computed_at.filter(|_| summary.is_some()).map(|at| at.0),
            summary,
        }
    };
    rows.into_iter().map(whole).collect()
}

/// What several forecasts apply, of those that apply anything.
pub(super) async fn applied_by(
    session: &mut Session,
    ids: impl IntoIterator<Item = ForecastId>,
) -> Result<HashMap<ForecastId, Applied>, Fault> {
    applied(&session.reads(), Query::new(APPLIED).list(ids).and(")")).await
}

async fn applied(reads: &Reads<'_>, query: Query) -> Result<HashMap<ForecastId, Applied>, Fault> {
    let mut all: HashMap<ForecastId, Applied> = HashMap::new();
    for row in reads.rows::<AppliedRow>(query).await? {
        all.entry(row.forecast.0).or_default().insert(row.token.0, row.strategy.0);
    }
    Ok(all)
}

pub(super) async fn one(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
) -> Result<Forecast, Fault> {
    let rows = session.rows(Query::new(ONE).bind(id).bind(owner)).await?;
    whole(rows, applied_by(session, [id]).await?).pop().ok_or(NOT_FOUND.into())
}

pub(super) async fn create(
    session: &mut Session,
    owner: &UserId,
    new: NewForecast,
    now: Moment,
) -> Result<ForecastId, Fault> {
    fits(session, owner, &new).await?;
    let id = ForecastId::new();
    let row: [Value; 8] = [
        id.into(),
        owner.into(),
        new.portfolio_id.into(),
        new.name.into(),
        new.notes.into(),
        now.into(),
        now.into(),
        true.into(),
    ];
    let insert = "insert into forecasts (id, owner, portfolio, name, notes, created_at, updated_at, stale) values ";
    session.change(Query::new(insert).rows([row])).await?;
    apply(session, id, new.applied).await?;
    Ok(id)
}

async fn change(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
    to: NewForecast,
    now: Moment,
) -> Result<(), Fault> {
    one(session, owner, id).await?;
    fits(session, owner, &to).await?;
    let update = "update forecasts set portfolio = $1, name = $2, notes = $3, updated_at = $4, stale = $5 where id = $6";
    let update = Query::new(update)
        .bind(to.portfolio_id)
        .bind(to.name)
        .bind(to.notes)
        .bind(now)
        .bind(true)
        .bind(id);
    session.change(update).await?;
    session
        .change(Query::new("delete from forecast_strategies where forecast = $1").bind(id))
        .await?;
    apply(session, id, to.applied).await
}

/// That the portfolio holds the tokens, and that the strategies are theirs.
async fn fits(session: &mut Session, owner: &UserId, new: &NewForecast) -> Result<(), Fault> {
    portfolios::one(session, owner, new.portfolio_id).await?;
    if new.applied.is_empty() {
        return Ok(());
    }
    let held = holdings::of_portfolio(session, owner, new.portfolio_id).await?;
    let theirs = strategies::tokens_of(session, owner, new.applied.values().copied()).await?;
    for (token, strategy) in &new.applied {
        let field = format!("applied.{token}");
        if !held.iter().any(|one| one.token.id == *token && one.fold.quantity.is_positive()) {
            let came = "one that it does not hold";
            return Err(Refusal::invalid(&field, "a token that the portfolio holds", came).into());
        }
        match theirs.get(strategy) {
            Some(of) if of == token => {}
            Some(_) => {
                let came = "one for another token";
                return Err(Refusal::invalid(&field, "a strategy for this token", came).into());
            }
            None => {
                return Err(
                    Refusal::invalid(&field, "the id of a strategy of yours", strategy).into()
                );
            }
        }
    }
    Ok(())
}

async fn apply(session: &mut Session, id: ForecastId, applied: Applied) -> Result<(), Fault> {
    if applied.is_empty() {
        return Ok(());
    }
    let row = |(token, strategy): (TokenId, StrategyId)| -> [Value; 3] {
        [id.into(), token.into(), strategy.into()]
    };
    let insert = "insert into forecast_strategies (forecast, token, strategy) values ";
    session.change(Query::new(insert).rows(applied.into_iter().map(row))).await?;
    Ok(())
}

/// Marks the forecasts of a portfolio.
pub(super) async fn outdate_of_portfolio(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
) -> Result<(), Fault> {
    let outdate = Query::new(OUTDATE_OF_PORTFOLIO).bind(true).bind(portfolio).bind(owner);
    session.change(outdate).await?;
    Ok(())
}

/// Marks the forecasts that apply a strategy.
pub(super) async fn outdate_of_strategy(
    session: &mut Session,
    owner: &UserId,
    strategy: StrategyId,
) -> Result<(), Fault> {
    session.change(Query::new(OUTDATE_OF_STRATEGY).bind(true).bind(owner).bind(strategy)).await?;
    Ok(())
}
