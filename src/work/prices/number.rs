//! A JSON number as a decimal, without a float in between. Pure.

use crate::domain::decimal::{Decimal, FRACTION_DIGITS};

/// Digits and exponents beyond that are no price.
const LONGEST: usize = 64;
const WIDEST: i32 = 64;

/// Reads a JSON number, also with an exponent; digits past the eighteenth after the point are rounded half-even.
/// None if it is no number, or too large.
pub fn decimal(text: &str) -> Option<Decimal> {
    if text.len() > LONGEST {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    if exponent.abs() > WIDEST {
        return None;
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if whole.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Where the point stands among the digits, which may be before the first or behind the last.
    let point = whole.len() as i32 + exponent;
    let digit = |at: i32| match usize::try_from(at).ok().and_then(|at| digits.get(at)) {
        Some(digit) => *digit - b'0',
        None => 0,
    };
    let last = point + FRACTION_DIGITS as i32;
    let mut kept: Vec<u8> = (point.min(0)..last).map(digit).collect();
    if rounds_up(digit(last), (last + 1..digits.len() as i32).map(digit), kept.last().copied()) {
        add_one(&mut kept);
    }
    let split = kept.len() - FRACTION_DIGITS as usize;
    let text =
        |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
    let (whole, fraction) = (text(&kept[..split]), text(&kept[split..]));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    format!("{sign}{whole}.{fraction}").parse().ok()
}

/// Half-even: whether the digits that are dropped, `first` and `rest`, add one to the last that is kept.
fn rounds_up(first: u8, mut rest: impl Iterator<Item = u8>, kept: Option<u8>) -> bool {
    let more = rest.any(|digit| digit > 0);
    first > 5 || first == 5 && (more || kept.is_some_and(|kept| kept % 2 == 1))
}

fn add_one(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_are_read_to_the_last_digit() {
        for (number, read) in [
            ("9602.595948", "9602.595948"),
            ("0", "0"),
            ("-0.5", "-0.5"),
            ("1e3", "1000"),
            ("1.5E+2", "150"),
            ("1.2345e-7", "0.00000012345"),
            ("2e-18", "0.000000000000000002"),
            ("5e-19", "0"),
            ("15e-19", "0.000000000000000002"),
            ("25e-19", "0.000000000000000002"),
            ("2.500000000000000001e-18", "0.000000000000000003"),
            ("0.9999999999999999999", "1"),
            ("99999999999999999999", "99999999999999999999"),
            ("0.1000000000000000055511151231257827", "0.100000000000000006"),
        ] {
            assert_eq!(decimal(number).map(|d| d.to_string()), Some(read.into()), "{number}");
        }
    }

    #[test]
    fn what_is_no_price_is_none() {
        for text in [
            "",
            "null",
            "\"1\"",
            "1e",
            "1e99",
            "NaN",
            ".5",
            "1_0",
            "100000000000000000000",
            "-",
            "--1",
            "٣",
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal(&"1".repeat(65)), None);
    }
}
