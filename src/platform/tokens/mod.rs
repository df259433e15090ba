//! Tells whether a JWT was signed by someone we trust, for us, and is in force; then reads its claims.
//!
//! The key decides which algorithms are accepted, never the token: an RSA key verifies RS256, RS384
//! and RS512 and nothing else, a key on P-256 only ES256. So neither `alg: none` nor a public key
//! used as an HMAC secret gets anywhere.
//! No error of this module contains a part of a token.

mod claims;
mod es512;
mod keys;
mod verified;

pub use claims::{Attached, ConnectionClaims, Grant, Overrides, Papers, SubscriptionClaims};
pub use keys::BadKeys;
pub use verified::{Holder, Verified};

use std::fmt;

use jsonwebtoken::{Header, Validation, decode, decode_header, errors::ErrorKind};
use serde_json::value::RawValue;

use claims::{Accepted, Claims};
use keys::Keys;

use super::settings::Token;

/// How far the clocks of issuer and node may be apart, in seconds: `exp` and `nbf` are read with this leeway.
pub const LEEWAY: i64 = 60;

const NO_KEY: &str = "no key is configured for its algorithm";

/// Why a token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// Signed by a key of ours, but past its `exp` or before its `nbf`: a new one helps.
    Expired,
    /// Not signed by a key of ours, not for us, or not of this kind; what was expected.
    Invalid(&'static str),
}

/// Verifies tokens with one set of keys. Cheap to share, no state.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
}

impl Verifier {
    /// Reads the keys; fails on a key that could never verify anything.
    pub fn new(keys: &Token) -> Result<Self, BadKeys> {
        Ok(Self { keys: Keys::read(keys)? })
    }

    /// The claims of a connection token in force at `now` (Unix seconds).
    ///
    /// A token with `channel` is refused, so that a subscription token opens no connection.
    pub fn connection(&self, token: &str, now: i64) -> Result<ConnectionClaims, TokenError> {
        let (claims, user) = self.verify(token, now)?;
        claims.connection(user)
    }

    /// The claims of a subscription token in force at `now` (Unix seconds).
    ///
    /// The caller compares `user`, `channel` and `client` with whom it came from.
    pub fn subscription(&self, token: &str, now: i64) -> Result<SubscriptionClaims, TokenError> {
        let (claims, user) = self.verify(token, now)?;
        claims.subscription(user)
    }

    /// Signature first, then times, audience and issuer.
    fn verify(&self, token: &str, now: i64) -> Result<(Claims, String), TokenError> {
        let payload = self.signed_payload(token, now)?;
        let claims = Claims::read(&payload)?;
        claims.in_force(now)?;
        self.check(&self.keys.audience, claims.aud.as_ref(), "aud names somebody else")?;
        self.check(&self.keys.issuer, claims.iss.as_ref(), "iss is not our issuer")?;
        let user = claims::user(&payload, self.keys.user_id_claim.as_deref())?;
        Ok((claims, user))
    }

    fn check(
        &self,
        accepted: &Option<Accepted>,
        claimed: Option<&claims::OneOrMany>,
        reason: &'static str,
    ) -> Result<(), TokenError> {
        match accepted {
            None => Ok(()),
            Some(accepted) if claimed.is_some_and(|c| c.any(|v| accepted.matches(v))) => Ok(()),
            Some(_) => Err(TokenError::Invalid(reason)),
        }
    }

    /// The claims as they were signed, once one of the keys has verified them.
    fn signed_payload(&self, token: &str, now: i64) -> Result<Box<RawValue>, TokenError> {
        let critical = TokenError::Invalid("its header has critical extensions, none is known");
        if let Some(token) = es512::Token::of(token) {
            return match self.keys.es512() {
                _ if token.is_critical => Err(critical),
                Some(key) => token.payload(key).map_err(TokenError::Invalid),
                None => Err(TokenError::Invalid(NO_KEY)),
            };
        }
        let header: Header = decode_header(token)
            .map_err(|_| TokenError::Invalid("not a JWT signed with HS, RS, ES or EdDSA"))?;
        if header.crit.is_some() {
            return Err(critical);
        }
        // Times and names are checked by us, with the caller's clock.
        let mut signature_only = Validation::new(header.alg);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        let mut reason = NO_KEY;
        for key in self.keys.for_algorithm(header.alg, now) {
            match decode::<Box<RawValue>>(token, key, &signature_only) {
                Ok(data) => return Ok(data.claims),
                Err(e) => {
                    reason = match e.kind() {
                        ErrorKind::InvalidSignature => "its signature was made with another key",
                        ErrorKind::Json(_) => "its claims are not a JSON object",
                        _ => "it could not be verified",
                    }
                }
            }
        }
        Err(TokenError::Invalid(reason))
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the token is past its exp or before its nbf"),
            Self::Invalid(reason) => write!(f, "the token is not valid: {reason}"),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests;
