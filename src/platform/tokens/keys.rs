//! Keys that verify tokens: read once from the settings, each with the algorithms that it may verify.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use super::{claims::Accepted, es512};
use crate::platform::settings::{Secret, Token};

/// A setting of tokens that can't be used: which, and what was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadKeys {
    /// Its name in the section, as `rsa_public_key` in `client.token`.
    pub setting: &'static str,
    /// What was expected there. Holds nothing of the key.
    pub expected: &'static str,
}

/// The keys in the form that verifies.
pub(super) struct Keys {
    hmac: Option<DecodingKey>,
    hmac_previous: Option<(DecodingKey, Option<i64>)>,
    rsa: Option<DecodingKey>,
    ec: Option<Curve>,
    ed: Option<DecodingKey>,
    pub(super) audience: Option<Accepted>,
    pub(super) issuer: Option<Accepted>,
    pub(super) user_id_claim: Option<String>,
}

/// A key of an elliptic curve, for the one algorithm of that curve.
enum Curve {
    Known(DecodingKey, Algorithm),
    P521(es512::Key),
}

/// A setting's text, if it is set.
fn set(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Keys {
    pub(super) fn read(from: &Token) -> Result<Self, BadKeys> {
        let until = Some(from.hmac_previous_secret_key_valid_until).filter(|until| *until != 0);
        let until = until.map(|until| i64::try_from(until).unwrap_or(i64::MAX));
        Ok(Self {
            hmac: secret(&from.hmac_secret_key, "hmac_secret_key")?,
            hmac_previous: secret(&from.hmac_previous_secret_key, "hmac_previous_secret_key")?
                .map(|key| (key, until)),
            rsa: set(&from.rsa_public_key).map(rsa).transpose()?,
            ec: set(&from.ecdsa_public_key).map(ec).transpose()?,
            ed: set(&from.ed25519_public_key).map(ed).transpose()?,
            audience: Accepted::read(&from.audience, &from.audience_regex, "audience_regex")?,
            issuer: Accepted::read(&from.issuer, &from.issuer_regex, "issuer_regex")?,
            user_id_claim: set(&from.user_id_claim).map(str::to_string),
        })
    }

    /// The keys that may verify a token of this algorithm, the most likely first.
    pub(super) fn for_algorithm(
        &self,
        algorithm: Algorithm,
        now: i64,
    ) -> impl Iterator<Item = &DecodingKey> {
        use Algorithm::*;
        let (first, second) = match algorithm {
            HS256 | HS384 | HS512 => {
                let previous = self.hmac_previous.as_ref();
                let valid = previous.filter(|(_, until)| until.is_none_or(|until| now <= until));
                (self.hmac.as_ref(), valid.map(|(key, _)| key))
            }
            RS256 | RS384 | RS512 => (self.rsa.as_ref(), None),
            EdDSA => (self.ed.as_ref(), None),
            _ => match &self.ec {
                Some(Curve::Known(key, its)) if *its == algorithm => (Some(key), None),
                _ => (None, None),
            },
        };
        first.into_iter().chain(second)
    }

    /// The key that may verify ES512.
    pub(super) fn es512(&self) -> Option<&es512::Key> {
        match &self.ec {
            Some(Curve::P521(key)) => Some(key),
            _ => None,
        }
    }
}

fn secret(secret: &Secret, setting: &'static str) -> Result<Option<DecodingKey>, BadKeys> {
    match set(secret.expose()) {
        None => Ok(None),
        Some(s) if s.contains("-----BEGIN") => {
            let expected = "a random secret; a PEM key is public or belongs elsewhere";
            Err(BadKeys { setting, expected })
        }
        Some(s) => Ok(Some(DecodingKey::from_secret(s.as_bytes()))),
    }
}

fn rsa(pem: &str) -> Result<DecodingKey, BadKeys> {
    let bad = BadKeys { setting: "rsa_public_key", expected: "an RSA public key in PEM" };
    public(pem, DecodingKey::from_rsa_pem, Algorithm::RS256).ok_or(bad)
}

fn ec(pem: &str) -> Result<Curve, BadKeys> {
    [Algorithm::ES256, Algorithm::ES384]
        .into_iter()
        .find_map(|algorithm| {
            Some(Curve::Known(public(pem, DecodingKey::from_ec_pem, algorithm)?, algorithm))
        })
        .or_else(|| es512::Key::read(pem).map(Curve::P521))
        .ok_or(BadKeys {
            setting: "ecdsa_public_key",
            expected: "a public key on P-256, P-384 or P-521 in PEM",
        })
}

fn ed(pem: &str) -> Result<DecodingKey, BadKeys> {
    let bad = BadKeys { setting: "ed25519_public_key", expected: "an Ed25519 public key in PEM" };
    public(pem, DecodingKey::from_ed_pem, Algorithm::EdDSA).ok_or(bad)
}

/// Reads a public key and tries it on an empty signature, which shows whether it is a key at all.
fn public(
    pem: &str,
    read: fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>,
    algorithm: Algorithm,
) -> Option<DecodingKey> {
    if pem.contains("PRIVATE KEY") {
        return None;
    }
    let key = read(pem.as_bytes()).ok()?;
    crypto::verify("", b"", &key, algorithm).ok()?;
    Some(key)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.setting, self.expected)
    }
}

impl std::error::Error for BadKeys {}
