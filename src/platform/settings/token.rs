//! Settings of tokens: who may have signed them and what they must say.

use super::{
    kinds::Secret,
    section::{AsShape, Field, Section, Wrong, section},
};

section! {
    /// Keys and claims of connection tokens (JWT). Several kinds of keys may be set: a token picks
    /// by its `alg`, and a key is only ever used for the algorithms of its own kind. The clock of
    /// whoever signs may be off by 60 s.
    #[check(Token::check_keys)]
    pub struct Token {
        /// Secret of HS256, HS384 and HS512. Empty, and no other key set: the one generated in the
        /// data directory, which only works on loopback.
        pub hmac_secret_key: Secret = Secret::default(),
        /// The secret before this one, still good while tokens signed with it are about.
        pub hmac_previous_secret_key: Secret = Secret::default(),
        /// Until when the previous secret is good, in seconds since 1970. 0: until it is removed.
        pub hmac_previous_secret_key_valid_until: u64 = 0,
        /// Public key of RS256, RS384 and RS512, in PEM.
        pub rsa_public_key: String = String::new(),
        /// Public key of ES256 or ES384, in PEM; the curve decides which.
        pub ecdsa_public_key: String = String::new(),
        /// Public key of EdDSA (Ed25519), in PEM.
        pub ed25519_public_key: String = String::new(),
        /// If set, the `aud` that a token must have.
        pub audience: String = String::new(),
        /// If set, what one `aud` of a token must match as a whole.
        pub audience_regex: String = String::new(),
        /// If set, the `iss` that a token must have.
        pub issuer: String = String::new(),
        /// If set, what the `iss` of a token must match as a whole.
        pub issuer_regex: String = String::new(),
        /// The claim that names the user. Empty: `sub`.
        pub user_id_claim: String = String::new(),
    }
}

/// Keys and claims of subscription tokens; in files the keys stand beside `enabled`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SubscriptionToken {
    /// Whether subscription tokens have keys of their own. Otherwise all of `client.token` holds
    /// for them too.
    pub enabled: bool,
    /// Their keys, looked at only if `enabled`.
    pub keys: Token,
}

impl Section for SubscriptionToken {
    fn fields(&mut self) -> Vec<Field<'_>> {
        let docs = &[
            " Whether subscription tokens have keys of their own. Otherwise all of `client.token`",
            " holds for them too, and what stands below is not looked at.",
        ];
        let mut fields = vec![Field { name: "enabled", docs, shape: self.enabled.shape() }];
        fields.extend(self.keys.fields());
        fields
    }

    fn about(&self) -> &'static [&'static str] {
        &[" Keys and claims of subscription tokens, if other than those of connection tokens."]
    }

    fn check(&self, wrong: &mut Wrong) {
        wrong.unless(!self.enabled || self.keys.has_key(), "enabled", "a key beside it, or false");
        self.keys.check_keys(wrong);
    }
}

impl Token {
    /// Whether any key is set, so that no generated secret is needed.
    pub fn has_key(&self) -> bool {
        !self.hmac_secret_key.is_empty()
            || [&self.rsa_public_key, &self.ecdsa_public_key, &self.ed25519_public_key]
                .iter()
                .any(|key| !key.is_empty())
    }

    fn check_keys(&self, wrong: &mut Wrong) {
        for (key, pem) in [
            ("rsa_public_key", &self.rsa_public_key),
            ("ecdsa_public_key", &self.ecdsa_public_key),
            ("ed25519_public_key", &self.ed25519_public_key),
        ] {
            wrong.unless(
                pem.is_empty() || pem.trim_start().starts_with("-----BEGIN "),
                key,
                "a public key in PEM, which starts with \"-----BEGIN \"",
            );
        }
    }
}
