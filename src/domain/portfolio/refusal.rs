//! Why something was not done: one table of codes, statuses and words.

use std::fmt;

use crate::domain::{
    decimal::{Decimal, NoDecimal},
    moment::Moment,
};

/// Why something was not done. Unless it says otherwise, nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A field is not as it has to be. `field` is a path like `transactions[3].quantity`.
    Invalid { field: String, expected: String, came: String },
    /// There is no such thing, or it is somebody else's.
    NotFound { what: &'static str },
    /// A portfolio of that name is there already.
    NameTaken { name: String },
    /// More would go than is held.
    NotEnough { transaction: String, held: Decimal, asked: Decimal, at: Moment },
    /// A figure would have more than 20 digits before the point.
    OutOfRange { what: String },
    /// The key of a request was used for another one.
    KeyReused,
    /// The store does not answer; nothing was changed.
    Unavailable(String),
    /// What is stored can't be read; nothing was changed.
    Damaged(String),
    /// The store went while it committed: it may have been done.
    Unknown(String),
}

impl Refusal {
    pub fn invalid(field: &str, expected: impl Into<String>, came: impl fmt::Display) -> Self {
        Self::Invalid { field: field.into(), expected: expected.into(), came: came.to_string() }
    }

    /// Stable: programs may compare it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_field",
            Self::NotFound { .. } => "not_found",
            Self::NameTaken { .. } => "name_taken",
            Self::NotEnough { .. } => "insufficient_quantity",
            Self::OutOfRange { .. } => "out_of_range",
            Self::KeyReused => "idempotency_key_reused",
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::Damaged(_) => "data_damaged",
            Self::Unknown(_) => "outcome_unknown",
        }
    }

    /// As HTTP has it.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            Self::NameTaken { .. } | Self::KeyReused => 409,
            Self::Invalid { .. } | Self::NotEnough { .. } | Self::OutOfRange { .. } => 422,
            Self::Damaged(_) => 500,
            Self::Unavailable(_) | Self::Unknown(_) => 503,
        }
    }

    /// A formula had no result.
    pub fn no_decimal(what: impl Into<String>) -> impl FnOnce(NoDecimal) -> Self {
        move |_| Self::OutOfRange { what: what.into() }
    }

    /// The same about the `n`th of a list called `name`.
    pub fn within(self, name: &str, n: usize) -> Self {
        match self {
            Self::Invalid { field, expected, came } => {
                Self::Invalid { field: format!("{name}[{n}].{field}"), expected, came }
            }
            other => other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, expected, came } => {
                write!(f, "{field}: expected {expected}, got {came}")
            }
            Self::NotFound { what } => write!(f, "there is no such {what}; ask for the list of yours"),
            Self::NameTaken { name } => {
                write!(f, "name: expected one that none of your portfolios has, got {name:?}; choose another")
            }
            Self::NotEnough { transaction, held, asked, at } => write!(
                f,
                "{transaction} at {at}: expected at most {held}, which is what is held at that time, got {asked}; \
                 lower it, or enter what came in before"
            ),
            Self::OutOfRange { what } => {
                write!(f, "{what}: expected a result with at most 20 digits before the point; enter smaller numbers")
            }
            Self::KeyReused => f.write_str(
                "Idempotency-Key: expected a new one for a new request; this one came with another request before",
            ),
            // Why is for the log: it may name hosts.
            Self::Unavailable(_) => {
                f.write_str("the database does not answer at the moment and nothing was changed; try again")
            }
            Self::Damaged(_) => f.write_str(
                "what is stored here can't be read and nothing was changed; its operator finds in the log what it is",
            ),
            Self::Unknown(_) => f.write_str(
                "the database went away while it wrote: it may have been done; look, or repeat it with the same \
                 Idempotency-Key",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
