//! All that a dashboard shows, read in one snapshot, and which state of it is the present one.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};
use futures_util::future::try_join5;

use super::{
    Answer, Kind, Listed, Page, Store, bounds, forecasts, holdings, portfolios,
    query::Query,
    session::{Fault, Reads, Session},
    strategies,
    transact::{Purpose, Stored, Whose},
};
use crate::{
    domain::portfolio::{Refusal, forecast::Forecast, holding::Holding, portfolios::Portfolio},
    ids::UserId,
};

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
    /// The oldest [`bounds::LISTED`].
    pub strategies: Option<Vec<Listed>>,
    /// The oldest [`bounds::LISTED`].
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
    /// Parts of a person's dashboard, of one snapshot. A query or two each, asked together.
    pub async fn parts(&self, user: &UserId, wanted: Wanted) -> Answer<Parts> {
        let owner = user.clone();
        let read = self.run(Purpose::Read, Whose::Anybody, move |session| {
            Box::pin(async move { parts(&session.reads(), &owner, wanted).await })
        });
        let (Present { generation, .. }, value) = read.await?.value;
        Ok(Stored { generation, value })
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

async fn parts(
    reads: &Reads<'_>,
    owner: &UserId,
    wanted: Wanted,
) -> Result<(Present, Parts), Fault> {
    let all = Page::first(bounds::PORTFOLIOS);
    let (present, portfolios, holdings, strategies, forecasts) = try_join5(
        present(reads, owner),
        only(wanted.portfolios, portfolios::list(reads, owner, all)),
        only(wanted.holdings, holdings::of_owner(reads, owner)),
        only(wanted.strategies, strategies::list(reads, owner, Page::first(bounds::LISTED))),
        only(wanted.forecasts, forecasts::list(reads, owner, Page::first(bounds::LISTED))),
    )
    .await?;
    let computed = if wanted.forecasts { present.computed } else { 0 };
    Ok((present, Parts { computed, portfolios, holdings, strategies, forecasts }))
}

/// What is wanted.
async fn only<T>(
    is_wanted: bool,
    part: impl Future<Output = Result<T, Fault>>,
) -> Result<Option<T>, Fault> {
    match is_wanted {
        true => part.await.map(Some),
        false => Ok(None),
    }
}

/// Parts, if this very state is what the snapshot shows. An older one lacks something; a later one may be of a server that
/// went another way than the primary.
pub(super) async fn parts_of(
    session: &mut Session,
    owner: &UserId,
    wanted: Wanted,
    told: Present,
) -> Result<Option<Parts>, Fault> {
    let reads = session.reads();
    let shown = present(&reads, owner).await?;
    let is_it = shown.generation == told.generation
        && (!wanted.forecasts || shown.computed == told.computed);
    match is_it {
        true => parts(&reads, owner, wanted).await.map(|(_, parts)| Some(parts)),
        false => Ok(None),
    }
}

async fn present(reads: &Reads<'_>, owner: &UserId) -> Result<Present, Fault> {
    let rows: Vec<Row> = reads.rows(Query::new(PRESENT).list([owner]).and(")")).await?;
    let known = |Row { generation, computed, .. }| Present { generation, computed };
    Ok(rows.into_iter().next().map(known).unwrap_or_default())
}
