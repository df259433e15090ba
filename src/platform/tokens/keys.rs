//! Keys that verify tokens: read once from the settings, each with the algorithms that it may verify.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use super::claims::Accepted;

/// What the settings say about tokens. Absent keys verify nothing.
#[derive(Clone, Default)]
pub struct TokenKeys {
    /// Secret of HS256, HS384 and HS512.
    pub hmac_secret: Option<String>,
    /// The secret before that one, still accepted while tokens signed with it are about.
    pub hmac_previous_secret: Option<String>,
    /// Unix seconds after which the previous secret verifies nothing; none: no end.
    pub hmac_previous_secret_valid_until: Option<i64>,
    /// PEM, for RS256, RS384 and RS512.
    pub rsa_public_key: Option<String>,
    /// PEM, on P-256 for ES256 or on P-384 for ES384.
    pub ecdsa_public_key: Option<String>,
    /// PEM, Ed25519, for EdDSA.
    pub eddsa_public_key: Option<String>,
    /// `aud` must name this.
    pub audience: Option<String>,
    /// Or one value of `aud` must match this as a whole.
    pub audience_regex: Option<String>,
    /// `iss` must be this.
    pub issuer: Option<String>,
    /// Or match this as a whole.
    pub issuer_regex: Option<String>,
    /// The claim that holds the user's id; none: `sub`.
    pub user_id_claim: Option<String>,
}

/// A setting of [`TokenKeys`] that can't be used: which, and what was expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadKeys {
    /// The field of [`TokenKeys`].
    pub setting: &'static str,
    /// What was expected there. Holds nothing of the key.
    pub expected: &'static str,
}

/// The keys in the form that verifies.
pub(super) struct Keys {
    hmac: Option<DecodingKey>,
    hmac_previous: Option<(DecodingKey, Option<i64>)>,
    rsa: Option<DecodingKey>,
    /// With the one algorithm of its curve.
    ec: Option<(DecodingKey, Algorithm)>,
    ed: Option<DecodingKey>,
    pub(super) audience: Option<Accepted>,
    pub(super) issuer: Option<Accepted>,
    pub(super) user_id_claim: Option<String>,
}

impl Keys {
    pub(super) fn read(from: &TokenKeys) -> Result<Self, BadKeys> {
        Ok(Self {
            hmac: secret(&from.hmac_secret, "hmac_secret")?,
            hmac_previous: secret(&from.hmac_previous_secret, "hmac_previous_secret")?
                .map(|key| (key, from.hmac_previous_secret_valid_until)),
            rsa: from.rsa_public_key.as_deref().map(rsa).transpose()?,
            ec: from.ecdsa_public_key.as_deref().map(ec).transpose()?,
            ed: from.eddsa_public_key.as_deref().map(ed).transpose()?,
            audience: Accepted::read(&from.audience, &from.audience_regex, "audience_regex")?,
            issuer: Accepted::read(&from.issuer, &from.issuer_regex, "issuer_regex")?,
            user_id_claim: from.user_id_claim.clone(),
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
            _ => (self.ec.as_ref().filter(|(_, its)| *its == algorithm).map(|(key, _)| key), None),
        };
        first.into_iter().chain(second)
    }
}

fn secret(text: &Option<String>, setting: &'static str) -> Result<Option<DecodingKey>, BadKeys> {
    match text {
        None => Ok(None),
        Some(s) if s.is_empty() => Err(BadKeys {
            setting,
            expected: "a secret, or leave it out; an empty one signs for anybody",
        }),
        Some(s) if s.contains("-----BEGIN") => Err(BadKeys {
            setting,
            expected: "a random secret; a PEM key is public or belongs elsewhere",
        }),
        Some(s) => Ok(Some(DecodingKey::from_secret(s.as_bytes()))),
    }
}

fn rsa(pem: &str) -> Result<DecodingKey, BadKeys> {
    let bad = BadKeys { setting: "rsa_public_key", expected: "an RSA public key in PEM" };
    public(pem, DecodingKey::from_rsa_pem, Algorithm::RS256).ok_or(bad)
}

fn ec(pem: &str) -> Result<(DecodingKey, Algorithm), BadKeys> {
    [Algorithm::ES256, Algorithm::ES384]
        .into_iter()
        .find_map(|algorithm| Some((public(pem, DecodingKey::from_ec_pem, algorithm)?, algorithm)))
        .ok_or(BadKeys {
            setting: "ecdsa_public_key",
            expected: "a public key on P-256 or P-384 in PEM (P-521 is not served)",
        })
}

fn ed(pem: &str) -> Result<DecodingKey, BadKeys> {
    let bad = BadKeys { setting: "eddsa_public_key", expected: "an Ed25519 public key in PEM" };
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

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys(***)")
    }
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.setting, self.expected)
    }
}

impl std::error::Error for BadKeys {}
