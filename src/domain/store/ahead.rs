//! Forecasts that nobody asked for yet: all that those of several people are computed from, of one snapshot, and what
//! came of it, kept in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    Store,
    columns::Shown,
    forecasts, holdings,
    query::{Query, Value},
    session::{Fault, Session},
    steps,
    transact::{Purpose, Whose},
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            forecast::{Applied, Plan, Summary},
            holding::Holding,
            id::{ForecastId, PortfolioId, StrategyId, TokenId},
            strategy::Target,
        },
    },
    ids::UserId,
};

/// Forecasts of one person that are read together, at most: stale ones first, then those computed longest ago.
pub const MOST_EXPECTED: usize = 200;

/// Ids or rows of one statement, at most.
const MOST: usize = 5_000;

/// What a person's forecasts are computed from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grounds {
    pub user: UserId,
    pub generation: i64,
    pub forecasts: Vec<Expected>,
    /// What the portfolios hold that these are about.
    pub holdings: HashMap<PortfolioId, Vec<Holding>>,
}

/// A forecast, and what was computed of it last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    pub id: ForecastId,
    pub portfolio: PortfolioId,
    pub plans: BTreeMap<TokenId, Plan>,
    pub stale: bool,
    pub summary: Option<Summary>,
    /// Of the prices that `summary` was computed at.
    pub price_version: Option<i64>,
}

/// What came of a person's [`Grounds`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreseen {
    pub user: UserId,
    /// That of the grounds.
    pub generation: i64,
    /// None: it can't be computed as things are. It is not tried again before something changes.
    pub summaries: Vec<(ForecastId, Option<Summary>)>,
}

#[derive(QueryableByName)]
struct ExpectedRow {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Text)]
    id: Shown<ForecastId>,
    #[diesel(sql_type = Text)]
    portfolio: Shown<PortfolioId>,
    #[diesel(sql_type = Bool)]
    stale: bool,
    #[diesel(sql_type = Nullable<Text>)]
    summary: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    price_version: Option<i64>,
}

#[derive(QueryableByName)]
struct OwnerRow {
    #[diesel(sql_type = Text)]
    owner: String,
}

#[derive(QueryableByName)]
struct PersonRow {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
}

pub(super) const STALE: &str =
    "select owner from forecasts where stale and owner > $1 group by owner order by owner limit $2";

/// Before it the owners, after it [`MOST_EXPECTED`].
pub(super) const EXPECTED: &str = "with ranked as (\
select id, owner, portfolio, stale, summary, price_version, row_number() over (\
partition by owner order by stale desc, coalesce(computed_at, 0), id) as place from forecasts where owner in (";

pub(super) const RANKED: &str = ")) \
select id, owner, portfolio, stale, summary, price_version from ranked where place <= ";

pub(super) const PEOPLE: &str = "select owner, generation from people where owner in (";

impl Store {
    /// People who have a stale forecast, at most `limit` of them.
    pub async fn stale_people(&self, limit: usize) -> Result<Vec<UserId>, Refusal> {
        let asked = self.run(Purpose::Read, Whose::Anybody, move |session| {
            Box::pin(async move {
                let rows: Vec<OwnerRow> =
                    session.rows(Query::new(STALE).bind("").bind(limit)).await?;
                Ok(rows.iter().map(|row| UserId::new(&row.owner)).collect())
            })
        });
        asked.await.map(|stored| stored.value)
    }

    /// What the forecasts of some people are computed from, of one snapshot: five queries, however many they are. Who has
    /// none is not in it.
    pub async fn grounds(&self, people: Vec<UserId>) -> Result<Vec<Grounds>, Refusal> {
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let asked = self.run(Purpose::Read, Whose::Anybody, move |session| {
            Box::pin(async move { grounds(session, &people).await })
        });
        asked.await.map(|stored| stored.value)
    }

    /// Keeps what was computed at prices of a version, of those people whose generation stands: these. Summaries of newer
    /// prices stay. Raises no generation: nothing that these people said has changed.
    ///
    /// Waits for nobody: who writes at this moment has another generation in the next.
    pub async fn keep_foreseen(
        &self,
        foreseen: Vec<Foreseen>,
        price_version: i64,
        now: Moment,
    ) -> Result<HashSet<UserId>, Refusal> {
        let mut of = Vec::with_capacity(foreseen.len());
        for Foreseen { user, generation, summaries } in foreseen {
            of.push((user, generation, written(summaries)?));
        }
        if of.is_empty() {
            return Ok(HashSet::new());
        }
        let whose = Whose::Following(of.iter().map(|(user, ..)| user.clone()).collect());
        let kept = self.run(Purpose::Write, whose, move |session| {
            Box::pin(async move { keep(session, of, price_version, now).await })
        });
        kept.await.map(|stored| stored.value)
    }
}

/// Rows as they are stored; written before a transaction begins, since others wait for its end.
fn written(summaries: Vec<(ForecastId, Option<Summary>)>) -> Result<Vec<[Value; 2]>, Refusal> {
    let row = |(id, summary): (ForecastId, Option<Summary>)| {
        let json = summary.map(|summary| serde_json::to_string(&summary)).transpose();
        let json = json.map_err(|why| Refusal::Unavailable(why.to_string()))?;
        Ok([id.into(), json.into()])
    };
    summaries.into_iter().map(row).collect()
}

