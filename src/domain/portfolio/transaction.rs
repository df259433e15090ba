//! Transactions: what came into a portfolio and what went.

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Refusal,
    id::{PortfolioId, TokenId, TransactionId},
    words,
};
use crate::domain::{decimal::Decimal, moment::Moment};

/// Transactions of one request, at most.
pub const MOST: usize = 1_000;

/// What kind of coming or going it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransactionKind)]
pub enum Kind {
    Buy,
    Sell,
    TransferIn,
    TransferOut,
    Staking,
    Reward,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Buy, Self::Sell, Self::TransferIn, Self::TransferOut, Self::Staking, Self::Reward];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::TransferIn => "transfer_in",
            Self::TransferOut => "transfer_out",
            Self::Staking => "staking",
            Self::Reward => "reward",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it takes from what is held.
    pub const fn is_outflow(self) -> bool {
        matches!(self, Self::Sell | Self::TransferOut)
    }
}

/// A transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Transaction {
    pub id: TransactionId,
    pub portfolio_id: PortfolioId,
    #[serde(flatten)]
    pub entry: Entry,
}

/// What somebody says about a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTransaction)]
pub struct Entry {
    pub token_id: TokenId,
    pub kind: Kind,
    /// More than 0.
    pub quantity: Decimal,
    /// USD for all of it, 0 or more.
    pub amount: Decimal,
    pub occurred_at: Moment,
    /// Up to 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// What is to change about a transaction; what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TransactionChange)]
pub struct Change {
    #[schema(nullable = false)]
    pub token_id: Option<TokenId>,
    #[schema(nullable = false)]
    pub kind: Option<Kind>,
    #[schema(nullable = false)]
    pub quantity: Option<Decimal>,
    #[schema(nullable = false)]
    pub amount: Option<Decimal>,
    #[schema(nullable = false)]
    pub occurred_at: Option<Moment>,
    /// `null` takes them away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub notes: Option<Option<String>>,
}

/// Tells `null` from what was left out.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Entry {
    /// Checks it; what comes back is trimmed.
    pub fn checked(self) -> Result<Self, Refusal> {
        if !self.quantity.is_positive() {
            return Err(Refusal::invalid("quantity", "more than 0", self.quantity));
        }
        if self.amount.is_negative() {
            return Err(Refusal::invalid("amount", "0 or more", self.amount));
        }
        Ok(Self { notes: words::optional("notes", self.notes.as_deref(), 2_000)?, ..self })
    }

    /// The same with a change, checked.
    pub fn changed(self, change: Change) -> Result<Self, Refusal> {
        let entry = Self {
            token_id: change.token_id.unwrap_or(self.token_id),
            kind: change.kind.unwrap_or(self.kind),
            quantity: change.quantity.unwrap_or(self.quantity),
            amount: change.amount.unwrap_or(self.amount),
            occurred_at: change.occurred_at.unwrap_or(self.occurred_at),
            notes: change.notes.unwrap_or(self.notes),
        };
        entry.checked()
    }
}

/// What can be entered in one call; a refusal names the place. What comes back is trimmed.
pub fn checked(entries: Vec<Entry>) -> Result<Vec<Entry>, Refusal> {
    words::list("transactions", entries.len(), 1, MOST)?;
    let place =
        |(n, entry): (usize, Entry)| entry.checked().map_err(|bad| bad.within("transactions", n));
    entries.into_iter().enumerate().map(place).collect()
}

impl Transaction {
    /// Where it stands among the transactions of its token.
    pub fn place(&self) -> Place {
        Place { occurred_at: self.entry.occurred_at, id: self.id }
    }
}

/// Where a transaction stands: by its time, and among those of one time by its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub occurred_at: Moment,
    pub id: TransactionId,
}
