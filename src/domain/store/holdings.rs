//! Holdings as they are read: with their tokens, without prices.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use futures_util::future::try_join;

use super::{
    Answer, Page, Store, bounds,
    columns::Shown,
    portfolios,
    query::Query,
    session::{Fault, Reads, Session},
};
use crate::{
    domain::{
        decimal::Decimal,
        portfolio::{
            fold::Fold,
            holding::Holding,
            id::{PortfolioId, TokenId},
            portfolios::Portfolio,
            token::Token,
        },
    },
    ids::UserId,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    portfolio: Shown<PortfolioId>,
    #[diesel(sql_type = Text)]
    quantity: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    invested: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    realized: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    symbol: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    provider_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    logo_url: Option<String>,
}

impl From<Row> for Holding {
    fn from(row: Row) -> Self {
        let Row { symbol, name, provider_id, logo_url, .. } = row;
        let (quantity, invested, realized) = (row.quantity.0, row.invested.0, row.realized.0);
        Self {
            portfolio: row.portfolio.0,
            token: Token { id: row.token.0, symbol, name, provider_id, logo_url },
            fold: Fold { quantity, invested, realized },
        }
    }
}

pub(super) const OF_OWNER: &str = "\
select h.portfolio, h.quantity, h.invested, h.realized, h.token, t.symbol, t.name, t.provider_id, t.logo_url \
from holdings h join tokens t on t.id = h.token where h.owner = $1";

pub(super) const OF_PORTFOLIO: &str = "\
select h.portfolio, h.quantity, h.invested, h.realized, h.token, t.symbol, t.name, t.provider_id, t.logo_url \
from holdings h join tokens t on t.id = h.token where h.owner = $1 and h.portfolio = $2";

pub(super) const OF_PORTFOLIOS: &str = "\
select h.portfolio, h.quantity, h.invested, h.realized, h.token, t.symbol, t.name, t.provider_id, t.logo_url \
from holdings h join tokens t on t.id = h.token where h.portfolio in (";

impl Store {
    /// A portfolio and what it holds, of one snapshot; holdings of 0 too: their realized profit counts.
    pub async fn holdings(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
    ) -> Answer<(Portfolio, Vec<Holding>)> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                let it = portfolios::one(session, &owner, portfolio).await?;
                Ok((it, of_portfolio(session, &owner, portfolio).await?))
            })
        })
        .await
    }

    /// All portfolios of a person and all that they hold, of one snapshot.
    pub async fn overview(&self, user: &UserId) -> Answer<(Vec<Portfolio>, Vec<Holding>)> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                let all = Page::first(bounds::PORTFOLIOS);
                let reads = session.reads();
                try_join(portfolios::list(&reads, &owner, all), of_owner(&reads, &owner)).await
            })
        })
        .await
    }
}

/// All that a person holds.
pub(super) async fn of_owner(reads: &Reads<'_>, owner: &UserId) -> Result<Vec<Holding>, Fault> {
    let rows: Vec<Row> = reads.rows(Query::new(OF_OWNER).bind(owner)).await?;
    Ok(rows.into_iter().map(Holding::from).collect())
}

/// What a portfolio of that owner holds.
pub(super) async fn of_portfolio(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
) -> Result<Vec<Holding>, Fault> {
    let rows: Vec<Row> = session.rows(Query::new(OF_PORTFOLIO).bind(owner).bind(portfolio)).await?;
    Ok(rows.into_iter().map(Holding::from).collect())
}

/// What several portfolios hold, whosever they are.
pub(super) async fn of_portfolios(
    session: &mut Session,
    portfolios: &[PortfolioId],
) -> Result<Vec<Holding>, Fault> {
    let query = Query::new(OF_PORTFOLIOS).list(portfolios.iter().copied()).and(")");
    let rows: Vec<Row> = session.rows(query).await?;
    Ok(rows.into_iter().map(Holding::from).collect())
}
