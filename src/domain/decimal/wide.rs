//! What lies between two factors and a divisor: 256 bits hold the product of any two decimals.

use ethnum::U256;

use super::{Decimal, NoDecimal};

/// `one * other / by` in units, rounded once to the nearest; of two that are as near, to the even one.
pub(super) fn quotient(one: i128, other: i128, by: i128) -> Result<Decimal, NoDecimal> {
    if by == 0 {
        return Err(NoDecimal::DividedByZero);
    }
    let is_negative = (one < 0) ^ (other < 0) ^ (by < 0);
    let (one, other, by) = (one.unsigned_abs(), other.unsigned_abs(), by.unsigned_abs());
    let units = match one.checked_mul(other) {
        Some(product) => nearest(product / by, product % by, by),
        None => {
            let (quotient, rest) = (U256::from(one) * U256::from(other)).div_rem(by.into());
            let quotient = u128::try_from(quotient).map_err(|_| NoDecimal::TooLarge)?;
            // Less than the divisor, so it fits.
            nearest(quotient, rest.as_u128(), by)
        }
    };
    let units = units.and_then(|units| i128::try_from(units).ok()).ok_or(NoDecimal::TooLarge)?;
    Decimal::of_units(if is_negative { -units } else { units })
}

/// None if it is too large.
fn nearest(quotient: u128, rest: u128, by: u128) -> Option<u128> {
    // The distance to the next one.
    let missing = by - rest;
    let up = rest > missing || rest == missing && quotient % 2 == 1;
    quotient.checked_add(u128::from(up))
}