async fn grounds(session: &mut Session, people: &[UserId]) -> Result<Vec<Grounds>, Fault> {
    let generations = generations(session, Query::new(PEOPLE).list(people).and(")")).await?;
    let expected = Query::new(EXPECTED).list(people).and(RANKED).value(MOST_EXPECTED);
    let rows: Vec<ExpectedRow> = session.rows(expected).await?;
    let mut applied: HashMap<ForecastId, Applied> = HashMap::with_capacity(rows.len());
    for rows in rows.chunks(MOST) {
        applied.extend(forecasts::applied_by(session, rows.iter().map(|row| row.id.0)).await?);
    }
    let strategies: BTreeSet<StrategyId> =
        applied.values().flat_map(|applied| applied.values().copied()).collect();
    let strategies: Vec<StrategyId> = strategies.into_iter().collect();
    let mut targets: HashMap<StrategyId, Vec<Target>> = HashMap::with_capacity(strategies.len());
    for strategies in strategies.chunks(MOST) {
        targets.extend(steps::targets(session, strategies.iter().copied()).await?);
    }
    let portfolios: BTreeSet<PortfolioId> = rows.iter().map(|row| row.portfolio.0).collect();
    let portfolios: Vec<PortfolioId> = portfolios.into_iter().collect();
    let mut holdings: HashMap<PortfolioId, Vec<Holding>> = HashMap::with_capacity(portfolios.len());
    for portfolios in portfolios.chunks(MOST) {
        for holding in holdings::of_portfolios(session, portfolios).await? {
            holdings.entry(holding.portfolio).or_default().push(holding);
        }
    }
    let mut all: BTreeMap<String, Grounds> = BTreeMap::new();
    for row in rows {
        let plan = |strategy: StrategyId| Plan {
            strategy,
            targets: targets.get(&strategy).cloned().unwrap_or_default(),
        };
        let applied = applied.remove(&row.id.0).unwrap_or_default();
        let (user, portfolio) = (UserId::new(&row.owner), row.portfolio.0);
        let generation = generations.get(&row.owner).copied().unwrap_or_default();
        let theirs = all.entry(row.owner).or_insert_with(|| Grounds {
            user,
            generation,
            forecasts: Vec::new(),
            holdings: HashMap::new(),
        });
        // A portfolio has one owner.
        theirs.holdings.extend(holdings.remove_entry(&portfolio));
        theirs.forecasts.push(Expected {
            id: row.id.0,
            portfolio,
            plans: applied.into_iter().map(|(token, strategy)| (token, plan(strategy))).collect(),
            stale: row.stale,
            // What another version wrote is computed anew.
            summary: row.summary.and_then(|json| serde_json::from_str(&json).ok()),
            price_version: row.price_version,
        });
    }
    Ok(all.into_values().collect())
}

async fn generations(session: &mut Session, people: Query) -> Result<HashMap<String, i64>, Fault> {
    let rows: Vec<PersonRow> = session.rows(people).await?;
    Ok(rows.into_iter().map(|row| (row.owner, row.generation)).collect())
}

async fn keep(
    session: &mut Session,
    of: Vec<(UserId, i64, Vec<[Value; 2]>)>,
    price_version: i64,
    now: Moment,
) -> Result<HashSet<UserId>, Fault> {
    // The lock of every write of these people. On SQLite one transaction writes at a time.
    let lock = match session {
        Session::Sqlite(_) => ")",
        Session::Postgres(_) => ") for no key update skip locked",
    };
    let people = Query::new(PEOPLE).list(of.iter().map(|(user, ..)| user)).and(lock);
    let present = generations(session, people).await?;
    let (mut kept, mut rows) = (HashSet::new(), Vec::new());
    for (user, generation, summaries) in of {
        if present.get(user.as_str()) == Some(&generation) {
            rows.extend(summaries);
            kept.insert(user);
        }
    }
    for rows in rows.chunks(MOST) {
        session.change(keeping(rows, price_version, now)).await?;
    }
    if !kept.is_empty() {
        // What lists of forecasts are cached under.
        let raise = "update people set computed = case when computed < $1 then $1 else computed + 1 end where owner in (";
        session.change(Query::new(raise).bind(now).list(kept.iter()).and(")")).await?;
    }
    Ok(kept)
}

pub(super) fn keeping(rows: &[[Value; 2]], price_version: i64, now: Moment) -> Query {
    Query::new("with foreseen (id, summary) as (values ")
        .rows(rows.iter().cloned())
        .and(") update forecasts set summary = foreseen.summary, computed_at = ")
        .value(now)
        .and(", stale = ")
        .value(false)
        .and(", price_version = ")
        .value(price_version)
        .and(" from foreseen where forecasts.id = foreseen.id and coalesce(forecasts.price_version, 0) <= ")
        .value(price_version)
}
