//! What forecasts are computed from, and what came of it: answered, and kept beside them.

use std::collections::{BTreeMap, HashMap};

use super::{
    Answer, Store, forecasts, holdings,
    query::Query,
    session::{Fault, Session},
    steps,
    transact::{Purpose, Whose},
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            forecast::{Forecast, Plan, Summary},
            holding::Holding,
            id::{ForecastId, StrategyId, TokenId},
        },
    },
    ids::UserId,
};

/// What a forecast is computed from, all of one snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    pub forecast: Forecast,
    pub holdings: Vec<Holding>,
    pub plans: BTreeMap<TokenId, Plan>,
}

/// What is answered about a forecast; and what was computed of it for that, with the version of the prices.
pub type Computed<A> = (A, Option<(Summary, i64)>);

impl Store {
    /// One forecast and what it is computed from.
    pub async fn forecast(&self, user: &UserId, id: ForecastId) -> Answer<Basis> {
        let owner = user.clone();
        self.read(user, move |session| Box::pin(async move { basis(session, &owner, id).await }))
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

/// The answer about a forecast as this transaction sees it; what was computed for it is kept.
pub(super) async fn answered<A>(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
    now: Moment,
    answer: impl FnOnce(Basis) -> Result<Computed<A>, Refusal>,
) -> Result<A, Fault> {
    let (answer, computed) = answer(basis(session, owner, id).await?)?;
    if let Some((summary, price_version)) = computed {
        keep(session, owner, id, summary, price_version, now).await?;
    }
    Ok(answer)
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

pub(super) async fn basis(
    session: &mut Session,
    owner: &UserId,
    id: ForecastId,
) -> Result<Basis, Fault> {
    let forecast = forecasts::one(session, owner, id).await?;
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
