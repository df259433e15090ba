//! A query: one text for both databases, and its values.
//!
//! Placeholders are `$1`, `$2`, ... in the order in which they first stand in the text, and may stand there again.
//!
//! A connection prepares a text once and keeps it, so that to say it again costs PostgreSQL one way there and back and no
//! parsing: at 1,000 dashboards a second that is the greater part of what they ask. Texts that depend on how many values
//! there are would fill its memory: short lists come in a few lengths only; long ones, and several rows, are not kept.

use std::{borrow::Cow, fmt};

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    query_builder::{AstPass, Query as Statement, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{BigInt, Bool, HasSqlType, Nullable, Text, Untyped},
};

use crate::{
    domain::{decimal::Decimal, moment::Moment, portfolio::id},
    ids::UserId,
};

/// Values of a list whose text is kept, at most. Lists up to it have lengths that are powers of two.
const KEPT: usize = 64;

/// A query and what stands for its placeholders.
#[derive(Clone, Debug)]
pub(super) struct Query {
    text: Cow<'static, str>,
    values: Vec<Value>,
    /// Whether the text depends on how many values there are.
    varies: bool,
}

/// A query as one of the databases wants it: what stands before the number of a placeholder that stands there again.
pub(super) struct Fitted {
    query: Query,
    mark: &'static str,
}

/// What may stand for a placeholder.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    MaybeText(Option<String>),
    Int(i64),
    MaybeInt(Option<i64>),
    Bool(bool),
}

impl Query {
    pub fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), values: Vec::new(), varies: false }
    }

    /// The value of the next placeholder that stands in the text.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More text.
    pub fn and(mut self, text: &str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// A value and its placeholder.
    pub fn value(self, value: impl Into<Value>) -> Self {
        let number = self.values.len() + 1;
        self.and(&format!("${number}")).bind(value)
    }

    /// Values with commas between them, for a set: short ones end with their last value several times.
    pub fn list<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let padded = values.len().next_power_of_two();
        match values.last().cloned() {
            Some(last) if padded <= KEPT => values.resize(padded, last),
            _ => self.varies = true,
        }
        self.each(values)
    }

    /// Rows in brackets with commas between them.
    pub fn rows<const N: usize>(mut self, rows: impl IntoIterator<Item = [Value; N]>) -> Self {
        let rows: Vec<[Value; N]> = rows.into_iter().collect();
        self.varies |= rows.len() != 1;
        rows.into_iter().enumerate().fold(self, |query, (n, row)| {
            query.and(if n == 0 { "(" } else { ", (" }).each(row).and(")")
        })
    }

    fn each(self, values: impl IntoIterator<Item = Value>) -> Self {
        values
            .into_iter()
            .enumerate()
            .fold(self, |query, (n, value)| query.and(if n == 0 { "" } else { ", " }).value(value))
    }

    /// For SQLite, as diesel has it.
    pub fn for_sqlite(self) -> Fitted {
        self.fitted("?")
    }

    /// For PostgreSQL, as diesel has it.
    pub fn for_postgres(self) -> Fitted {
        self.fitted("$")
    }

    fn fitted(self, mark: &'static str) -> Fitted {
        debug_assert!(self.is_in_order(), "placeholders out of order: {}", self.text);
        Fitted { query: self, mark }
    }

    /// With its values in it, for a look at its plan.
    #[cfg(test)]
    pub fn literal(&self) -> String {
        let value = |value: &Value| match value {
            Value::Text(text) | Value::MaybeText(Some(text)) => format!("'{text}'"),
            Value::Int(int) | Value::MaybeInt(Some(int)) => int.to_string(),
            Value::Bool(bool) => bool.to_string(),
            Value::MaybeText(None) | Value::MaybeInt(None) => "null".into(),
        };
        let numbered = self.values.iter().enumerate().rev();
        numbered.fold(self.text.clone().into_owned(), |text, (n, one)| {
            text.replace(&format!("${}", n + 1), &value(one))
        })
    }

    /// Whether every value has a placeholder, and these first appear in their order.
    fn is_in_order(&self) -> bool {
        let mut seen = 0;
        let numbers = placeholders(&self.text).all(|(number, _)| {
            let is_next = number == seen + 1;
            seen += usize::from(is_next);
            is_next || (1..=seen).contains(&number)
        });
        numbers && seen == self.values.len()
    }
}

/// The numbers of a text's placeholders, each with the text behind it; 0 for a mark without a number.
fn placeholders(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('$').skip(1).map(|after| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        (after[..digits].parse().unwrap_or(0), &after[digits..])
    })
}

