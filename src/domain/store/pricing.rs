//! Prices that one node asks for on behalf of all: its lease on that, what it has to ask for, and what it may write.

use std::{collections::HashMap, sync::Arc, time::Duration};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    Kind, Outbox, Store, Told,
    columns::Shown,
    firing::{self, Fired},
    query::Query,
    session::{Fault, Session},
    tokens,
    transact::{Purpose, Whose},
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{Refusal, id::TokenId, token::Price},
    },
    fail_point,
};

/// What the lease on prices is called.
const LEASE: &str = "prices";

/// Rises each time that the lease changes hands: what is written under an old one is not written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fence(i64);

/// A token whose price somebody wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedPrice {
    pub token: TokenId,
    pub provider_id: i64,
    /// The last one that was believed.
    pub price: Option<Decimal>,
}

/// Prices were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observed {
    pub version: i64,
    /// Alerts that fired at them.
    pub fired: usize,
    /// More may have to fire than one transaction lets: the prices are not written yet, and have to come again.
    pub more: bool,
}

#[derive(QueryableByName)]
struct FenceRow {
    #[diesel(sql_type = BigInt)]
    fence: i64,
}

#[derive(QueryableByName)]
struct WantedRow {
    #[diesel(sql_type = Text)]
    id: Shown<TokenId>,
    #[diesel(sql_type = BigInt)]
    provider_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    price: Option<Shown<Decimal>>,
}

const TAKE: &str = "\
insert into leases (name, holder, fence, ends_at) values ($1, $2, 1, $3) \
on conflict (name) do update set holder = excluded.holder, ends_at = excluded.ends_at, \
fence = leases.fence + case when leases.holder = excluded.holder then 0 else 1 end \
where leases.holder = excluded.holder or leases.ends_at <= $4 returning fence";

/// Changes nothing, and nobody takes the lease before this transaction has ended.
const HOLD: &str = "update leases set ends_at = ends_at where name = $1 and fence = $2";

const WANTED: &str = "\
select id, provider_id, prices.price from tokens left join prices on prices.token = tokens.id \
where exists (select 1 from holdings where holdings.token = tokens.id) \
or exists (select 1 from strategies where strategies.token = tokens.id) order by id <= $1, id limit $2";

impl Store {
    /// Whether other nodes may use the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    /// Takes the lease on prices, or keeps it, for a `time` by the clock of the database. None while another has it.
    pub async fn lease_prices(
        &self,
        holder: &str,
        time: Duration,
    ) -> Result<Option<Fence>, Refusal> {
        let holder = holder.to_owned();
        let time = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let taken = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move {
                let now = session.now().await?;
                let ends = Moment::from_micros(now.micros().saturating_add(time));
                let take = Query::new(TAKE).bind(LEASE).bind(holder).bind(ends).bind(now);
                let row: Option<FenceRow> = session.row(take).await?;
                Ok(row.map(|row| Fence(row.fence)))
            })
        });
        taken.await.map(|stored| stored.value)
    }

    /// Tokens that anybody holds or plans for, in the order of their ids: from behind one on, and then from the first.
    pub async fn wanted_prices(
        &self,
        behind: Option<TokenId>,
        most: usize,
    ) -> Result<Vec<WantedPrice>, Refusal> {
        // Sorts before every id.
        let behind = behind.map_or_else(String::new, |id| id.to_string());
        let asked = self.run(Purpose::Read, Whose::Anybody, move |session| {
            Box::pin(async move {
                let rows: Vec<WantedRow> =
                    session.rows(Query::new(WANTED).bind(behind).bind(most)).await?;
                Ok(rows.into_iter().map(WantedPrice::from).collect())
            })
        });
        asked.await.map(|stored| stored.value)
    }

    /// Writes prices, observed now by the clock of the database, and lets fire what they call for, which `outbox` tells:
    /// all of that or nothing. Of what calls for too many alerts at once some fire, and the prices wait: a price that is
    /// written has no alert left to fire, whatever dies when. With a fence that is not the last one nothing is written: none.
    pub async fn observe_prices(
        &self,
        fence: Option<Fence>,
        prices: HashMap<TokenId, Decimal>,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Option<Observed>, Refusal> {
        let observed = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move { observe(session, fence, prices, &*outbox).await })
        });
        let Some((observed, told)) = observed.await?.value else { return Ok(None) };
        told.into_iter().for_each(|told| told());
        Ok(Some(observed))
    }
}

impl From<WantedRow> for WantedPrice {
    fn from(row: WantedRow) -> Self {
        let price = row.price.map(|price| price.0);
        Self { token: row.id.0, provider_id: row.provider_id, price }
    }
}

async fn observe(
    session: &mut Session,
    fence: Option<Fence>,
    prices: HashMap<TokenId, Decimal>,
    outbox: &dyn Outbox,
) -> Result<Option<(Observed, Vec<Told>)>, Fault> {
    if let Some(Fence(fence)) = fence {
        let held = session.change(Query::new(HOLD).bind(LEASE).bind(fence)).await?;
        if held == 0 {
            return Ok(None);
        }
        fail_point!("price.held");
    }
    let observed_at = session.now().await?;
    let prices: Vec<(TokenId, Decimal)> = prices.into_iter().collect();
    // First: the lock of the version lets one write prices at a time, also if two believe that it is theirs to do.
    let version = tokens::next_version(session).await?;
    let Fired { alerts, more } = firing::fire(session, &prices, observed_at).await?;
    if !more {
        let row =
            |(token, price): &(TokenId, Decimal)| (*token, Price { price: *price, observed_at });
        tokens::put_under(session, version, prices.iter().map(row).collect()).await?;
    }
    // Last: what it locks is waited for by people who publish.
    let mut told = Vec::new();
    for alerts in alerts.chunks(firing::A_STATEMENT) {
        told.push(outbox.say(session.open(), alerts).await?);
    }
    Ok(Some((Observed { version, fired: alerts.len(), more }, told)))
}
