//! Ids of portfolios and what hangs on them: UUIDs version 7, hyphenated, so that they sort by their time of birth.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use uuid::Uuid;

/// A text is no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an id like 019b0000-0000-7000-8000-000000000000")
    }
}

impl std::error::Error for BadId {}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
        #[schema(value_type = String, format = "uuid", example = "019b0000-0000-7000-8000-000000000000")]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh one, greater than all that this process drew before.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                // The library reads other forms too; one thing has one name.
                let hyphenated = text.len() == 36;
                let id = hyphenated.then(|| Uuid::try_parse(text).ok()).flatten();
                id.map(Self).ok_or(BadId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

id! {
    PortfolioId,
    TokenId,
    /// Also the order of transactions of one moment.
    TransactionId,
    StrategyId,
    StepId,
    ForecastId,
    AlertId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_are_read_in_one_form_only() {
        let ids: Vec<TransactionId> = (0..1000).map(|_| TransactionId::new()).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]));
        assert!(ids.windows(2).all(|two| two[0].to_string() < two[1].to_string()));
        let text = ids[0].to_string();
        assert_eq!(text.parse(), Ok(ids[0]));
        for bad in [text.replace('-', ""), format!("{{{text}}}"), String::new(), "1".into()] {
            assert_eq!(bad.parse::<TransactionId>(), Err(BadId), "{bad}");
        }
    }
}