impl<DB> QueryFragment<DB> for Fitted
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<Bool>,
    DB: HasSqlType<Nullable<Text>> + HasSqlType<Nullable<BigInt>>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    bool: ToSql<Bool, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Query { text, values, varies } = &self.query;
        if *varies {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(text.split('$').next().unwrap_or_default());
        let mut unseen = values.iter();
        for (number, after) in placeholders(text) {
            // Either database numbers them as they come.
            let seen = values.len() - unseen.len();
            match if number > seen { unseen.next() } else { None } {
                Some(Value::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Some(Value::MaybeText(text)) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                Some(Value::Int(int)) => out.push_bind_param::<BigInt, _>(int)?,
                Some(Value::MaybeInt(int)) => out.push_bind_param::<Nullable<BigInt>, _>(int)?,
                Some(Value::Bool(bool)) => out.push_bind_param::<Bool, _>(bool)?,
                None => out.push_sql(&format!("{}{number}", self.mark)),
            }
            out.push_sql(after);
        }
        Ok(())
    }
}

/// Named by its text.
impl QueryId for Fitted {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Statement for Fitted {
    type SqlType = Untyped;
}

impl<C> RunQueryDsl<C> for Fitted {}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&UserId> for Value {
    fn from(user: &UserId) -> Self {
        user.as_str().into()
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

/// How many there are, or at most shall come.
impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<Moment> for Value {
    fn from(moment: Moment) -> Self {
        Self::Int(moment.micros())
    }
}

impl From<Option<Moment>> for Value {
    fn from(moment: Option<Moment>) -> Self {
        Self::MaybeInt(moment.map(Moment::micros))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::MaybeText(text)
    }
}

impl From<Option<Decimal>> for Value {
    fn from(decimal: Option<Decimal>) -> Self {
        Self::MaybeText(decimal.map(|decimal| decimal.to_string()))
    }
}

/// What is stored as it shows itself.
macro_rules! as_shown {
    ($($type:ty),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(shown: $type) -> Self {
                Self::Text(shown.to_string())
            }
        }
    )+};
}

as_shown! {
    Decimal, id::PortfolioId, id::TokenId, id::TransactionId, id::StrategyId, id::StepId, id::ForecastId, id::AlertId,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use diesel::{debug_query, pg::Pg, sqlite::Sqlite};

    use super::*;

    #[test]
    fn placeholders_follow_each_other_in_both_databases() {
        let list = Query::new("select 1 where a = $1 and b in (")
            .bind("a")
            .list(["b", "c"])
            .and(") and a <> $1");
        assert_eq!(list.to_string(), "select 1 where a = $1 and b in ($2, $3) and a <> $1");
        assert!(list.is_in_order());
        let (sqlite, postgres) = (list.clone().for_sqlite(), list.for_postgres());
        assert_eq!(
            debug_query::<Sqlite, _>(&sqlite).to_string(),
            r#"select 1 where a = ? and b in (?, ?) and a <> ?1 -- binds: ["a", "b", "c"]"#
        );
        assert_eq!(
            debug_query::<Pg, _>(&postgres).to_string(),
            r#"select 1 where a = $1 and b in ($2, $3) and a <> $1 -- binds: ["a", "b", "c"]"#
        );
        let rows =
            Query::new("values ").rows([["a".into(), 1i64.into()], ["b".into(), 2i64.into()]]);
        assert_eq!(rows.to_string(), "values ($1, $2), ($3, $4)");
        assert!(rows.is_in_order());
        assert!(!Query::new("$2 $1").bind(1i64).bind(2i64).is_in_order());
        assert!(!Query::new("$1").is_in_order());
        assert!(!Query::new("$").is_in_order());
    }

    #[test]
    fn texts_that_are_kept_come_in_few_lengths() {
        let of = |count: i64| Query::new("select 1 where a in (").list(0..count).and(")");
        let texts: HashSet<String> = (1..=1_000)
            .map(of)
            .filter(|query| !query.varies)
            .map(|query| query.to_string())
            .collect();
        assert_eq!(texts.len(), 7);
        assert!(of(65).varies, "too long to be kept");
        assert!(of(0).varies, "no such set");
        let is_kept = |query: Query| query.for_postgres().is_safe_to_cache_prepared(&Pg).unwrap();
        assert!(is_kept(of(3)) && !is_kept(of(65)));
        assert!(is_kept(Query::new("values ").rows([[1i64.into()]])), "one row is as any text");
        assert!(!is_kept(Query::new("values ").rows([[1i64.into()], [2i64.into()]])));
        assert_eq!(of(3).literal(), "select 1 where a in (0, 1, 2, 2)");
    }
}
