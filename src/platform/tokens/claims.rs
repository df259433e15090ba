//! What a token says: its claims as they are written, and what they grant.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use regex::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{BadKeys, LEEWAY, TokenError};
use crate::ids::UserId;

/// Application data that a token carries along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attached {
    /// From `info` or `data`: the JSON as it was written.
    Json(Bytes),
    /// From `b64info` or `b64data`: any bytes.
    Binary(Bytes),
}

/// What a token shows of itself, beside its user: what it can be revoked by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Papers {
    /// `jti`.
    pub name: Option<Box<str>>,
    /// `iat`, Unix seconds.
    pub issued: Option<i64>,
}

/// Who may connect, until when, and to what it is subscribed by the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionClaims {
    /// Empty for anonymous.
    pub user: UserId,
    /// `exp`, Unix seconds.
    pub exp: Option<i64>,
    /// When the connection ends: `expire_at`, else `exp`; none: never. Unix seconds.
    pub lifetime: Option<i64>,
    pub info: Option<Attached>,
    /// Server-side subscriptions by name: `channels` with nothing more, `subs` with what they say.
    pub subs: BTreeMap<String, Grant>,
    pub papers: Papers,
}

/// One server-side subscription of a connection token.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grant {
    pub info: Option<Attached>,
    pub data: Option<Attached>,
    pub overrides: Overrides,
}

/// Who may subscribe to what, until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionClaims {
    pub user: UserId,
    pub channel: String,
    /// Set: only this connection may use the token.
    pub client: Option<String>,
    /// `exp`, Unix seconds.
    pub exp: Option<i64>,
    /// When the subscription ends: `expire_at`, else `exp`; none: never. Unix seconds.
    pub lifetime: Option<i64>,
    pub info: Option<Attached>,
    pub data: Option<Attached>,
    pub overrides: Overrides,
    pub papers: Papers,
}

/// Options of the channel's namespace that a subscription sees otherwise; none: as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Overrides {
    #[serde(deserialize_with = "value")]
    pub presence: Option<bool>,
    #[serde(deserialize_with = "value")]
    pub join_leave: Option<bool>,
    #[serde(deserialize_with = "value")]
    pub force_recovery: Option<bool>,
    #[serde(deserialize_with = "value")]
    pub force_positioning: Option<bool>,
    #[serde(deserialize_with = "value")]
    pub force_push_join_leave: Option<bool>,
}

/// The claims of both kinds of tokens, as written.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default, deserialize_with = "seconds")]
    exp: Option<i64>,
    #[serde(default, deserialize_with = "seconds")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "seconds")]
    expire_at: Option<i64>,
    pub(super) aud: Option<OneOrMany>,
    pub(super) iss: Option<OneOrMany>,
    jti: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    iat: Option<i64>,
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    channels: Option<Vec<String>>,
    subs: Option<BTreeMap<String, WrittenGrant>>,
    channel: Option<String>,
    client: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<Overrides>,
}

#[derive(Deserialize)]
struct WrittenGrant {
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<Overrides>,
}

/// A claim that is a string or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(value) => matches(value),
            Self::Many(values) => values.iter().any(|value| matches(value)),
        }
    }
}

/// What an audience or issuer has to be.
pub(super) enum Accepted {
    Exactly(String),
    Matching(Regex),
}

impl Accepted {
    pub(super) fn read(
        exactly: &str,
        pattern: &str,
        setting: &'static str,
    ) -> Result<Option<Self>, BadKeys> {
        match (exactly, pattern) {
            ("", "") => Ok(None),
            (name, "") => Ok(Some(Self::Exactly(name.to_string()))),
            // Anchored: a pattern that is found somewhere inside lets strangers in.
            ("", pattern) => Regex::new(&format!("^(?:{pattern})$"))
                .map(|regex| Some(Self::Matching(regex)))
                .map_err(|_| BadKeys { setting, expected: "a regular expression" }),
            (..) => {
                Err(BadKeys { setting, expected: "either the exact value or a pattern, not both" })
            }
        }
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exactly(name) => name == value,
            Self::Matching(regex) => regex.is_match(value),
        }
    }
}

