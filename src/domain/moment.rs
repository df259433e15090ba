//! Moments: RFC 3339 in UTC outside, microseconds since 1970 inside.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A moment, to the microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(i64);

/// A text is no moment, or one that RFC 3339 can't say in UTC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadMoment {
    expected: &'static str,
    came: String,
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// RFC 3339 has years of four digits, also where an offset leads out of them: 0000-01-01T00:00:00Z to the last
/// microsecond of 9999.
const SAID: RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;

impl Moment {
    /// Microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The present by the clock of this machine.
    pub fn now() -> Self {
        Self(Timestamp::now().as_microsecond())
    }

    /// A day as people write it in tables, `2026-01-31`: its first moment in UTC.
    pub fn of_day(text: &str) -> Option<Self> {
        let day: Date = is_like(text.as_bytes(), b"0000-00-00").then(|| text.parse().ok())??;
        Some(Self(since_epoch(day.to_datetime(Time::midnight()))))
    }
}

/// Of a date and time in UTC, in microseconds.
fn since_epoch(utc: DateTime) -> i64 {
    // The library's years end at 9999: this fits many times.
    utc.duration_since(EPOCH).as_micros() as i64
}

impl FromStr for Moment {
    type Err = BadMoment;

    /// RFC 3339 with any offset; what is finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, BadMoment> {
        let bad = |expected| BadMoment { expected, came: text.chars().take(48).collect() };
        // The library reads more than RFC 3339 has: `20260131T12Z`, `+0200`, names of zones, a sign before the year.
        let read = split(text).and_then(|(civil, offset)| {
            Some(since_epoch(civil.parse().ok()?) - offset_seconds(offset)? * 1_000_000)
        });
        let micros = read.ok_or_else(|| bad("a time like 2026-01-31T12:00:00Z"))?;
        match SAID.contains(&micros) {
            true => Ok(Self(micros)),
            false => Err(bad("a time that is in the years 0000 to 9999 in UTC, too")),
        }
    }
}

/// Whether a text has this form, in which `0` stands for any digit.
fn is_like(text: &[u8], form: &[u8]) -> bool {
    let is = |(came, form): (&u8, &u8)| match form {
        b'0' => came.is_ascii_digit(),
        other => came.eq_ignore_ascii_case(other),
    };
    text.len() == form.len() && text.iter().zip(form).all(is)
}

/// The date and time of a text of the form `date-time` (RFC 3339, 5.6), and its offset.
fn split(text: &str) -> Option<(&str, &str)> {
    const FORM: &[u8; 19] = b"0000-00-00T00:00:00";
    let (start, rest) = text.split_at_checked(FORM.len())?;
    let fraction = match rest.strip_prefix('.') {
        Some(rest) => match rest.bytes().take_while(u8::is_ascii_digit).count() {
            0 => return None,
            digits => 1 + digits,
        },
        None => 0,
    };
    is_like(start.as_bytes(), FORM).then(|| text.split_at(FORM.len() + fraction))
}

/// What an offset is ahead of UTC.
fn offset_seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if is_like(bytes, b"Z") {
        return Some(0);
    }
    let sign = if is_like(bytes, b"+00:00") { 1 } else { -1 };
    if sign < 0 && !is_like(bytes, b"-00:00") {
        return None;
    }
    let (hours, minutes): (i64, i64) = (text[1..3].parse().ok()?, text[4..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match EPOCH.checked_add(SignedDuration::from_micros(self.0)) {
            Ok(utc) => write!(f, "{utc}Z"),
            // Nothing that was read can be.
            Err(_) => write!(f, "{} us since 1970", self.0),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BadMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {:?}", self.expected, self.came)
    }
}

impl std::error::Error for BadMoment {}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_with_any_offset_and_shown_in_utc() {
        for (text, shown) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.5Z"),
            ("2026-01-31T12:00:00-00:30", "2026-01-31T12:30:00Z"),
            ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
            ("1969-12-31T23:59:59.9+00:00", "1969-12-31T23:59:59.9Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("0000-01-01T23:59:00+23:59", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31T00:00:59-23:59", "9999-12-31T23:59:59Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.to_string(), shown);
            assert_eq!(shown.parse(), Ok(moment), "it is read again");
        }
        for day in ["2026-01-31", "0000-01-01", "9999-12-31"] {
            assert_eq!(Moment::of_day(day), format!("{day}T00:00:00Z").parse().ok(), "{day}");
        }
    }

    #[test]
    fn a_moment_whose_year_in_utc_has_no_four_digits_is_refused() {
        for text in [
            "0000-01-01T00:00:00+23:59",
            "0000-01-01T00:00:00.999999+00:01",
            "9999-12-31T23:59:00-00:01",
            "9999-12-31T23:59:59-23:59",
        ] {
            let refused = text.parse::<Moment>().unwrap_err().to_string();
            assert!(
                refused.starts_with("expected a time that is in the years 0000 to 9999"),
                "{refused}"
            );
            assert!(refused.contains(text), "{refused}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-13-31T12:00:00Z",
            "20260131T120000Z",
            "2026-01-31T12:00:00Z[UTC]",
            "+002026-01-31T12:00:00Z",
            "\u{662}026-01-31T12:00:00Z",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00+02",
            "2026-01-31T12:00:00+02:00:00",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00 Z",
            "2026-01-31T12:00:00\u{2212}02:00",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+02:60",
            "2026-01-31T12:00:00.5\u{e9}00:00",
        ] {
            let refused = text.parse::<Moment>().unwrap_err();
            assert!(refused.to_string().contains("2026-01-31T12:00:00Z"), "{text}");
        }
        for text in ["", "2026-02-30", "31.01.2026", "\u{662}02-01-31", "20260131T0"] {
            assert_eq!(Moment::of_day(text), None, "{text}");
        }
    }
}
