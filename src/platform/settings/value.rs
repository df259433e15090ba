//! Single values of settings: how each kind is read from TOML or an environment variable, and written back.

use std::{fmt, net::IpAddr, time::Duration};

use toml::Value;

use super::section::{AsShape, Shape};

/// A value that can be set.
pub trait Leaf {
    /// Takes over a value from a file; an error says what a good one looks like.
    fn set(&mut self, value: &Value) -> Result<(), String>;

    /// Takes over the text of an environment variable or a flag.
    ///
    /// Text is JSON or TOML where that makes sense, else the string itself: `25s`, `8000`, `["a", "b"]`.
    fn set_text(&mut self, text: &str) -> Result<(), String> {
        self.set(&value_of(text))
    }

    /// Whether what was given may not be repeated in a message.
    fn is_secret(&self) -> bool {
        false
    }

    /// The value as it stands in a TOML file; `"***"` for a secret that is set.
    fn print(&self) -> String;
}

/// Reads a variable's text as JSON, else as a TOML value, else as the string that it is.
pub fn value_of(text: &str) -> Value {
    let toml = || toml::from_str::<toml::Table>(&format!("v = {text}")).ok()?.remove("v");
    serde_json::from_str(text).ok().or_else(toml).unwrap_or_else(|| Value::String(text.into()))
}

/// A TOML string: quotes and escapes as in JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number of bytes, written `512KiB` or `1MiB`, or as a plain number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl Size {
    /// Bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// So many KiB.
    pub const fn kib(n: usize) -> Self {
        Self(n << 10)
    }

    /// So many MiB.
    pub const fn mib(n: usize) -> Self {
        Self(n << 20)
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let factor = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        usize::try_from(number).ok()?.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 > 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that nobody may see: prints as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever signs, verifies or compares. Never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if it was not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

/// Reads `25s`, `500ms`, `5m`, `2h`, `7d`; none if it is anything else, a bare number included.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Writes a duration in its largest whole unit.
pub fn show_duration(duration: Duration) -> String {
    if duration.subsec_millis() > 0 {
        return format!("{}ms", duration.as_millis());
    }
    let seconds = duration.as_secs();
    for (length, unit) in [(86400, "d"), (3600, "h"), (60, "m")] {
        if seconds > 0 && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// Makes types leaves: (type, what is expected, value -> option, self -> text).
macro_rules! leaves {
    ($($type:ty: $expected:literal, $read:expr, $print:expr;)*) => {$(
        impl Leaf for $type {
            fn set(&mut self, value: &Value) -> Result<(), String> {
                let read: fn(&Value) -> Option<$type> = $read;
                *self = read(value).ok_or($expected)?;
                Ok(())
            }
            fn print(&self) -> String {
                let print: fn(&$type) -> String = $print;
                print(self)
            }
        }
        impl AsShape for $type {
            fn shape(&mut self) -> Shape<'_> {
                Shape::Leaf(self)
            }
        }
    )*};
}

leaves! {
    bool: "true or false", Value::as_bool, bool::to_string;
    u16: "a whole number from 0 to 65535", |v| v.as_integer()?.try_into().ok(), u16::to_string;
    u32: "a whole number, 0 or more", |v| v.as_integer()?.try_into().ok(), u32::to_string;
    u64: "a whole number, 0 or more", |v| v.as_integer()?.try_into().ok(), u64::to_string;
    usize: "a whole number, 0 or more", |v| v.as_integer()?.try_into().ok(), usize::to_string;
    Duration: "a duration with its unit, like \"500ms\", \"25s\", \"5m\", \"2h\" or \"7d\"",
        |v| parse_duration(v.as_str()?), |d| quoted(&show_duration(*d));
    Size: "a number of bytes, like \"512KiB\", \"1MiB\" or 65536",
        |v| match v {
            Value::Integer(n) => usize::try_from(*n).ok().map(Size),
            other => Size::parse(other.as_str()?),
        },
        |s| quoted(&s.to_string());
    IpAddr: "an IP address, like \"127.0.0.1\", \"0.0.0.0\" or \"::1\"",
        |v| v.as_str()?.parse().ok(), |a| quoted(&a.to_string());
}

/// Strings take a variable's text as it is: a key made of digits is no number.
macro_rules! string_leaf {
    ($type:ty, $make:expr, $print:expr, secret: $secret:literal) => {
        impl Leaf for $type {
            fn set(&mut self, value: &Value) -> Result<(), String> {
                self.set_text(value.as_str().ok_or("text in quotes")?)
            }
            fn set_text(&mut self, text: &str) -> Result<(), String> {
                *self = $make(text);
                Ok(())
            }
            fn is_secret(&self) -> bool {
                $secret
            }
            fn print(&self) -> String {
                $print(self)
            }
        }
        impl AsShape for $type {
            fn shape(&mut self) -> Shape<'_> {
                Shape::Leaf(self)
            }
        }
    };
}

string_leaf!(String, str::to_owned, |text: &String| quoted(text), secret: false);
string_leaf!(Secret, Secret::new, |secret: &Secret| format!("{secret:?}"), secret: true);

/// Lists of strings or secrets.
macro_rules! list_leaf {
    ($type:ty, $make:expr, $print:expr, secret: $secret:literal) => {
        impl Leaf for Vec<$type> {
            fn set(&mut self, value: &Value) -> Result<(), String> {
                let items =
                    value.as_array().into_iter().flatten().map(|item| item.as_str().map($make));
                let read = value.is_array().then(|| items.collect::<Option<Vec<_>>>()).flatten();
                *self = read.ok_or("a list of texts, like [\"one\", \"two\"]")?;
                Ok(())
            }
            fn is_secret(&self) -> bool {
                $secret
            }
            fn print(&self) -> String {
                let items: Vec<String> = self.iter().map($print).collect();
                format!("[{}]", items.join(", "))
            }
        }
        impl AsShape for Vec<$type> {
            fn shape(&mut self) -> Shape<'_> {
                Shape::Leaf(self)
            }
        }
    };
}

