//! The worked examples of docs/PORTFOLIO.md, and formulas against a slow second opinion.

mod examples;
mod importing;
mod listing;
mod opinion;
mod records;
mod refusing;
mod sifting;

use super::{
    fold::{Checkpoint, Fold, resume},
    holding::Holding,
    id::{PortfolioId, TokenId, TransactionId},
    strategy::{NewStep, Target, TargetKind},
    token::{Price, Token},
    transaction::{Entry, Kind, Place},
};
use crate::domain::{decimal::Decimal, moment::Moment};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn token(symbol: &str) -> Token {
    Token {
        id: TokenId::new(),
        symbol: symbol.into(),
        name: symbol.into(),
        provider_id: 1,
        logo_url: None,
    }
}

fn entry(token: TokenId, kind: Kind, quantity: &str, amount: &str) -> Entry {
    let (quantity, amount) = (d(quantity), d(amount));
    Entry { token_id: token, kind, quantity, amount, occurred_at: Moment::default(), notes: None }
}

/// Holds `quantity` that cost `invested`.
fn holding(symbol: &str, quantity: &str, invested: &str) -> Holding {
    let fold = Fold { quantity: d(quantity), invested: d(invested), realized: Decimal::ZERO };
    Holding { portfolio: PortfolioId::new(), token: token(symbol), fold }
}

fn price(price: &str) -> Price {
    Price { price: d(price), observed_at: Moment::default() }
}

fn percent(target: &str, sell: &str) -> Target {
    let target_kind = TargetKind::Percentage;
    Target { target_kind, target_value: d(target), sell_percent: d(sell) }
}

fn at(target: &str, sell: &str) -> Target {
    Target { target_kind: TargetKind::Price, ..percent(target, sell) }
}

fn step(target: Target) -> NewStep {
    NewStep { id: None, target, state: None }
}

/// Entries with places in their order.
fn placed(entries: &[Entry]) -> Vec<(Place, &Entry)> {
    let place = |entry: &Entry| Place { occurred_at: entry.occurred_at, id: TransactionId::new() };
    entries.iter().map(|entry| (place(entry), entry)).collect()
}

fn fold(entries: &[Entry]) -> Fold {
    resume(Checkpoint::default(), placed(entries)).unwrap().end.fold
}
