//! How much one person may have. What they have is read, folded and shown as a whole, on threads and in transactions that
//! others wait for: without a bound one person could hold up everybody.

use diesel::{QueryableByName, sql_types::BigInt};

use super::{
    query::Query,
    session::{Fault, Session},
};
use crate::{
    domain::portfolio::{
        Refusal,
        id::{PortfolioId, TokenId},
    },
    ids::UserId,
};

/// Portfolios of a person, at most.
pub const PORTFOLIOS: usize = 1_000;

/// Tokens in all portfolios of a person together, at most: a dashboard's sums are made of them with each new price. With so
/// many, one that is read and written anew takes 30 to 45 ms.
pub const HOLDINGS: usize = 10_000;

/// Transactions of a person, at most: a change of the first one folds all of them that are of one token, in some 350 ms.
pub const TRANSACTIONS: usize = 100_000;

/// Strategies, and forecasts, of a person, at most: a dashboard shows all.
pub const LISTED: usize = 500;

pub(super) const STRATEGIES: &str = "select count(*) as count from strategies where owner = $1";
pub(super) const FORECASTS: &str = "select count(*) as count from forecasts where owner = $1";
pub(super) const ENTERED: &str = "\
select count(*) as holdings, coalesce(cast(sum(count) as bigint), 0) as transactions from holdings where owner = $1";
pub(super) const HELD: &str =
    "select count(*) as count from holdings where portfolio = $1 and token in (";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Entered {
    #[diesel(sql_type = BigInt)]
    holdings: i64,
    #[diesel(sql_type = BigInt)]
    transactions: i64,
}

/// Refuses one more strategy than a person may have.
pub(super) async fn one_more_strategy(session: &mut Session, owner: &UserId) -> Result<(), Fault> {
    let there: Option<Count> = session.row(Query::new(STRATEGIES).bind(owner)).await?;
    within("strategies", LISTED, there.map_or(0, |there| there.count) + 1)
}

/// Refuses one more forecast than a person may have.
pub(super) async fn one_more_forecast(session: &mut Session, owner: &UserId) -> Result<(), Fault> {
    let there: Option<Count> = session.row(Query::new(FORECASTS).bind(owner)).await?;
    within("forecasts", LISTED, there.map_or(0, |there| there.count) + 1)
}

/// Refuses so many more transactions of these tokens than a person may have.
pub(super) async fn more_entries(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
    entries: usize,
    tokens: impl ExactSizeIterator<Item = TokenId>,
) -> Result<(), Fault> {
    let there: Option<Entered> = session.row(Query::new(ENTERED).bind(owner)).await?;
    let Some(Entered { holdings, transactions }) = there else { return Ok(()) };
    // Who has more, of an older release, may still change them.
    if entries > 0 {
        within("transactions", TRANSACTIONS, transactions + entries as i64)?;
    }
    let tokens_total = tokens.len() as i64;
    if holdings + tokens_total <= HOLDINGS as i64 {
        return Ok(());
    }
    // Some of them may be held.
    let held = Query::new(HELD).bind(portfolio).list(tokens).and(")");
    let held: Option<Count> = session.row(held).await?;
    let new = tokens_total - held.map_or(0, |held| held.count);
    match new {
        0 => Ok(()),
        new => within("holdings", HOLDINGS, holdings + new),
    }
}

fn within(what: &str, most: usize, came: i64) -> Result<(), Fault> {
    if came.unsigned_abs() <= most as u64 {
        return Ok(());
    }
    let expected = format!("at most {most} of one person; delete some first");
    Err(Refusal::invalid(what, expected, came).into())
}
