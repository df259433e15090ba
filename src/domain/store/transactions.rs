//! Transactions, one or many at a time; the holdings follow in the same database transaction.

use std::collections::{BTreeSet, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Answer, Key, Page, Store, bounds,
    columns::{At, Named, Shown},
    folding::{Touched, refold, tails},
    forecasts, portfolios,
    query::{Query, Value},
    session::{Fault, Session},
    tokens,
    transact::{Purpose, Whose},
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            Refusal,
            fold::Stop,
            id::{PortfolioId, TokenId, TransactionId},
            import::BadRow,
            list,
            sifting::sift,
            transaction::{Change, Entry, Kind, MOST, Place, Transaction, checked},
        },
    },
    ids::UserId,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<TransactionId>,
    #[diesel(sql_type = Text)]
    portfolio: Shown<PortfolioId>,
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    kind: Named<Kind>,
    #[diesel(sql_type = Text)]
    quantity: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    amount: Shown<Decimal>,
    #[diesel(sql_type = BigInt)]
    occurred_at: At,
    #[diesel(sql_type = Nullable<Text>)]
    notes: Option<String>,
}

impl From<Row> for Transaction {
    fn from(row: Row) -> Self {
        let entry = Entry {
            token_id: row.token.0,
            kind: row.kind.0,
            quantity: row.quantity.0,
            amount: row.amount.0,
            occurred_at: row.occurred_at.0,
            notes: row.notes,
        };
        Self { id: row.id.0, portfolio_id: row.portfolio.0, entry }
    }
}

pub(super) const LIST: &str = "\
select id, portfolio, token, kind, quantity, amount, occurred_at, notes from transactions \
where portfolio = $1 and (occurred_at, id) < ($2, $3) order by occurred_at desc, id desc limit $4";

pub(super) const ONE: &str = "\
select id, portfolio, token, kind, quantity, amount, occurred_at, notes from transactions where id = $1 and owner = $2";

/// Sorts behind every id.
const END: &str = "~";

/// What became of the rows of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Rows that were entered, or would be.
    pub rows: usize,
    /// Rows that can't be: they would take more than is held.
    pub bad: Vec<BadRow>,
}

impl Store {
    /// Enters transactions, all or none; at most 1,000. Their ids are in the order of the entries.
    pub async fn add_transactions(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        entries: Vec<Entry>,
        key: Option<Key>,
        now: Moment,
    ) -> Answer<Vec<TransactionId>> {
        let (owner, entries) = (user.clone(), checked(entries)?);
        self.write_once(user, key, now, move |session| {
            Box::pin(async move {
                let tokens: BTreeSet<TokenId> = entries.iter().map(|one| one.token_id).collect();
                let (count, tokens) = (entries.len(), tokens.into_iter());
                bounds::more_entries(session, &owner, portfolio, count, tokens).await?;
                add(session, &owner, portfolio, entries).await
            })
        })
        .await
    }

    /// Enters the rows of a file that can be, each with the line that it stands on, and says why of the others. A dry
    /// run enters none and says the same.
    pub async fn import_transactions(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        rows: Vec<(u64, Entry)>,
        dry_run: bool,
    ) -> Answer<Imported> {
        list("file", rows.len(), 0, MOST)?;
        let owner = user.clone();
        let purpose = if dry_run { Purpose::Read } else { Purpose::Write };
        self.run(purpose, Whose::One(user.clone()), move |session| {
            Box::pin(async move { import(session, &owner, portfolio, rows, dry_run).await })
        })
        .await
    }

