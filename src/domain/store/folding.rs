//! Holdings follow their transactions, in the same database transaction, from the last point that still holds.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    columns::{At, Named, Shown},
    query::{Query, Value},
    session::{Fault, Session},
};
use crate::{
    domain::{
        decimal::Decimal,
        moment::Moment,
        portfolio::{
            Refusal,
            fold::{Checkpoint, Fold, Folded, Stop, resume},
            id::{PortfolioId, TokenId, TransactionId},
            transaction::{Entry, Kind, Place},
        },
    },
    ids::UserId,
};

/// Checkpoints in one statement: SQLite takes 32,766 values.
const CHUNK: usize = 1_000;

/// The tokens whose transactions change, each with the first place that does.
pub(super) type Touched = BTreeMap<TokenId, Place>;

/// Where a fold of a token goes on, and with what.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub from: Checkpoint,
    pub following: Vec<(Place, Entry)>,
    /// Checkpoints behind `from`, by their counts: they do not hold any more.
    outdated: Vec<i64>,
}

#[derive(QueryableByName)]
struct Point {
    #[diesel(sql_type = Text)]
    token: Shown<TokenId>,
    #[diesel(sql_type = Text)]
    quantity: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    invested: Shown<Decimal>,
    #[diesel(sql_type = Text)]
    realized: Shown<Decimal>,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = BigInt)]
    last_at: At,
    #[diesel(sql_type = Text)]
    last_id: Shown<TransactionId>,
}

impl Point {
    fn checkpoint(&self) -> Checkpoint {
        let (quantity, invested, realized) = (self.quantity.0, self.invested.0, self.realized.0);
        Checkpoint {
            after: Some(Place { occurred_at: self.last_at.0, id: self.last_id.0 }),
            count: self.count.unsigned_abs(),
            fold: Fold { quantity, invested, realized },
        }
    }
}

#[derive(QueryableByName)]
struct Following {
    #[diesel(sql_type = Text)]
    id: Shown<TransactionId>,
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

pub(super) const ENDS: &str = "\
select token, quantity, invested, realized, count, last_at, last_id from holdings where portfolio = $1 and token in (";

pub(super) const CHECKPOINTS: &str = "\
select token, quantity, invested, realized, count, last_at, last_id from holding_checkpoints \
where portfolio = $1 and token in (";

/// SQLite keeps the order of a cross join: for each place the rows behind it, by the index.
pub(super) const FOLLOWING: &str = "\
) select t.id, t.token, t.kind, t.quantity, t.amount, t.occurred_at, t.notes from base \
cross join transactions t where t.token = base.token and (t.occurred_at, t.id) > (base.last_at, base.last_id) \
and t.portfolio = ";

/// Reads where each touched token's fold goes on, and with what. Three queries at most.
pub(super) async fn tails(
    session: &mut Session,
    portfolio: PortfolioId,
    touched: &Touched,
) -> Result<HashMap<TokenId, Tail>, Fault> {
    let mut tails: HashMap<TokenId, Tail> = HashMap::with_capacity(touched.len());
    let ends: Vec<Point> = session.rows(points(ENDS, portfolio, touched.keys())).await?;
    for end in ends {
        let (token, end) = (end.token.0, end.checkpoint());
        // What comes after all that is there goes on from the end.
        if end.after < touched.get(&token).copied() {
            tails.insert(token, Tail { from: end, ..Tail::default() });
        }
    }
    let deep: Vec<&TokenId> = touched.keys().filter(|token| !tails.contains_key(token)).collect();
    if !deep.is_empty() {
        let all: Vec<Point> =
            session.rows(points(CHECKPOINTS, portfolio, deep.iter().copied())).await?;
        for token in deep {
            tails.insert(*token, Tail::default());
        }
        for point in all {
            let (token, checkpoint) = (point.token.0, point.checkpoint());
            let Some(tail) = tails.get_mut(&token) else { continue };
            match checkpoint.after < touched.get(&token).copied() {
                true if checkpoint.count > tail.from.count => tail.from = checkpoint,
                true => {}
                false => tail.outdated.push(point.count),
            }
        }
    }
    let base = tails.iter().map(|(token, tail)| -> [Value; 3] {
        let (at, id) = match tail.from.after {
            Some(place) => (place.occurred_at, place.id.to_string()),
            None => (Moment::from_micros(i64::MIN), String::new()),
        };
        [(*token).into(), at.into(), id.into()]
    });
    let following = Query::new("with base (token, last_at, last_id) as (values ")
        .rows(base)
        .and(FOLLOWING)
        .value(portfolio)
        .and(" order by t.token, t.occurred_at, t.id");
    let rows: Vec<Following> = session.rows(following).await?;
    for row in rows {
        let (token_id, occurred_at) = (row.token.0, row.occurred_at.0);
        let (kind, quantity, amount) = (row.kind.0, row.quantity.0, row.amount.0);
        let entry = Entry { token_id, kind, quantity, amount, occurred_at, notes: row.notes };
        if let Some(tail) = tails.get_mut(&token_id) {
            tail.following.push((Place { occurred_at, id: row.id.0 }, entry));
        }
    }
    Ok(tails)
}

fn points<'a>(
    text: &'static str,
    portfolio: PortfolioId,
    tokens: impl Iterator<Item = &'a TokenId>,
) -> Query {
    Query::new(text).bind(portfolio).list(tokens.copied()).and(")")
}

