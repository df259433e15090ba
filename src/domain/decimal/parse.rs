//! Reading a decimal: what is refused, and in which words.

use std::{fmt, str::FromStr};

use super::{DIGITS, Decimal, FRACTION_DIGITS};

/// Characters of a wrong number that are repeated to whoever sent it, at most.
const SHOWN: usize = 48;

/// A text is no decimal: what was expected, and what came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadDecimal {
    pub expected: &'static str,
    pub came: String,
}

impl BadDecimal {
    fn new(expected: &'static str, came: &str) -> Self {
        let mut shown: String = came.chars().take(SHOWN).collect();
        if shown.len() < came.len() {
            shown.push_str("...");
        }
        Self { expected, came: format!("{shown:?}") }
    }
}

impl FromStr for Decimal {
    type Err = BadDecimal;

    /// Digits 0 to 9, one point between digits if there is one, a minus before them if it is negative.
    fn from_str(text: &str) -> Result<Self, BadDecimal> {
        let bad = |expected| Err(BadDecimal::new(expected, text));
        if text.is_empty() {
            return bad("a decimal like 12.5");
        }
        let (negative, number) = match text.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, text),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return bad(
                match text.contains(['e', 'E']) && text.contains(|c: char| c.is_ascii_digit()) {
                    true => "a decimal written out, without an exponent",
                    false => {
                        "a decimal like 12.5: digits 0 to 9 with at most one point between them"
                    }
                },
            );
        }
        let point = number.len() - whole.len();
        if point > 1 + FRACTION_DIGITS as usize {
            return bad("a decimal with at most 18 digits after the point");
        }
        if number.len() - usize::from(point > 0) > DIGITS as usize {
            return bad("a decimal with at most 38 digits");
        }
        if whole.trim_start_matches('0').len() > (DIGITS - FRACTION_DIGITS) as usize {
            return bad("a decimal with at most 20 digits before the point");
        }
        let padding = std::iter::repeat_n(b'0', FRACTION_DIGITS as usize - fraction.len());
        let units = whole
            .bytes()
            .chain(fraction.bytes())
            .chain(padding)
            .fold(0i128, |units, digit| units * 10 + i128::from(digit - b'0'));
        Ok(Self(if negative { -units } else { units }))
    }
}

impl fmt::Display for BadDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.came)
    }
}

impl std::error::Error for BadDecimal {}
