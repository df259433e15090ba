//! All that a dashboard shows, read in one snapshot, and which state of it is the present one.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    Answer, Kind, Listed, Page, Store, forecasts, holdings, portfolios,
    query::Query,
    session::{Fault, Session},
    strategies,
    transact::{Purpose, Whose},
};
use crate::{
    domain::portfolio::{Refusal, forecast::Forecast, holding::Holding, portfolios::Portfolio},
    ids::UserId,
};

/// Strategies and forecasts of a dashboard, at most: the rest is turned to.
pub const MOST: usize = 200;

/// Persons of one question for their present state, at most.
pub const TOGETHER: usize = 1_000;

/// Which parts are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub portfolios: bool,
    pub holdings: bool,
    pub strategies: bool,
    pub forecasts: bool,
}

/// A person's data as a dashboard shows it, without prices: those parts that were wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// The state of the forecasts' summaries, see [`Present::computed`]; 0 without forecasts.
    pub computed: i64,
    pub portfolios: Option<Vec<Portfolio>>,
    /// Of all portfolios.
    pub holdings: Option<Vec<Holding>>,
    /// The oldest [`MOST`].
    pub strategies: Option<Vec<Listed>>,
    /// The oldest [`MOST`].
    pub forecasts: Option<Vec<Forecast>>,
}

/// The state that a person's data is in. 0 and 0 before the first write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Present {
    /// Raised by each write, to microseconds since 1970 or further.
    pub generation: i64,
    /// The same for each summary of a forecast that is kept, which is no write of the person's.
    pub computed: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = BigInt)]
    computed: i64,
}

pub(super) const PRESENT: &str = "select owner, generation, computed from people where owner in (";

impl Store {
    /// Parts of a person's dashboard, of one snapshot. A query or two each.
    pub async fn parts(&self, user: &UserId, wanted: Wanted) -> Answer<Parts> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move { parts(session, &owner, wanted).await })
        })
        .await
    }

    /// The present state of a person's data if that is known without asking the database: on a node alone on its file.
    pub fn remembered(&self, user: &UserId) -> Option<Present> {
        match &self.kind {
            Kind::Sqlite(sqlite) => sqlite.remembered.get(user),
            Kind::Postgres(_) => None,
        }
    }

    /// The same in the state that the primary told, or in a later one: of the replica, if there is one that has this very
    /// state and says so in time, else of the primary.
    pub async fn parts_in(&self, user: &UserId, wanted: Wanted, told: Present) -> Answer<Parts> {
        if let Some(replica) = &self.replica
            && let Some(parts) = replica.parts(user, wanted, told).await
        {
            return Ok(parts);
        }
        self.parts(user, wanted).await
    }

    /// The present states of these persons' data; who never wrote is left out. One query for [`TOGETHER`] of them.
    pub async fn generations(
        &self,
        users: Vec<UserId>,
    ) -> Result<HashMap<UserId, Present>, Refusal> {
        let mut all = HashMap::with_capacity(users.len());
        let remembered = match &self.kind {
            Kind::Sqlite(sqlite) => Some((&sqlite.remembered, sqlite.remembered.ask())),
            Kind::Postgres(_) => None,
        };
        for users in users.chunks(TOGETHER) {
            let present = Query::new(PRESENT).list(users).and(")");
            let rows = self.run(Purpose::Ask, Whose::Anybody, move |session| {
                Box::pin(async move { Ok(session.rows::<Row>(present).await?) })
            });
            all.extend(rows.await?.value.into_iter().map(|row| {
                let Row { owner, generation, computed } = row;
                (UserId::new(&owner), Present { generation, computed })
            }));
        }
        if let Some((remembered, asked)) = remembered {
            remembered.keep(asked, all.iter().map(|(user, present)| (user.clone(), *present)));
        }
        Ok(all)
    }
}

async fn parts(session: &mut Session, owner: &UserId, wanted: Wanted) -> Result<Parts, Fault> {
    let mut parts = Parts::default();
    if wanted.portfolios {
        let all = Page::first(portfolios::MOST);
        parts.portfolios = Some(portfolios::list(session, owner, all).await?);
    }
    if wanted.holdings {
        parts.holdings = Some(holdings::of_owner(session, owner).await?);
    }
    if wanted.strategies {
        let first = Page::first(MOST);
        parts.strategies = Some(strategies::list(session, owner, first).await?);
    }
    if wanted.forecasts {
        parts.computed = present(session, owner).await?.computed;
        let first = Page::first(MOST);
        parts.forecasts = Some(forecasts::list(session, owner, first).await?);
    }
    Ok(parts)
}

/// Parts, if this very state is what the snapshot shows. An older one lacks something; a later one may be of a server that
/// went another way than the primary.
pub(super) async fn parts_of(
    session: &mut Session,
    owner: &UserId,
    wanted: Wanted,
    told: Present,
) -> Result<Option<Parts>, Fault> {
    let shown = present(session, owner).await?;
    let is_it = shown.generation == told.generation
        && (!wanted.forecasts || shown.computed == told.computed);
    match is_it {
        true => parts(session, owner, wanted).await.map(Some),
        false => Ok(None),
    }
}

async fn present(session: &mut Session, owner: &UserId) -> Result<Present, Fault> {
    let row: Option<Row> = session.row(Query::new(PRESENT).list([owner]).and(")")).await?;
    let known = |Row { generation, computed, .. }| Present { generation, computed };
    Ok(row.map(known).unwrap_or_default())
}
