//! Single values of settings: how each kind is read from TOML or an environment variable, and written back.

use std::{net::IpAddr, time::Duration};

use toml::Value;

use super::{
    kinds::{Secret, Size, parse_duration, show_duration},
    section::{AsShape, Shape},
};
use crate::domain::decimal::Decimal;

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

/// Exact, so in quotes; a variable's text needs none.
impl Leaf for Decimal {
    fn set(&mut self, value: &Value) -> Result<(), String> {
        let read = value.as_str().and_then(|text| text.parse().ok());
        *self = read.ok_or("a decimal in quotes, like \"0.1\"")?;
        Ok(())
    }
    fn set_text(&mut self, text: &str) -> Result<(), String> {
        self.set(&Value::String(text.into()))
    }
    fn print(&self) -> String {
        quoted(&self.to_string())
    }
}

impl AsShape for Decimal {
    fn shape(&mut self) -> Shape<'_> {
        Shape::Leaf(self)
    }
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
    fn a_decimal_is_exact_in_a_file_and_in_a_variable() {
        let mut decimal = Decimal::ZERO;
        decimal.set_text("0.1").unwrap();
        assert_eq!(decimal.print(), "\"0.1\"");
        decimal.set(&Value::String("0.100000000000000001".into())).unwrap();
        assert_eq!(decimal.print(), "\"0.100000000000000001\"");
        assert!(decimal.set(&Value::Float(0.1)).unwrap_err().contains("in quotes"));
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