    /// Enters the rows of a file, with an answer made of what became of them; who comes again with their key has this one.
    pub async fn import_transactions_and<A: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        rows: Vec<(u64, Entry)>,
        key: Option<Key>,
        now: Moment,
        answer: impl FnOnce(Imported) -> Result<A, Refusal> + Send + 'static,
    ) -> Answer<A> {
        list("file", rows.len(), 0, MOST)?;
        let owner = user.clone();
        self.write_once(user, key, now, move |session| {
            Box::pin(
                async move { Ok(answer(import(session, &owner, portfolio, rows, false).await?)?) },
            )
        })
        .await
    }

    /// A portfolio's transactions, the latest first.
    pub async fn transactions(
        &self,
        user: &UserId,
        portfolio: PortfolioId,
        page: Page<Place>,
    ) -> Answer<Vec<Transaction>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move {
                portfolios::one(session, &owner, portfolio).await?;
                let (at, id) = match page.after {
                    Some(place) => (place.occurred_at, place.id.to_string()),
                    None => (Moment::from_micros(i64::MAX), END.to_owned()),
                };
                let list = Query::new(LIST).bind(portfolio).bind(at).bind(id).bind(page.limit);
                let rows: Vec<Row> = session.rows(list).await?;
                Ok(rows.into_iter().map(Transaction::from).collect())
            })
        })
        .await
    }

    /// Changes a transaction.
    pub async fn change_transaction(
        &self,
        user: &UserId,
        id: TransactionId,
        to: Change,
    ) -> Answer<Transaction> {
        let owner = user.clone();
        self.write(user, move |session| {
            Box::pin(async move { change(session, &owner, id, to).await })
        })
        .await
    }

    /// Deletes a transaction; refused if what is left would take more than is held.
    pub async fn delete_transaction(&self, user: &UserId, id: TransactionId) -> Answer<()> {
        let owner = user.clone();
        self.write(user, move |session| Box::pin(async move { delete(session, &owner, id).await }))
            .await
    }
}

async fn one(
    session: &mut Session,
    owner: &UserId,
    id: TransactionId,
) -> Result<Transaction, Fault> {
    let row: Option<Row> = session.row(Query::new(ONE).bind(id).bind(owner)).await?;
    row.map(Transaction::from).ok_or(Refusal::NotFound { what: "transaction" }.into())
}

/// Enters transactions that were [`checked`].
pub(super) async fn add(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
    entries: Vec<Entry>,
) -> Result<Vec<TransactionId>, Fault> {
    portfolios::one(session, owner, portfolio).await?;
    let known = tokens::known(session, entries.iter().map(|entry| entry.token_id)).await?;
    if let Some(n) = entries.iter().position(|entry| !known.contains(&entry.token_id)) {
        let came = entries[n].token_id;
        return Err(Refusal::invalid("token_id", "the id of a token", came)
            .within("transactions", n)
            .into());
    }
    let all: Vec<Transaction> = entries
        .into_iter()
        .map(|entry| Transaction { id: TransactionId::new(), portfolio_id: portfolio, entry })
        .collect();
    insert(session, owner, &all).await?;
    let numbers: HashMap<TransactionId, usize> =
        all.iter().enumerate().map(|(n, one)| (one.id, n)).collect();
    let call = |id: TransactionId| match numbers.get(&id) {
        Some(n) => format!("transactions[{n}]"),
        None => format!("the transaction {id}"),
    };
    settle(session, owner, portfolio, &touched(&all), &call).await?;
    Ok(all.into_iter().map(|one| one.id).collect())
}

async fn insert(session: &mut Session, owner: &UserId, all: &[Transaction]) -> Result<(), Fault> {
    let row = |one: &Transaction| -> [Value; 9] {
        let Entry { token_id, kind, quantity, amount, occurred_at, notes } = one.entry.clone();
        [
            one.id.into(),
            owner.into(),
            one.portfolio_id.into(),
            token_id.into(),
            kind.into(),
            quantity.into(),
            amount.into(),
            occurred_at.into(),
            notes.into(),
        ]
    };
    let insert = "insert into transactions \
        (id, owner, portfolio, token, kind, quantity, amount, occurred_at, notes) values ";
    session.change(Query::new(insert).rows(all.iter().map(row))).await?;
    Ok(())
}

/// The first place of each token.
fn touched<'a>(all: impl IntoIterator<Item = &'a Transaction>) -> Touched {
    let mut touched = Touched::new();
    for one in all {
        let first = touched.entry(one.entry.token_id).or_insert(one.place());
        *first = one.place().min(*first);
    }
    touched
}

/// What follows from changed transactions.
async fn settle(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
    touched: &Touched,
    call: &(dyn Fn(TransactionId) -> String + Sync),
) -> Result<(), Fault> {
    refold(session, owner, portfolio, touched, call).await?;
    forecasts::outdate_of_portfolio(session, owner, portfolio).await
}

