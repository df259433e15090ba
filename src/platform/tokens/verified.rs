//! Tokens that were verified a moment ago: who asks over HTTP shows the same one with each request, and to verify it was a
//! third of what an answer costs that is there already.

use std::sync::Arc;

use moka::sync::Cache;

use super::{Papers, TokenError, Verifier};
use crate::ids::UserId;

/// For how long a token is taken as it was verified, in seconds, unless its `exp` comes first. A key that is retired
/// meanwhile counts so much longer.
const LIFE: i64 = 30;

/// Bytes of all of them, at most.
const BYTES: u64 = 16 << 20;

/// What a token takes beside its text.
const BESIDE: usize = 256;

/// Whose token it is, and what it can be revoked by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub user: UserId,
    pub papers: Arc<Papers>,
}

#[derive(Clone)]
struct Known {
    holder: Holder,
    /// It counts from then on, and until then; Unix seconds.
    from: i64,
    until: i64,
}

/// Connection tokens that were verified, by their whole text. Bounded in bytes.
pub struct Verified(Cache<Arc<str>, Known>);

impl Default for Verified {
    fn default() -> Self {
        let weight =
            |token: &Arc<str>, _: &Known| u32::try_from(token.len() + BESIDE).unwrap_or(u32::MAX);
        Self(Cache::builder().weigher(weight).max_capacity(BYTES).build())
    }
}

impl Verified {
    /// Who holds a connection token that is in force at `now` (Unix seconds). Whether they are barred is another question.
    pub fn holder(&self, keys: &Verifier, token: &str, now: i64) -> Result<Holder, TokenError> {
        let counts = |known: &Known| (known.from..known.until).contains(&now);
        if let Some(known) = self.0.get(token).filter(counts) {
            return Ok(known.holder);
        }
        let claims = keys.connection(token, now)?;
        let holder = Holder { user: claims.user, papers: Arc::new(claims.papers) };
        let until = claims.exp.unwrap_or(i64::MAX).min(now.saturating_add(LIFE));
        if now < until {
            self.0.insert(token.into(), Known { holder: holder.clone(), from: now, until });
        }
        Ok(holder)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::tokens::{
        LEEWAY,
        tests::{NOW, by_secret, hs},
    };

    #[test]
    fn a_token_is_verified_again_after_a_while_and_when_a_clock_was_set_back() {
        let (verified, keys) = (Verified::default(), by_secret());
        let token = hs("secret", json!({ "sub": "ana", "jti": "one", "iat": 5 }));
        let first = verified.holder(&keys, &token, NOW).unwrap();
        assert_eq!(first.user.as_str(), "ana");
        assert_eq!(*first.papers, Papers { name: Some("one".into()), issued: Some(5) });
        // Others would not let it in.
        let others = Verifier::new(&crate::platform::settings::Token::default()).unwrap();
        let again = |now| verified.holder(&others, &token, now);
        assert_eq!(again(NOW + LIFE - 1), Ok(first));
        for now in [NOW - 1, NOW + LIFE] {
            assert!(matches!(again(now), Err(TokenError::Invalid(_))), "{now}");
        }
        let another = hs("secret", json!({ "sub": "ana", "jti": "two" }));
        assert!(verified.holder(&others, &another, NOW).is_err(), "each by its whole text");
    }

    #[test]
    fn a_token_expires_to_the_second_however_often_it_was_seen() {
        let (verified, keys) = (Verified::default(), by_secret());
        let token = hs("secret", json!({ "sub": "ana", "exp": NOW + 5 }));
        for now in NOW..=NOW + 5 + LEEWAY {
            let strict = keys.connection(&token, now).map(|claims| claims.user);
            assert_eq!(verified.holder(&keys, &token, now).map(|it| it.user), strict, "{now}");
        }
        assert_eq!(verified.holder(&keys, &token, NOW + 6 + LEEWAY), Err(TokenError::Expired));
    }
}
