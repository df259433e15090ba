//! Forecasts: what they apply, and the summary that was computed of them last.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    Answer, Key, Page, Store,
    columns::{At, Shown},
    holdings, page, portfolios,
    query::{Query, Value},
    session::{Fault, Session},
    steps, strategies,
    transact::{Purpose, Whose},
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            forecast::{Applied, Forecast, NewForecast, Plan, Summary},
            holding::Holding,
            id::{ForecastId, PortfolioId, StrategyId, TokenId},
        },
    },
    ids::UserId,
};

const NOT_FOUND: Refusal = Refusal::NotFound { what: "forecast" };

/// What a forecast is computed from, all of one snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    pub forecast: Forecast,
    pub holdings: Vec<Holding>,
    pub plans: BTreeMap<TokenId, Plan>,
}

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
        let (owner, new) = (user.clone(), new.checked()?);
        self.write_once(user, key, now, move |session| {
            Box::pin(async move { create(session, &owner, new, now).await })
        })
        .await
    }

    /// A person's forecasts with their summaries, the oldest first.
    pub async fn forecasts(&self, user: &UserId, page: Page<ForecastId>) -> Answer<Vec<Forecast>> {
        let owner = user.clone();
        self.read(user, move |session| Box::pin(async move { list(session, &owner, page).await }))
            .await
    }

    /// One forecast and what it is computed from.
    pub async fn forecast(&self, user: &UserId, id: ForecastId) -> Answer<Basis> {
        let owner = user.clone();
        self.read(user, move |session| Box::pin(async move { basis(session, &owner, id).await }))
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
        let (owner, to) = (user.clone(), to.checked()?);
        self.write(user, move |session| {
            Box::pin(async move { change(session, &owner, id, to, now).await })
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

    /// Keeps what was computed, unless the person's data has another generation than what it was computed from, or a
    /// summary of newer prices is there. Whether it was kept. Raises no generation, since nothing that the person said has changed, but what forecasts are
    /// cached under.
    pub async fn keep_summary(
        &self,
        user: &UserId,
        computed_from: &super::Stored<ForecastId>,
        summary: Summary,
        price_version: i64,
        now: Moment,
    ) -> Result<bool, Refusal> {
        let (owner, from) = (user.clone(), computed_from.clone());
        let kept = self.run(Purpose::Write, Whose::Following(vec![user.clone()]), move |session| {
            Box::pin(async move {
                // Takes the same lock as every write of this person.
                let stands = "update people set computed = case when computed < $1 then $1 else computed + 1 end \
                    where owner = $2 and generation = $3";
                let stands = Query::new(stands).bind(Moment::now());
                let stands = stands.bind(&owner).bind(from.generation);
                if session.change(stands).await? == 0 {
                    return Ok(false);
                }
                keep(session, &owner, from.value, summary, price_version, now).await
            })
        });
        kept.await.map(|stored| stored.value)
    }
}

/// Keeps a summary of what this transaction sees; whether the forecast is there, and has none of newer prices.
pub(super) async fn keep(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
    summary: Summary,
    price_version: i64,
    now: Moment,
) -> Result<bool, Fault> {
    let unreadable = |why: serde_json::Error| Refusal::Unavailable(why.to_string());
    let summary = serde_json::to_string(&summary).map_err(unreadable)?;
    let keep = "update forecasts set summary = $1, computed_at = $2, price_version = $3, stale = $4 \
        where id = $5 and owner = $6 and coalesce(price_version, 0) <= $3";
    let keep = Query::new(keep)
        .bind(summary)
        .bind(now)
        .bind(price_version)
        .bind(false)
        .bind(id)
        .bind(owner);
    Ok(session.change(keep).await? > 0)
}

pub(super) async fn list(
    session: &mut Session,
    owner: &UserId,
    Page { after, limit }: Page<ForecastId>,
) -> Result<Vec<Forecast>, Fault> {
    let list = Query::new(LIST).bind(owner).bind(page::start(after)).bind(limit);
    let rows = session.rows(list).await?;
    whole(session, rows).await
}

/// Adds to rows what they apply; one query for all.
async fn whole(session: &mut Session, rows: Vec<Row>) -> Result<Vec<Forecast>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = applied(session, rows.iter().map(|row| row.id.0)).await?;
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
    Ok(rows.into_iter().map(whole).collect())
}

/// What several forecasts apply, of those that apply anything.
pub(super) async fn applied(
    session: &mut Session,
    ids: impl IntoIterator<Item = ForecastId>,
) -> Result<HashMap<ForecastId, Applied>, Fault> {
    let mut all: HashMap<ForecastId, Applied> = HashMap::new();
    for row in session.rows::<AppliedRow>(Query::new(APPLIED).list(ids).and(")")).await? {
        all.entry(row.forecast.0).or_default().insert(row.token.0, row.strategy.0);
    }
    Ok(all)
}

async fn one(session: &mut Session, owner: &UserId, id: ForecastId) -> Result<Forecast, Fault> {
    let rows = session.rows(Query::new(ONE).bind(id).bind(owner)).await?;
    whole(session, rows).await?.pop().ok_or(NOT_FOUND.into())
}

pub(super) async fn basis(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
) -> Result<Basis, Fault> {
    let forecast = one(session, owner, id).await?;
    let holdings = holdings::of_portfolio(session, owner, forecast.portfolio_id).await?;
    let mut targets = match forecast.applied.is_empty() {
        true => HashMap::new(),
        false => steps::targets(session, forecast.applied.values().copied()).await?,
    };
    let plan = |(token, strategy): (&TokenId, &StrategyId)| {
        let targets = targets.remove(strategy).unwrap_or_default();
        (*token, Plan { strategy: *strategy, targets })
    };
    let plans = forecast.applied.iter().map(plan).collect();
    Ok(Basis { forecast, holdings, plans })
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
) -> Result<Forecast, Fault> {
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
    apply(session, id, to.applied).await?;
    one(session, owner, id).await
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
