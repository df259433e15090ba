//! ES512: ECDSA on P-521, which the JWT library does not know.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use p521::{
    PublicKey,
    ecdsa::{Signature, VerifyingKey, signature::Verifier},
    pkcs8::DecodePublicKey,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The name of the algorithm in a header.
const NAME: &str = "ES512";

/// A public key on P-521.
pub(super) struct Key(VerifyingKey);

impl Key {
    /// None if it is something else.
    pub(super) fn read(pem: &str) -> Option<Self> {
        let key = PublicKey::from_public_key_pem(pem).ok()?;
        VerifyingKey::from_affine(*key.as_affine()).ok().map(Self)
    }

    fn verifies(&self, signed: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify(signed.as_bytes(), &signature).is_ok())
    }
}

/// A token whose header says ES512, taken apart; nothing of it is verified.
pub(super) struct Token<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// Its header names extensions that have to be understood.
    pub(super) is_critical: bool,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde::de::IgnoredAny>,
}

impl<'a> Token<'a> {
    /// None if its header says anything else.
    pub(super) fn of(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decoded(header)?).ok()?;
        let is_critical = header.crit.is_some();
        (header.alg == NAME).then_some(Self { signed, claims, signature, is_critical })
    }

    /// The claims, if this key signed them; else what was expected.
    pub(super) fn payload(&self, key: &Key) -> Result<Box<RawValue>, &'static str> {
        let signature = decoded(self.signature).ok_or("its signature is not base64url")?;
        if !key.verifies(self.signed, &signature) {
            return Err("its signature was made with another key");
        }
        let claims = decoded(self.claims).ok_or("its claims are not base64url")?;
        serde_json::from_slice(&claims).map_err(|_| "its claims are not a JSON object")
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}
