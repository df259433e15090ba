//! A query: one text for both databases, and its values.
//!
//! Placeholders are `$1`, `$2`, ... in the order in which they first stand in the text. SQLite gets them as `?1`, `?2`,
//! ...: `$1` is a name to it, which it looks for among all names before, and a statement has up to 9,000.

use std::{borrow::Cow, fmt};

use diesel::{
    backend::Backend,
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    serialize::ToSql,
    sql_query,
    sql_types::{BigInt, Bool, HasSqlType, Nullable, Text},
    sqlite::Sqlite,
};

use crate::{
    domain::{decimal::Decimal, moment::Moment, portfolio::id},
    ids::UserId,
};

/// What stands before the number of a placeholder, and nowhere else in a text.
const MARK: &str = "$";

/// A query and what stands for its placeholders.
#[derive(Clone, Debug)]
pub(super) struct Query {
    text: Cow<'static, str>,
    values: Vec<Value>,
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
        Self { text: Cow::Borrowed(text), values: Vec::new() }
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

    /// Values with commas between them.
    pub fn list<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Self {
        values
            .into_iter()
            .enumerate()
            .fold(self, |query, (n, value)| query.and(if n == 0 { "" } else { ", " }).value(value))
    }

    /// Rows in brackets with commas between them.
    pub fn rows<const N: usize>(self, rows: impl IntoIterator<Item = [Value; N]>) -> Self {
        rows.into_iter().enumerate().fold(self, |query, (n, row)| {
            query.and(if n == 0 { "(" } else { ", (" }).list(row).and(")")
        })
    }

    /// For SQLite, as diesel has it.
    pub fn for_sqlite(self) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
        self.numbered_by("?").boxed()
    }

    /// For PostgreSQL, as diesel has it.
    pub fn for_postgres(self) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
        self.numbered_by(MARK).boxed()
    }

    /// With another mark before the numbers of its placeholders.
    fn numbered_by(mut self, mark: &str) -> Self {
        debug_assert!(self.is_in_order(), "placeholders out of order: {}", self.text);
        if mark != MARK {
            self.text = Cow::Owned(self.text.replace(MARK, mark));
        }
        self
    }

    fn boxed<DB>(self) -> BoxedSqlQuery<'static, DB, SqlQuery>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<Bool>,
        DB: HasSqlType<Nullable<Text>> + HasSqlType<Nullable<BigInt>>,
        String: ToSql<Text, DB>,
        i64: ToSql<BigInt, DB>,
        bool: ToSql<Bool, DB>,
        Option<String>: ToSql<Nullable<Text>, DB>,
        Option<i64>: ToSql<Nullable<BigInt>, DB>,
    {
        let query = sql_query(self.text).into_boxed::<DB>();
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind::<Text, _>(text),
            Value::MaybeText(text) => query.bind::<Nullable<Text>, _>(text),
            Value::Int(int) => query.bind::<BigInt, _>(int),
            Value::MaybeInt(int) => query.bind::<Nullable<BigInt>, _>(int),
            Value::Bool(bool) => query.bind::<Bool, _>(bool),
        })
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
        for after in self.text.split('$').skip(1) {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            match after[..digits].parse::<usize>() {
                Ok(number) if number == seen + 1 => seen = number,
                Ok(number) if number <= seen => {}
                _ => return false,
            }
        }
        seen == self.values.len()
    }
}

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
    use super::*;

    #[test]
    fn placeholders_follow_each_other_in_both_databases() {
        let list = Query::new("select 1 where a = $1 and b in (")
            .bind("a")
            .list(["b", "c"])
            .and(") and a <> $1");
        assert_eq!(list.to_string(), "select 1 where a = $1 and b in ($2, $3) and a <> $1");
        assert!(list.is_in_order());
        assert_eq!(
            list.clone().numbered_by("?").to_string(),
            "select 1 where a = ?1 and b in (?2, ?3) and a <> ?1"
        );
        let rows =
            Query::new("values ").rows([["a".into(), 1i64.into()], ["b".into(), 2i64.into()]]);
        assert_eq!(rows.to_string(), "values ($1, $2), ($3, $4)");
        assert!(rows.is_in_order());
        assert!(!Query::new("$2 $1").bind(1i64).bind(2i64).is_in_order());
        assert!(!Query::new("$1").is_in_order());
    }
}