impl Claims {
    pub(super) fn read(payload: &RawValue) -> Result<Self, TokenError> {
        serde_json::from_str(payload.get())
            .map_err(|_| TokenError::Invalid("one of its claims has another type than expected"))
    }

    pub(super) fn in_force(&self, now: i64) -> Result<(), TokenError> {
        let over = self.exp.is_some_and(|exp| exp.saturating_add(LEEWAY) < now);
        let early = self.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY));
        if over || early { Err(TokenError::Expired) } else { Ok(()) }
    }

    /// `expire_at` rules when it is there, and 0 in it means never.
    fn lifetime(&self) -> Option<i64> {
        self.expire_at.or(self.exp).filter(|at| *at != 0)
    }

    fn papers(&self) -> Papers {
        let name = self.jti.as_deref().filter(|name| !name.is_empty());
        Papers { name: name.map(Into::into), issued: self.iat }
    }

    pub(super) fn connection(self, user: String) -> Result<ConnectionClaims, TokenError> {
        if self.channel.is_some() {
            return Err(TokenError::Invalid(
                "it names a channel: a subscription token can't connect",
            ));
        }
        let (lifetime, papers) = (self.lifetime(), self.papers());
        let mut subs: BTreeMap<String, Grant> =
            self.channels.into_iter().flatten().map(|name| (name, Grant::default())).collect();
        for (name, written) in self.subs.into_iter().flatten() {
            let grant = Grant {
                info: attached(written.info, written.b64info)?,
                data: attached(written.data, written.b64data)?,
                overrides: written.overrides.unwrap_or_default(),
            };
            subs.insert(name, grant);
        }
        Ok(ConnectionClaims {
            user: UserId::new(&user),
            exp: self.exp,
            lifetime,
            info: attached(self.info, self.b64info)?,
            subs,
            papers,
        })
    }

    pub(super) fn subscription(self, user: String) -> Result<SubscriptionClaims, TokenError> {
        let (lifetime, papers) = (self.lifetime(), self.papers());
        Ok(SubscriptionClaims {
            user: UserId::new(&user),
            channel: self
                .channel
                .filter(|name| !name.is_empty())
                .ok_or(TokenError::Invalid("it names no channel: no subscription token"))?,
            client: self.client.filter(|client| !client.is_empty()),
            exp: self.exp,
            lifetime,
            info: attached(self.info, self.b64info)?,
            data: attached(self.data, self.b64data)?,
            overrides: self.overrides.unwrap_or_default(),
            papers,
        })
    }
}

/// The user's id from `claim`, or from `sub`; "" if the token has no such claim.
pub(super) fn user(payload: &RawValue, claim: Option<&str>) -> Result<String, TokenError> {
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(payload.get())
        .map_err(|_| TokenError::Invalid("its claims are not a JSON object"))?;
    let Some(value) = all.get(claim.unwrap_or("sub")) else { return Ok(String::new()) };
    let user: String = serde_json::from_str(value.get())
        .map_err(|_| TokenError::Invalid("the user's id in it is not a string"))?;
    // PostgreSQL has no text with it: a question about several people would fail for all of them.
    if user.contains('\0') {
        return Err(TokenError::Invalid("the user's id in it has a character NUL"));
    }
    Ok(user)
}

/// The base64 form rules when both are there; `null` is nothing.
fn attached(
    json: Option<Box<RawValue>>,
    base64: Option<String>,
) -> Result<Option<Attached>, TokenError> {
    match base64.filter(|text| !text.is_empty()) {
        Some(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(Attached::Binary(bytes.into()))),
            Err(_) => Err(TokenError::Invalid("b64info or b64data is not base64")),
        },
        None => Ok(json.map(|raw| Attached::Json(Bytes::copy_from_slice(raw.get().as_bytes())))),
    }
}

/// A NumericDate: JWTs carry whole or fractional seconds.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(i64),
        Fraction(f64),
    }
    Ok(Option::<Written>::deserialize(from)?.map(|written| match written {
        Written::Whole(whole) => whole,
        Written::Fraction(fraction) => fraction as i64,
    }))
}

/// `{"value": true}` as an option.
fn value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    struct Value {
        #[serde(default)]
        value: bool,
    }
    Ok(Option::<Value>::deserialize(from)?.map(|v| v.value))
}
