//! Somebody who has traded for twelve years: as much as one person is expected to have, all of it in one portfolio.

use super::{
    VETERAN,
    person::{Career, Listed, mark, strategy, trade},
};
use crate::{
    domain::{
        decimal::NoDecimal,
        portfolio::{portfolios::NewPortfolio, transaction::Entry},
        store::{NewExpectation, NewPerson},
    },
    ids::UserId,
    platform::dice::{Dice, mix},
};

/// Tokens that they hold.
pub const HELD: usize = 250;
/// Transactions in all.
pub const DEALS: usize = 14_400;
const YEARS: u64 = 12;
/// As everybody has them, so that their dashboard can be checked like everybody's.
const STRATEGIES: usize = 5;
const FORECASTS: usize = 10;

/// Who they are.
pub fn veteran() -> UserId {
    UserId::new(VETERAN)
}

/// All that they have: one portfolio with everything in it, and one with nothing.
pub fn draw_veteran(seed: u64, market: &[Listed<'_>]) -> Result<NewPerson, NoDecimal> {
    let mut dice = Dice::new(mix(!seed));
    let mut deals = Vec::with_capacity(DEALS);
    let mut strategies = Vec::with_capacity(STRATEGIES);
    for (n, token) in market.iter().take(HELD).enumerate() {
        let career = Career { years: YEARS, deals: DEALS / HELD + usize::from(n < DEALS % HELD) };
        let held = trade(&mut dice, token, career, &mut deals)?;
        if n < STRATEGIES {
            strategies.push(strategy(&mut dice, token, held)?);
        }
    }
    deals.sort_by_key(|deal: &Entry| deal.occurred_at);
    let portfolio = |name: &str| NewPortfolio {
        name: name.into(),
        description: Some(mark(seed)),
        is_default: false,
    };
    let forecasts = (0..FORECASTS).map(|n| NewExpectation {
        name: format!("Plan {}", n + 1),
        portfolio: 0,
        applied: (0..STRATEGIES).take(1 + n).collect(),
    });
    Ok(NewPerson {
        user: veteran(),
        portfolios: vec![(portfolio("Twelve years"), deals), (portfolio("Next"), Vec::new())],
        strategies,
        forecasts: forecasts.collect(),
    })
}
