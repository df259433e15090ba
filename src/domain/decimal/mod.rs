//! Decimals of money and quantities: 20 digits before the point and 18 after it, never a float.
//!
//! A [`Decimal`] is what is stored, sent and shown. What a formula does with several of them happens in [`Exact`],
//! which has as many digits as it takes, and is rounded once, half-even, when it becomes a [`Decimal`] again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod exact;
mod parse;
#[cfg(test)]
mod tests;

pub use exact::Exact;
pub use parse::BadDecimal;

/// Digits after the point.
pub const FRACTION_DIGITS: u32 = 18;

/// Digits in all.
pub const DIGITS: u32 = 38;

/// Units of one.
const ONE: i128 = 10i128.pow(FRACTION_DIGITS);

/// The first number that is too large, in units.
const END: i128 = 10i128.pow(DIGITS);

/// A number with up to 18 digits after the point and 20 before it, exact. Written as a JSON string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, utoipa::ToSchema)]
#[schema(value_type = String, example = "12.5", pattern = r"^-?[0-9]+(\.[0-9]{1,18})?$")]
pub struct Decimal(i128);

/// The result of a formula is no [`Decimal`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoDecimal {
    /// More than 20 digits before the point.
    TooLarge,
    /// A division by 0.
    DividedByZero,
}

impl Decimal {
    pub const ZERO: Self = Self(0);
    pub const TENTH: Self = Self(ONE / 10);
    pub const ONE: Self = Self(ONE);
    pub const HUNDRED: Self = Self(100 * ONE);

    /// A whole number.
    pub const fn whole(number: i64) -> Self {
        Self(number as i128 * ONE)
    }

    fn of_units(units: i128) -> Result<Self, NoDecimal> {
        match units.unsigned_abs() < END.unsigned_abs() {
            true => Ok(Self(units)),
            false => Err(NoDecimal::TooLarge),
        }
    }

    /// Exact.
    pub fn plus(self, other: Self) -> Result<Self, NoDecimal> {
        self.0.checked_add(other.0).map_or(Err(NoDecimal::TooLarge), Self::of_units)
    }

    /// Exact.
    pub fn minus(self, other: Self) -> Result<Self, NoDecimal> {
        self.0.checked_sub(other.0).map_or(Err(NoDecimal::TooLarge), Self::of_units)
    }

    /// `self * other`, rounded once.
    pub fn times(self, other: Self) -> Result<Self, NoDecimal> {
        (Exact::from(self) * other).rounded()
    }

    /// `self / by`, rounded once.
    pub fn over(self, by: Self) -> Result<Self, NoDecimal> {
        Exact::from(self).over(by)
    }

    /// Whether [`Self::over`] has a result, where neither is negative and `by` is not 0.
    pub fn fits_over(self, by: Self) -> bool {
        // By 1 or more nothing gets larger; below it the largest dividend is still a decimal.
        by.0 >= ONE || self.0 < by.0 * (END / ONE)
    }

    /// `self * by / over`, rounded once.
    pub fn times_over(self, by: Self, over: Self) -> Result<Self, NoDecimal> {
        (Exact::from(self) * by).over(over)
    }

    /// How many percent of `whole` this is, rounded once; 0 of nothing.
    pub fn percent_of(self, whole: Self) -> Result<Self, NoDecimal> {
        match whole.is_zero() {
            true => Ok(Self::ZERO),
            false => self.times_over(Self::HUNDRED, whole),
        }
    }

    /// The sum of all. Exact, also where a part of the sum would be too large.
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Result<Self, NoDecimal> {
        all.into_iter().fold(Exact::default(), |sum, one| sum + Exact::from(one)).rounded()
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Decimal {
    /// As few digits as say it: `2500`, `-0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, one) = (self.0.unsigned_abs(), ONE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        match units % one {
            0 => write!(f, "{sign}{}", units / one),
            fraction => {
                let digits = format!("{fraction:018}");
                write!(f, "{sign}{}.{}", units / one, digits.trim_end_matches('0'))
            }
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal in a JSON string, like \"12.5\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

impl fmt::Display for NoDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the result has more than 20 digits before the point",
            Self::DividedByZero => "the result is a division by 0",
        })
    }
}

impl std::error::Error for NoDecimal {}
