//! Tokens and their prices: nobody's in particular.

use std::collections::BTreeMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde::{Deserialize, Serialize};

use super::{
    Page, Store,
    columns::{At, Shown},
    query::{Query, Value},
    session::{Fault, Session},
    transact::{Purpose, Whose},
};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{
        Refusal,
        id::TokenId,
        token::{Price, Prices, Token},
    },
};

pub use crate::domain::portfolio::listing::NewToken;

/// Tokens of one answer, and of one call that writes them, at most.
pub const MOST: usize = 1_000;

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    symbol: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    provider_id: i64,
    #[diesel(sql_type = Nullable<Text>)]
    logo_url: Option<String>,
}

impl From<Row> for Token {
    fn from(row: Row) -> Self {
        let Row { id, symbol, name, provider_id, logo_url } = row;
        Self { id: id.0, symbol, name, provider_id, logo_url }
    }
}

#[derive(QueryableByName)]
struct PriceRow {
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    price: Shown<Decimal>,
    #[diesel(sql_type = BigInt)]
    observed_at: At,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// Where a token stands among those that were found: those whose symbol begins so come first, by symbol, an equal one before
/// all; then those whose name does, by name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Found {
    by_name: bool,
    /// Symbol or name, in lower case.
    key: String,
    id: TokenId,
}

impl Found {
    /// Of one that was found by its beginning.
    pub fn of(token: &Token, begins: &str) -> Self {
        let symbol = token.symbol.to_lowercase();
        let by_name = !symbol.starts_with(&key(begins));
        Self {
            by_name,
            key: if by_name { token.name.to_lowercase() } else { symbol },
            id: token.id,
        }
    }
}

fn key(begins: &str) -> String {
    begins.trim().to_lowercase()
}

/// Both walk their index only as far as they are asked to.
pub(super) const BY_SYMBOL: &str = "\
select id, symbol, name, provider_id, logo_url from tokens \
where symbol_key >= $1 and symbol_key < $2 and (symbol_key, id) > ($3, $4) order by symbol_key, id limit $5";

pub(super) const BY_NAME: &str = "\
select id, symbol, name, provider_id, logo_url from tokens \
where name_key >= $1 and name_key < $2 and (name_key, id) > ($3, $4) \
and not (symbol_key >= $1 and symbol_key < $2) order by name_key, id limit $5";

pub(super) const BY_IDS: &str =
    "select id, symbol, name, provider_id, logo_url from tokens where id in (";

pub(super) const BY_SYMBOLS: &str =
    "select id, symbol, name, provider_id, logo_url from tokens where symbol_key in (";

pub(super) const BY_NUMBERS: &str =
    "select id, symbol, name, provider_id, logo_url from tokens where provider_id in (";

pub(super) const PRICES_SINCE: &str =
    "select token, price, observed_at, version from prices where version > $1";