/// Folds the touched tokens anew, after their transactions were changed. `call` says how a refusal names one.
pub(super) async fn refold(
    session: &mut Session,
    owner: &UserId,
    portfolio: PortfolioId,
    touched: &Touched,
    call: &(dyn Fn(TransactionId) -> String + Sync),
) -> Result<(), Fault> {
    let tails = tails(session, portfolio, touched).await?;
    let (mut ends, mut gone, mut outdated, mut points) = (vec![], vec![], vec![], vec![]);
    for (token, tail) in tails {
        let following = tail.following.iter().map(|(place, entry)| (*place, entry));
        let folded = resume(tail.from, following)
            .map_err(|(n, stop)| refuse(stop, &tail.following[n], call))?;
        let Folded { end, on_the_way } = folded;
        outdated.extend(
            tail.outdated.into_iter().map(|count| -> [Value; 2] { [token.into(), count.into()] }),
        );
        points.extend(on_the_way.iter().filter_map(|point| columns(token, point)));
        match columns(token, &end) {
            Some(columns) => ends.push(columns),
            None => gone.push(token),
        }
    }
    if !outdated.is_empty() {
        let delete =
            "delete from holding_checkpoints where portfolio = $1 and (token, count) in (values ";
        session.change(Query::new(delete).bind(portfolio).rows(outdated).and(")")).await?;
    }
    if !gone.is_empty() {
        let delete = "delete from holdings where portfolio = $1 and token in (";
        session.change(Query::new(delete).bind(portfolio).list(gone).and(")")).await?;
    }
    if !ends.is_empty() {
        let put = "insert into holdings \
            (token, quantity, invested, realized, count, last_at, last_id, portfolio, owner) values ";
        let known = " on conflict (portfolio, token) do update set quantity = excluded.quantity, \
            invested = excluded.invested, realized = excluded.realized, count = excluded.count, \
            last_at = excluded.last_at, last_id = excluded.last_id";
        let rows = ends.into_iter().map(|[token, quantity, invested, realized, count, at, id]| {
            [token, quantity, invested, realized, count, at, id, portfolio.into(), owner.into()]
        });
        session.change(Query::new(put).rows(rows).and(known)).await?;
    }
    for points in points.chunks(CHUNK) {
        let put = "insert into holding_checkpoints \
            (token, quantity, invested, realized, count, last_at, last_id, portfolio) values ";
        let rows =
            points.iter().cloned().map(|[token, quantity, invested, realized, count, at, id]| {
                [token, quantity, invested, realized, count, at, id, portfolio.into()]
            });
        session.change(Query::new(put).rows(rows)).await?;
    }
    Ok(())
}

/// None of a beginning, after which nothing is held.
fn columns(token: TokenId, Checkpoint { after, count, fold }: &Checkpoint) -> Option<[Value; 7]> {
    let Place { occurred_at, id } = (*after)?;
    Some([
        token.into(),
        fold.quantity.into(),
        fold.invested.into(),
        fold.realized.into(),
        Value::Int(count.cast_signed()),
        occurred_at.into(),
        id.into(),
    ])
}

fn refuse(
    stop: Stop,
    (place, entry): &(Place, Entry),
    call: &(dyn Fn(TransactionId) -> String + Sync),
) -> Refusal {
    let transaction = call(place.id);
    match stop {
        Stop::NotEnough { held } => {
            Refusal::NotEnough { transaction, held, asked: entry.quantity, at: entry.occurred_at }
        }
        Stop::TooLarge => {
            let what = format!("what is held after {transaction}, or its average price");
            Refusal::OutOfRange { what }
        }
    }
}
