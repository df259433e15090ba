//! One person, drawn: what they bought and sold, at which targets they mean to sell the rest, and what they expect of it.
//!
//! All that is drawn is a whole number of something (cents, hundred-millionths of a coin), so that no rounding of any
//! machine is in it.

use super::{market::Coin, user};
use crate::{
    domain::{
        decimal::{Decimal, NoDecimal},
        moment::Moment,
        portfolio::{
            id::TokenId,
            portfolios::NewPortfolio,
            strategy::{NewStep, NewStrategy, Status, Target, TargetKind},
            transaction::{Entry, Kind},
        },
        store::{NewExpectation, NewPerson},
    },
    platform::dice::{Dice, mix},
};

const PORTFOLIOS: [&str; 2] = ["Long term", "Trading"];
/// Tokens of a portfolio.
pub const HELD: usize = 10;
/// Tokens that both portfolios hold.
const SHARED: usize = 2;
/// Tokens that every other one is drawn from.
const POPULAR: u64 = 50;
/// Transactions of a token in a portfolio.
pub const DEALS: usize = 6;
/// How many tokens of a portfolio have a strategy.
const PLANNED: [usize; 2] = [3, 2];
const FORECASTS: [&str; 5] = ["All exits", "One way", "Another way", "If it rains", "Late"];

/// 2025-12-31, the last day on which somebody traded.
const END: i64 = 1_767_139_200;
const YEAR: u64 = 365 * 24 * 3600;

/// When all of it was entered: right after.
pub const ENTERED: Moment = before_end(0);

/// A number of hundred-millionths: of a dollar, or of a coin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Amount(u64);

/// Units of one.
const ONE: u64 = 100_000_000;
const CENT: u64 = ONE / 100;

impl Amount {
    pub const fn units(units: u64) -> Self {
        Self(units)
    }

    pub const fn cents(cents: u64) -> Self {
        Self(cents * CENT)
    }

    /// So many percent of it, cut to whole units; at least one.
    pub fn percent(self, percent: u64) -> Self {
        Self::cut(u128::from(self.0) * u128::from(percent) / 100)
    }

    /// As a quantity: what it costs at this price, cut to cents.
    fn worth(self, price: Self) -> Self {
        let units = u128::from(self.0) * u128::from(price.0) / u128::from(ONE);
        Self::cut(units / u128::from(CENT) * u128::from(CENT))
    }

    /// As dollars: how much they buy at this price.
    fn buys(self, price: Self) -> Self {
        Self::cut(u128::from(self.0) * u128::from(ONE) / u128::from(price.0.max(1)))
    }

    fn cut(units: u128) -> Self {
        Self(u64::try_from(units).unwrap_or(u64::MAX).max(1))
    }

    pub fn decimal(self) -> Result<Decimal, NoDecimal> {
        let whole = |n: u64| Decimal::whole(n.cast_signed());
        whole(self.0 / ONE).plus(whole(self.0 % ONE).over(whole(ONE))?)
    }
}

const fn before_end(seconds: u64) -> Moment {
    Moment::from_micros((END - seconds.cast_signed()) * 1_000_000)
}

/// How somebody came to what they hold of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Career {
    pub years: u64,
    /// Transactions in that time.
    pub deals: usize,
}

/// Everybody's.
const CAREER: Career = Career { years: 5, deals: DEALS };

/// How a portfolio says which seed drew it.
pub fn mark(seed: u64) -> String {
    format!("Drawn by fanfare seed, seed {seed}.")
}

/// A token as it is in the database that is filled.
pub struct Listed<'a> {
    pub id: TokenId,
    pub coin: &'a Coin,
}