impl Store {
    /// Writes tokens down; one that is there already takes the new names and keeps its id.
    pub async fn put_tokens(&self, new: Vec<NewToken>) -> Result<(), Refusal> {
        // A statement may meet a row once: of two with one number the later counts.
        let new: BTreeMap<i64, NewToken> =
            new.into_iter().map(|new| (new.provider_id, new)).collect();
        let rows = new.into_values().map(row).collect::<Result<Vec<_>, Refusal>>()?;
        let put = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move {
                for rows in rows.chunks(MOST) {
                    put(session, rows.to_vec()).await?;
                }
                Ok(())
            })
        });
        put.await.map(|stored| stored.value)
    }

    /// Tokens whose symbol or name begins so, whatever the case; those that fit best first.
    pub async fn search_tokens(
        &self,
        begins: &str,
        page: Page<Found>,
    ) -> Result<Vec<Token>, Refusal> {
        let begins = key(begins);
        // After all that begin so: no text has this character.
        let end = format!("{begins}\u{10ffff}");
        let search = |text, after: Option<&Found>, limit: usize| {
            let (key, id) =
                after.map_or_else(Default::default, |one| (&*one.key, one.id.to_string()));
            Query::new(text).bind(&*begins).bind(&*end).bind(key).bind(id).bind(limit)
        };
        let (by_name, by_symbol): (Vec<&Found>, Vec<&Found>) =
            page.after.iter().partition(|found| found.by_name);
        let mut rows: Vec<Row> = Vec::new();
        if by_name.is_empty() {
            let after = by_symbol.first().copied();
            rows = self.ask(search(BY_SYMBOL, after, page.limit)).await?;
        }
        // All begin with nothing by their symbols.
        if rows.len() < page.limit && !begins.is_empty() {
            let (after, left) = (by_name.first().copied(), page.limit - rows.len());
            rows.extend(self.ask::<Row>(search(BY_NAME, after, left)).await?);
        }
        Ok(rows.into_iter().map(Token::from).collect())
    }

    /// These tokens, as far as they are there. At most [`MOST`] of them.
    pub async fn tokens(&self, ids: &[TokenId]) -> Result<Vec<Token>, Refusal> {
        self.some(BY_IDS, ids.iter().copied()).await
    }

    /// Tokens by what a CSV calls them: symbols, or `#` and the provider's number. At most [`MOST`] of them.
    pub async fn tokens_called(&self, names: &[&str]) -> Result<Vec<Token>, Refusal> {
        let number = |name: &&str| name.strip_prefix('#')?.parse::<i64>().ok();
        let mut tokens = self.some(BY_NUMBERS, names.iter().filter_map(number)).await?;
        let symbols = names.iter().filter(|name| !name.starts_with('#'));
        tokens.extend(self.some(BY_SYMBOLS, symbols.map(|symbol| symbol.to_lowercase())).await?);
        tokens.sort_by_key(|token| token.id);
        tokens.dedup();
        Ok(tokens)
    }

    /// Writes prices down and says under which version.
    pub async fn put_prices(&self, prices: Prices) -> Result<i64, Refusal> {
        let put = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move {
                let version = next_version(session).await?;
                put_under(session, version, prices).await?;
                Ok(version)
            })
        });
        put.await.map(|stored| stored.value)
    }

    /// Prices that were written after a version, and the version that they lead to.
    pub async fn prices_since(&self, version: i64) -> Result<(Prices, i64), Refusal> {
        let rows: Vec<PriceRow> = self.ask(Query::new(PRICES_SINCE).bind(version)).await?;
        let last = rows.iter().map(|row| row.version).max().unwrap_or(version);
        let price = |row: &PriceRow| Price { price: row.price.0, observed_at: row.observed_at.0 };
        Ok((rows.iter().map(|row| (row.token.0, price(row))).collect(), last))
    }

    async fn some<V: Into<Value>>(
        &self,
        text: &'static str,
        keys: impl Iterator<Item = V>,
    ) -> Result<Vec<Token>, Refusal> {
        let keys: Vec<Value> = keys.map(V::into).take(MOST).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Row> = self.ask(Query::new(text).list(keys).and(")")).await?;
        Ok(rows.into_iter().map(Token::from).collect())
    }

    async fn ask<R: super::session::Row>(&self, query: Query) -> Result<Vec<R>, Refusal> {
        let asked = self.run(Purpose::Read, Whose::Anybody, move |session| {
            Box::pin(async move { Ok(session.rows(query).await?) })
        });
        asked.await.map(|stored| stored.value)
    }
}

fn row(new: NewToken) -> Result<[Value; 7], Refusal> {
    let NewToken { symbol, name, provider_id, logo_url } = new.checked()?;
    let keys = (symbol.to_lowercase(), name.to_lowercase());
    Ok([
        TokenId::new().into(),
        symbol.into(),
        name.into(),
        keys.0.into(),
        keys.1.into(),
        provider_id.into(),
        logo_url.into(),
    ])
}

async fn put(session: &mut Session, rows: Vec<[Value; 7]>) -> Result<(), Fault> {
    let put = "insert into tokens (id, symbol, name, symbol_key, name_key, provider_id, logo_url) values ";
    let known = " on conflict (provider_id) do update set symbol = excluded.symbol, name = excluded.name, \
        symbol_key = excluded.symbol_key, name_key = excluded.name_key, logo_url = excluded.logo_url";
    session.change(Query::new(put).rows(rows).and(known)).await?;
    Ok(())
}

/// It rises with the clock, as generations do: nodes that have seen later prices than a database that was set back knows of
/// (a restored copy, a standby that lagged) don't wait for it to catch up.
const NEXT_VERSION: &str = "insert into price_versions (id, version) values (1, $1) \
    on conflict (id) do update set version = case when price_versions.version < excluded.version \
    then excluded.version else price_versions.version + 1 end returning version";

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// The version of the prices that this transaction writes; nobody else writes any until it ends.
pub(super) async fn next_version(session: &mut Session) -> Result<i64, Fault> {
    let row: Option<Version> = session.row(Query::new(NEXT_VERSION).bind(Moment::now())).await?;
    Ok(row.map_or(0, |row| row.version))
}

/// Writes prices down under the version of this transaction.
pub(super) async fn put_under(
    session: &mut Session,
    version: i64,
    prices: Prices,
) -> Result<(), Fault> {
    let prices: Vec<(TokenId, Price)> = prices.into_iter().collect();
    for prices in prices.chunks(MOST) {
        let row = |(token, price): &(TokenId, Price)| -> [Value; 4] {
            [(*token).into(), price.price.into(), price.observed_at.into(), version.into()]
        };
        let put = Query::new("insert into prices (token, price, observed_at, version) values ")
            .rows(prices.iter().map(row))
            .and(
                " on conflict (token) do update set price = excluded.price, \
                observed_at = excluded.observed_at, version = excluded.version",
            );
        session.change(put).await?;
    }
    Ok(())
}

/// Which of these tokens are there.
pub(super) async fn known(
    session: &mut Session,
    ids: impl IntoIterator<Item = TokenId>,
) -> Result<Vec<TokenId>, Fault> {
    let rows: Vec<Row> = session.rows(Query::new(BY_IDS).list(ids).and(")")).await?;
    Ok(rows.into_iter().map(|row| row.id.0).collect())
}