async fn change(
    session: &mut Session,
    owner: &UserId,
    id: TransactionId,
    to: Change,
) -> Result<Transaction, Fault> {
    let before = one(session, owner, id).await?;
    let after = Transaction { entry: before.entry.clone().changed(to)?, ..before.clone() };
    if after == before {
        return Ok(after);
    }
    let token = after.entry.token_id;
    if !tokens::known(session, [token]).await?.contains(&token) {
        return Err(Refusal::invalid("token_id", "the id of a token", token).into());
    }
    bounds::more_entries(session, owner, before.portfolio_id, 0, [token].into_iter()).await?;
    let Entry { token_id, kind, quantity, amount, occurred_at, notes } = after.entry.clone();
    let update = "update transactions set token = $1, kind = $2, quantity = $3, amount = $4, occurred_at = $5, \
        notes = $6 where id = $7";
    let update = Query::new(update)
        .bind(token_id)
        .bind(kind)
        .bind(quantity)
        .bind(amount)
        .bind(occurred_at)
        .bind(notes)
        .bind(id);
    session.change(update).await?;
    let call = |other| {
        if other == id { "this transaction".into() } else { format!("the transaction {other}") }
    };
    settle(session, owner, before.portfolio_id, &touched([&before, &after]), &call).await?;
    Ok(after)
}

async fn delete(session: &mut Session, owner: &UserId, id: TransactionId) -> Result<(), Fault> {
    let before = one(session, owner, id).await?;
    session.change(Query::new("delete from transactions where id = $1").bind(id)).await?;
    let call = |other| format!("without this one, the transaction {other}");
    settle(session, owner, before.portfolio_id, &touched([&before]), &call).await
}

async fn import(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
    rows: Vec<(u64, Entry)>,
    dry_run: bool,
) -> Result<Imported, Fault> {
    portfolios::one(session, owner, portfolio).await?;
    if rows.is_empty() {
        return Ok(Imported { rows: 0, bad: Vec::new() });
    }
    let new = |(line, entry)| {
        (line, Transaction { id: TransactionId::new(), portfolio_id: portfolio, entry })
    };
    let mut new: Vec<(u64, Transaction)> = rows.into_iter().map(new).collect();
    let touched = touched(new.iter().map(|(_, one)| one));
    let tails = tails(session, portfolio, &touched).await?;
    let mut refused: HashMap<TransactionId, Stop> = HashMap::new();
    for (token, tail) in &tails {
        let mine = new.iter().filter(|(_, one)| one.entry.token_id == *token);
        let mut all: Vec<(Place, &Entry, bool)> =
            mine.map(|(_, one)| (one.place(), &one.entry, true)).collect();
        all.extend(tail.following.iter().map(|(place, entry)| (*place, entry, false)));
        all.sort_by_key(|(place, ..)| *place);
        let marked: Vec<(&Entry, bool)> =
            all.iter().map(|(_, entry, new)| (*entry, *new)).collect();
        refused
            .extend(sift(tail.from.fold, &marked).into_iter().map(|(n, stop)| (all[n].0.id, stop)));
    }
    let mut bad = Vec::with_capacity(refused.len());
    new.retain(|(line, one)| match refused.get(&one.id) {
        None => true,
        Some(stop) => {
            bad.push(BadRow { line: *line, reason: reason(stop, &one.entry) });
            false
        }
    });
    let all: Vec<Transaction> = new.into_iter().map(|(_, one)| one).collect();
    let touched = self::touched(&all);
    bounds::more_entries(session, owner, portfolio, all.len(), touched.keys().copied()).await?;
    if !dry_run && !all.is_empty() {
        insert(session, owner, &all).await?;
        let call = |id| format!("the transaction {id}");
        settle(session, owner, portfolio, &touched, &call).await?;
    }
    Ok(Imported { rows: all.len(), bad })
}

fn reason(stop: &Stop, entry: &Entry) -> String {
    match stop {
        Stop::NotEnough { held } => {
            format!(
                "Quantity: with it more would go than is held: {held} at one point, this row takes {}",
                entry.quantity
            )
        }
        Stop::TooLarge => {
            "Quantity: with it figures would have more than 20 digits before the point".into()
        }
    }
}
