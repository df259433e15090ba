//! How a column becomes what it holds.

use std::{fmt, str::FromStr};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql},
    sql_types::{BigInt, Text},
};

use crate::domain::moment::Moment;

/// What is stored as it shows itself: ids, decimals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<T>(pub T);

/// A moment, stored in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct At(pub Moment);

impl<T, DB> FromSql<Text, DB> for Shown<T>
where
    DB: Backend,
    String: FromSql<Text, DB>,
    T: FromStr<Err: fmt::Display>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(bytes)?;
        text.parse()
            .map(Self)
            .map_err(|bad: T::Err| format!("a column holds {text:?}: {bad}").into())
    }
}

impl<DB> FromSql<BigInt, DB> for At
where
    DB: Backend,
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(|micros| Self(Moment::from_micros(micros)))
    }
}

/// What is stored by one of a few names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<T>(pub T);

/// A type of a few values, each with a name.
pub(super) trait Names: Sized {
    fn named(name: &str) -> Option<Self>;
}

impl<T, DB> FromSql<Text, DB> for Named<T>
where
    DB: Backend,
    String: FromSql<Text, DB>,
    T: Names,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let name = String::from_sql(bytes)?;
        T::named(&name)
            .map(Self)
            .ok_or_else(|| format!("a column holds the unknown name {name:?}").into())
    }
}

macro_rules! named {
    ($($type:ty),+ $(,)?) => {$(
        impl Names for $type {
            fn named(name: &str) -> Option<Self> {
                Self::parse(name)
            }
        }

        impl From<$type> for crate::domain::store::query::Value {
            fn from(named: $type) -> Self {
                named.as_str().into()
            }
        }
    )+};
}

mod named {
    use super::Names;
    use crate::domain::portfolio::{
        alert,
        strategy::{Status, StepState, TargetKind},
        transaction,
    };

    named! { transaction::Kind, alert::Kind, Status, StepState, TargetKind }
}
