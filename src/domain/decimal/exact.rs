//! What lies between the numbers of a formula and its result: as many digits as it takes, rounded once.

use std::{
    cmp::Ordering,
    ops::{Add, Mul, Sub},
};

use num_bigint::{BigInt, Sign};

use super::{Decimal, FRACTION_DIGITS, NoDecimal};

/// An exact number: `units / 10^digits`.
#[derive(Clone, Debug, Default)]
pub struct Exact {
    units: BigInt,
    digits: u32,
}

impl Exact {
    /// A hundredth of it.
    pub fn percent(self) -> Self {
        Self { digits: self.digits + 2, ..self }
    }

    /// The nearest [`Decimal`]; of two that are as near, the one whose last digit is even.
    pub fn rounded(self) -> Result<Decimal, NoDecimal> {
        match self.digits.checked_sub(FRACTION_DIGITS) {
            Some(more) => nearest(self.units, power(more)),
            None => nearest(self.units * power(FRACTION_DIGITS - self.digits), power(0)),
        }
    }

    /// `self / by`, rounded once.
    pub fn over(self, by: Decimal) -> Result<Decimal, NoDecimal> {
        if by.is_zero() {
            return Err(NoDecimal::DividedByZero);
        }
        // units / 10^digits / (by / 10^18) in units of 10^-18.
        let units = self.units * power(2 * FRACTION_DIGITS);
        nearest(units, BigInt::from(by.0) * power(self.digits))
    }

    /// The same number with as many digits after the point as the finer one of the two.
    fn aligned(self, other: Self) -> (BigInt, BigInt, u32) {
        let digits = self.digits.max(other.digits);
        let units = |one: Self| match digits - one.digits {
            0 => one.units,
            missing => one.units * power(missing),
        };
        (units(self), units(other), digits)
    }
}

fn power(of_ten: u32) -> BigInt {
    BigInt::from(10).pow(of_ten)
}

/// `units / by` as units of a decimal, half-even.
fn nearest(units: BigInt, by: BigInt) -> Result<Decimal, NoDecimal> {
    let (mut result, rest) = (&units / &by, &units % &by);
    let half = (rest.magnitude() * 2u8).cmp(by.magnitude());
    if half == Ordering::Greater || half == Ordering::Equal && result.bit(0) {
        match (units.sign() == Sign::Minus) == (by.sign() == Sign::Minus) {
            true => result += 1,
            false => result -= 1,
        }
    }
    let units = i128::try_from(result).map_err(|_| NoDecimal::TooLarge)?;
    Decimal::of_units(units)
}

impl From<Decimal> for Exact {
    fn from(decimal: Decimal) -> Self {
        Self { units: decimal.0.into(), digits: FRACTION_DIGITS }
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (one, other, _) = self.clone().aligned(other.clone());
        Some(one.cmp(&other))
    }
}

impl Add for Exact {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (one, other, digits) = self.aligned(other);
        Self { units: one + other, digits }
    }
}

impl Sub for Exact {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (one, other, digits) = self.aligned(other);
        Self { units: one - other, digits }
    }
}

impl Mul for Exact {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { units: self.units * other.units, digits: self.digits + other.digits }
    }
}

impl Mul<Decimal> for Exact {
    type Output = Self;

    fn mul(self, other: Decimal) -> Self {
        self * Self::from(other)
    }
}
