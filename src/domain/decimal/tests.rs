//! Decimals against arithmetic on whole numbers, and what is refused.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::{Decimal, Exact, NoDecimal};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_decimal_reads_and_shows_itself_in_as_few_digits_as_say_it() {
    for (text, shown) in [
        ("0", "0"),
        ("-0", "0"),
        ("007.50", "7.5"),
        ("-0.000000000000000001", "-0.000000000000000001"),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
        ("1.100000000000000000", "1.1"),
    ] {
        assert_eq!(d(text).to_string(), shown);
        assert_eq!(serde_json::to_string(&d(text)).unwrap(), format!("{shown:?}"));
    }
}

#[test]
fn what_is_no_decimal_is_refused_and_told_what_was_expected() {
    for (text, expected) in [
        ("", "a decimal like 12.5"),
        ("-", "digits 0 to 9"),
        (".5", "digits 0 to 9"),
        ("5.", "digits 0 to 9"),
        ("+5", "digits 0 to 9"),
        ("--5", "digits 0 to 9"),
        ("1.2.3", "digits 0 to 9"),
        ("1,5", "digits 0 to 9"),
        (" 1", "digits 0 to 9"),
        ("NaN", "digits 0 to 9"),
        ("inf", "digits 0 to 9"),
        ("0x10", "digits 0 to 9"),
        ("\u{0661}\u{0662}", "digits 0 to 9"),
        ("\u{ff11}", "digits 0 to 9"),
        ("1e5", "without an exponent"),
        ("1E-5", "without an exponent"),
        ("0.0000000000000000001", "at most 18 digits after the point"),
        ("1234567890123456789012345678901234567890", "at most 38 digits"),
        ("123456789012345678901234567890.1234567890", "at most 38 digits"),
        ("100000000000000000000", "at most 20 digits before the point"),
    ] {
        let refused = text.parse::<Decimal>().unwrap_err();
        assert!(refused.expected.contains(expected), "{text}: {refused}");
        assert_eq!(refused.came, format!("{text:?}"));
    }
    let long = "9".repeat(1_000_000).parse::<Decimal>().unwrap_err();
    assert!(long.to_string().len() < 150, "a megabyte is not sent back");
}

#[test]
fn json_has_decimals_in_strings_only() {
    for wrong in ["1", "1.5", "null", "true", "[]", "\"1e3\""] {
        assert!(serde_json::from_str::<Decimal>(wrong).is_err(), "{wrong}");
    }
    assert_eq!(serde_json::from_str::<Decimal>("\"1.5\"").unwrap(), d("1.5"));
}

#[test]
fn what_gets_too_large_is_an_error() {
    let most = d("99999999999999999999.999999999999999999");
    let least = d("0.000000000000000001");
    assert_eq!(most.plus(least), Err(NoDecimal::TooLarge));
    assert_eq!(Decimal::ZERO.minus(most).unwrap().minus(least), Err(NoDecimal::TooLarge));
    assert_eq!(most.times(most), Err(NoDecimal::TooLarge));
    assert_eq!(most.over(least), Err(NoDecimal::TooLarge));
    assert_eq!(most.over(Decimal::ZERO), Err(NoDecimal::DividedByZero));
    assert_eq!(most.times_over(most, most), Ok(most), "what lies between may be larger");
    assert_eq!(Decimal::sum([most, most, Decimal::ZERO.minus(most).unwrap()]), Ok(most));
}

#[test]
fn a_tie_goes_to_the_even_neighbour() {
    for (units, by, result) in [
        ("0.000000000000000001", "2", "0"),
        ("0.000000000000000003", "2", "0.000000000000000002"),
        ("0.000000000000000005", "2", "0.000000000000000002"),
        ("-0.000000000000000003", "2", "-0.000000000000000002"),
        ("-0.000000000000000001", "2", "0"),
        ("-0.000000000000000003", "-2", "0.000000000000000002"),
        ("2", "3", "0.666666666666666667"),
        ("-1", "3", "-0.333333333333333333"),
    ] {
        assert_eq!(d(units).over(d(by)).unwrap(), d(result), "{units} / {by}");
    }
    assert_eq!(d("6750").percent_of(d("110000")).unwrap(), d("6.136363636363636364"));
    assert_eq!(d("1").percent_of(Decimal::ZERO).unwrap(), Decimal::ZERO);
}

/// The slow second opinion: of all neighbours the nearest, by comparing distances in whole numbers.
fn rounded(numerator: &BigInt, denominator: &BigInt) -> BigInt {
    let near = numerator / denominator;
    let distance = |n: &BigInt| {
        let far = n * denominator - numerator;
        if far < BigInt::ZERO { -far } else { far }
    };
    let candidates = [&near - 1, near.clone(), &near + 1];
    let best = candidates.iter().map(distance).min().unwrap();
    let mut nearest: Vec<_> = candidates.into_iter().filter(|n| distance(n) == best).collect();
    nearest.sort_by_key(|n| n.bit(0));
    nearest.swap_remove(0)
}

fn any() -> impl Strategy<Value = Decimal> {
    let most = super::END - 1;
    prop_oneof![-most..=most, -1_000_000i128..1_000_000, Just(super::ONE), Just(0), Just(most)]
        .prop_map(Decimal)
}

fn units(of: Decimal) -> BigInt {
    of.0.into()
}

proptest! {
    #[test]
    fn formulas_are_rounded_once_to_the_nearest(a in any(), b in any(), c in any()) {
        let one = BigInt::from(super::ONE);
        let check = |came: Result<Decimal, NoDecimal>, numerator: BigInt, denominator: BigInt| {
            if denominator == BigInt::ZERO {
                return came == Err(NoDecimal::DividedByZero);
            }
            let expected = rounded(&numerator, &denominator);
            match came {
                Ok(came) => units(came) == expected,
                Err(_) => expected.magnitude() >= BigInt::from(super::END).magnitude(),
            }
        };
        prop_assert!(check(a.plus(b), units(a) + units(b), 1.into()));
        prop_assert!(check(a.minus(b), units(a) - units(b), 1.into()));
        prop_assert!(check(a.times(b), units(a) * units(b), one.clone()));
        prop_assert!(check(a.over(b), units(a) * &one, units(b)));
        prop_assert!(check(a.times_over(b, c), units(a) * units(b), units(c)));
        let exact = Exact::from(a) * b - Exact::from(c);
        prop_assert!(check(exact.rounded(), units(a) * units(b) - units(c) * &one, one));
    }

    #[test]
    fn every_decimal_survives_its_text(a in any()) {
        prop_assert_eq!(a.to_string().parse::<Decimal>().unwrap(), a);
    }
}