list_leaf!(String, str::to_owned, |text| quoted(text), secret: false);
list_leaf!(Secret, Secret::new, |secret| format!("{secret:?}"), secret: true);

/// Declares a setting that is one of a few words, and how each is written.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$of])* $variant),* }

        impl $crate::platform::settings::value::Leaf for $name {
            fn set(&mut self, value: &toml::Value) -> Result<(), String> {
                *self = match value.as_str() {
                    $(Some($word) => Self::$variant,)*
                    _ => return Err(format!("one of {}", [$(concat!("\"", $word, "\"")),*].join(", "))),
                };
                Ok(())
            }
            fn print(&self) -> String {
                match self { $(Self::$variant => concat!("\"", $word, "\"").into()),* }
            }
        }
        impl $crate::platform::settings::section::AsShape for $name {
            fn shape(&mut self) -> $crate::platform::settings::section::Shape<'_> {
                $crate::platform::settings::section::Shape::Leaf(self)
            }
        }
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_come_back_as_written() {
        for text in ["500ms", "25s", "5m", "2h", "7d", "0s"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(show_duration(Duration::from_millis(1500)), "1500ms");
        for bad in ["25", "", "s", "-1s", "1y", "1.5s", "99999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_come_back_as_written() {
        for text in ["64KiB", "1MiB", "3GiB", "100B", "0B"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Size::parse("65536"), Some(Size::kib(64)));
        for bad in ["1MB", "KiB", "-1", "1.5MiB", "99999999999GiB"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {}", secret.print()), "\"***\" \"***\"");
        assert_eq!(vec![secret].print(), "[\"***\"]");
        assert_eq!(Secret::default().print(), "\"\"");
    }

    #[test]
    fn a_key_of_digits_stays_text_in_a_variable() {
        let mut key = Secret::default();
        key.set_text("0123").unwrap();
        assert_eq!(key.expose(), "0123");
        let mut list: Vec<String> = Vec::new();
        list.set_text(r#"["a", "b"]"#).unwrap();
        assert_eq!(list, ["a", "b"]);
        assert!(list.set_text("a").is_err());
    }
}
