//! Decimals of money and quantities: 20 digits before the point and 18 after it, never a float.
//!
//! A [`Decimal`] is what is stored, sent and shown. What a formula does with two or three of them happens in 256 bits, with
//! more of them in [`Exact`], which has as many digits as it takes; both are rounded once, half-even.

use std::fmt;

use ethnum::I256;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod exact;
mod parse;
#[cfg(test)]
mod tests;
mod wide;

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
        wide::quotient(self.0, other.0, ONE)
    }

    /// `self / by`, rounded once.
    pub fn over(self, by: Self) -> Result<Self, NoDecimal> {
        wide::quotient(self.0, ONE, by.0)
    }

    /// Whether [`Self::over`] has a result, where neither is negative and `by` is not 0.
    pub fn fits_over(self, by: Self) -> bool {
        // By 1 or more nothing gets larger; below it the largest dividend is still a decimal.
        by.0 >= ONE || self.0 < by.0 * (END / ONE)
    }

    /// `self * by / over`, rounded once.
    pub fn times_over(self, by: Self, over: Self) -> Result<Self, NoDecimal> {
        wide::quotient(self.0, by.0, over.0)
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
        let sum = all.into_iter().fold(I256::ZERO, |sum, one| sum + I256::from(one.0));
        i128::try_from(sum).map_err(|_| NoDecimal::TooLarge).and_then(Self::of_units)
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

/// Bytes of the longest text: a sign, 20 digits, the point and 18 more.
const LONGEST: usize = 40;

/// As many as a decimal has digits after the point.
const ZEROS: &str = "000000000000000000";

impl Decimal {
    /// As few digits as say it: `2500`, `-0.5`. Pages have hundreds of decimals: nothing here takes memory of the heap.
    fn write(self, to: &mut [u8; LONGEST]) -> &str {
        let (units, one) = (self.0.unsigned_abs(), ONE.unsigned_abs());
        let (mut whole, mut fraction) = (itoa::Buffer::new(), itoa::Buffer::new());
        // Less than 10^18.
        let fraction = fraction.format((units % one) as u64);
        let zeros = &ZEROS[fraction.len()..];
        let (point, zeros, fraction) = match fraction.trim_end_matches('0') {
            "" => ("", "", ""),
            fraction => (".", zeros, fraction),
        };
        let sign = if self.0 < 0 { "-" } else { "" };
        let mut end = 0;
        for text in [sign, whole.format(units / one), point, zeros, fraction] {
            to[end..end + text.len()].copy_from_slice(text.as_bytes());
            end += text.len();
        }
        std::str::from_utf8(&to[..end]).unwrap_or_default()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; LONGEST]))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.write(&mut [0; LONGEST]))
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
