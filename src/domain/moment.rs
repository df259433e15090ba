//! Moments: RFC 3339 in UTC outside, microseconds since 1970 inside.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A moment, to the microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(i64);

/// A text is no moment; it holds what came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadMoment(String);

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
        let day: Date = (text.len() == 10).then(|| text.parse().ok())??;
        Some(Self(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond()))
    }
}

impl FromStr for Moment {
    type Err = BadMoment;

    /// RFC 3339 with any offset; what is finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, BadMoment> {
        let bad = || BadMoment(text.chars().take(48).collect());
        // The library reads more than RFC 3339 has: `20260131T12Z`, `+0200`, names of zones, a sign before the year.
        if !is_rfc3339(text.as_bytes()) {
            return Err(bad());
        }
        Ok(Self(text.parse::<Timestamp>().map_err(|_| bad())?.as_microsecond()))
    }
}

/// Whether a text has the form of `date-time` (RFC 3339, 5.6).
fn is_rfc3339(text: &[u8]) -> bool {
    const FORM: &[u8; 19] = b"0000-00-00T00:00:00";
    let like = |text: &[u8], form: &[u8]| {
        let is = |(came, form): (&u8, &u8)| match form {
            b'0' => came.is_ascii_digit(),
            other => came.eq_ignore_ascii_case(other),
        };
        text.len() == form.len() && text.iter().zip(form).all(is)
    };
    let Some((start, rest)) = text.split_at_checked(FORM.len()) else { return false };
    let offset = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        _ => rest,
    };
    like(start, FORM) && [&b"Z"[..], b"+00:00", b"-00:00"].iter().any(|form| like(offset, form))
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(moment) => fmt::Display::fmt(&moment, f),
            // Nothing that was read can be: years end at 9999.
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
        write!(f, "expected a time like 2026-01-31T12:00:00Z, got {:?}", self.0)
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
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), shown);
        }
        assert_eq!(Moment::of_day("2026-01-31"), "2026-01-31T00:00:00Z".parse().ok());
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
        ] {
            let refused = text.parse::<Moment>().unwrap_err();
            assert!(refused.to_string().contains("2026-01-31T12:00:00Z"), "{text}");
        }
        for text in ["", "2026-02-30", "31.01.2026", "\u{662}02-01-31"] {
            assert_eq!(Moment::of_day(text), None, "{text}");
        }
    }
}