/// The person of this number. `market` is all tokens, in their order.
pub fn draw(seed: u64, number: u64, market: &[Listed<'_>]) -> Result<NewPerson, NoDecimal> {
    let mut dice = Dice::new(mix(seed ^ mix(number)));
    let tokens = tokens(&mut dice, market);
    let mut drawn =
        NewPerson { user: user(number), portfolios: vec![], strategies: vec![], forecasts: vec![] };
    for (place, name) in PORTFOLIOS.into_iter().enumerate() {
        let from = place * (HELD - SHARED);
        let (mut deals, mut plans) = (Vec::new(), Vec::new());
        for (n, token) in tokens.iter().skip(from).take(HELD).enumerate() {
            let held = trade(&mut dice, token, CAREER, &mut deals)?;
            // From the end of the second one: what both hold has one strategy.
            let planned = if place == 0 { n < PLANNED[0] } else { n >= HELD - PLANNED[1] };
            if planned {
                plans.push(drawn.strategies.len());
                drawn.strategies.push(strategy(&mut dice, token, held)?);
            }
        }
        deals.sort_by_key(|deal: &Entry| deal.occurred_at);
        let description = Some(mark(seed));
        drawn
            .portfolios
            .push((NewPortfolio { name: name.into(), description, is_default: false }, deals));
        for (n, name) in FORECASTS.into_iter().enumerate() {
            let mut chosen = plans.clone();
            chosen.retain(|_| n == 0 || dice.below(2) == 0);
            drawn.forecasts.push(NewExpectation {
                name: name.into(),
                portfolio: place,
                applied: chosen,
            });
        }
    }
    Ok(drawn)
}

/// Different ones, every other one of those that most people hold.
fn tokens<'a, 'm>(dice: &mut Dice, market: &'a [Listed<'m>]) -> Vec<&'a Listed<'m>> {
    let wanted = (PORTFOLIOS.len() * HELD - SHARED).min(market.len());
    let mut chosen: Vec<usize> = Vec::with_capacity(wanted);
    while chosen.len() < wanted {
        let all = market.len() as u64;
        let end = if chosen.len().is_multiple_of(2) { POPULAR.min(all) } else { all };
        let one = dice.below(end) as usize;
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    chosen.into_iter().map(|place| &market[place]).collect()
}

/// Some years with one token; what is held in the end, which is never nothing.
pub fn trade(
    dice: &mut Dice,
    Listed { id, coin }: &Listed<'_>,
    Career { years, deals: count }: Career,
    deals: &mut Vec<Entry>,
) -> Result<Amount, NoDecimal> {
    let mut ago: Vec<u64> = (0..count).map(|_| dice.below(years * YEAR)).collect();
    ago.sort_unstable_by(|one, other| other.cmp(one));
    let mut held = Amount::default();
    for (n, ago) in ago.into_iter().enumerate() {
        let price = coin.price.percent(30 + dice.below(131));
        let roll = if n == 0 { 0 } else { dice.below(20) };
        let kind = match roll {
            0..9 => Kind::Buy,
            9..13 => Kind::Sell,
            13..15 => Kind::Staking,
            15..17 => Kind::Reward,
            17..19 => Kind::TransferIn,
            _ => Kind::TransferOut,
        };
        let (quantity, amount) = match kind {
            Kind::Buy | Kind::TransferIn => {
                let paid = Amount::cents(5_000 + dice.below(500_000));
                (paid.buys(price), paid)
            }
            Kind::Staking | Kind::Reward => (held.percent(1 + dice.below(3)), Amount::default()),
            Kind::Sell => {
                let sold = held.percent(5 + dice.below(36));
                (sold, sold.worth(price))
            }
            Kind::TransferOut => (held.percent(5 + dice.below(36)), Amount::default()),
        };
        held.0 = if kind.is_outflow() { held.0 - quantity.0 } else { held.0 + quantity.0 };
        deals.push(Entry {
            token_id: *id,
            kind,
            quantity: quantity.decimal()?,
            amount: amount.decimal()?,
            occurred_at: before_end(ago),
            notes: None,
        });
    }
    Ok(held)
}

/// Targets well above the price of now, so that nothing fires before prices have moved.
pub fn strategy(
    dice: &mut Dice,
    Listed { id, coin }: &Listed<'_>,
    held: Amount,
) -> Result<NewStrategy, NoDecimal> {
    let reference = coin.price.percent(90 + dice.below(11));
    let steps = 1 + dice.below(6);
    let (mut above, part) = (10 + dice.below(15), 100 / steps);
    let mut targets = Vec::new();
    for _ in 0..steps {
        above += 15 + dice.below(45);
        let (target_kind, target_value) = match dice.below(3) {
            0 => (TargetKind::Price, reference.percent(100 + above).decimal()?),
            _ => (TargetKind::Percentage, Decimal::whole(above.cast_signed())),
        };
        let sell_percent = Decimal::whole((part - dice.below(part / 2 + 1)).cast_signed());
        let target = Target { target_kind, target_value, sell_percent };
        targets.push(NewStep { id: None, target, state: None });
    }
    let status = match dice.below(10) {
        0..6 => Status::Active,
        6..9 => Status::Draft,
        _ => Status::Paused,
    };
    Ok(NewStrategy {
        token_id: *id,
        name: format!("Exit {}", coin.token.symbol),
        base_quantity: held.decimal()?,
        reference_price: reference.decimal()?,
        status,
        notes: None,
        steps: targets,
    })
}
