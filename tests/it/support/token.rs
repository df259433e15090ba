//! Tokens as an application's backend would issue them.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

use super::SECRET;

/// A token with these claims, signed with HS256 by the secret that the nodes know.
pub fn sign(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::new(Algorithm::HS256), claims, &key).expect("claims that can be signed")
}
