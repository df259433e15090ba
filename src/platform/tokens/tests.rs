//! Which tokens are let in and which are not, each algorithm with a key of its own.

use jsonwebtoken::{Algorithm, EncodingKey, encode};
use serde_json::{Value, json};

use super::*;
use crate::platform::settings::Secret;

pub(super) const NOW: i64 = 1_700_000_000;
const RSA: &str = include_str!("testdata/rsa.public.pem");
const P256: &str = include_str!("testdata/p256.public.pem");
const P384: &str = include_str!("testdata/p384.public.pem");
const P521: &str = include_str!("testdata/p521.public.pem");
const ED25519: &str = include_str!("testdata/ed25519.public.pem");

fn signed(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

pub(super) fn hs(secret: &str, claims: Value) -> String {
    signed(Algorithm::HS256, &EncodingKey::from_secret(secret.as_bytes()), &claims)
}

fn verifier(keys: Token) -> Verifier {
    Verifier::new(&keys).unwrap()
}

pub(super) fn by_secret() -> Verifier {
    verifier(Token { hmac_secret_key: Secret::new("secret"), ..Default::default() })
}

fn invalid<T: fmt::Debug>(result: Result<T, TokenError>) -> bool {
    matches!(result, Err(TokenError::Invalid(_)))
}

fn every_key() -> Vec<(&'static str, Vec<Algorithm>, EncodingKey, Token)> {
    use Algorithm::*;
    let pem = |text: &str| text.to_string();
    let rsa = EncodingKey::from_rsa_pem(include_bytes!("testdata/rsa.private.pem")).unwrap();
    let p256 = EncodingKey::from_ec_pem(include_bytes!("testdata/p256.private.pem")).unwrap();
    let p384 = EncodingKey::from_ec_pem(include_bytes!("testdata/p384.private.pem")).unwrap();
    let ed = EncodingKey::from_ed_pem(include_bytes!("testdata/ed25519.private.pem")).unwrap();
    let none = Token::default;
    vec![
        (
            "hmac",
            vec![HS256, HS384, HS512],
            EncodingKey::from_secret(b"secret"),
            Token { hmac_secret_key: Secret::new("secret"), ..none() },
        ),
        ("rsa", vec![RS256, RS384, RS512], rsa, Token { rsa_public_key: pem(RSA), ..none() }),
        ("p256", vec![ES256], p256, Token { ecdsa_public_key: pem(P256), ..none() }),
        ("p384", vec![ES384], p384, Token { ecdsa_public_key: pem(P384), ..none() }),
        ("ed25519", vec![EdDSA], ed, Token { ed25519_public_key: pem(ED25519), ..none() }),
    ]
}

#[test]
fn each_algorithm_is_accepted_by_its_own_key_and_by_no_other() {
    for (signer, algorithms, key, _) in every_key() {
        for algorithm in algorithms {
            let token = signed(algorithm, &key, &json!({"sub": "ana"}));
            for (holder, _, _, keys) in every_key() {
                let seen = verifier(keys).connection(&token, NOW);
                match signer == holder {
                    true => assert_eq!(seen.unwrap().user.as_str(), "ana", "{algorithm:?}"),
                    false => assert!(invalid(seen), "{algorithm:?} by {holder}"),
                }
            }
        }
    }
}

fn es512(header: Value, claims: Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use p521::{
        SecretKey,
        ecdsa::{Signature, SigningKey, signature::Signer},
        pkcs8::DecodePrivateKey,
    };
    let key = SecretKey::from_pkcs8_pem(include_str!("testdata/p521.private.pem")).unwrap();
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = SigningKey::from_bytes(&key.to_bytes()).unwrap();
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[test]
fn es512_is_accepted_by_a_key_on_p521_and_by_no_other() {
    let p521 = || verifier(Token { ecdsa_public_key: P521.into(), ..Default::default() });
    let token = es512(json!({"alg": "ES512", "typ": "JWT"}), json!({"sub": "ana"}));
    assert_eq!(p521().connection(&token, NOW).unwrap().user.as_str(), "ana");
    let late = es512(json!({"alg": "ES512"}), json!({"sub": "ana", "exp": NOW - 3600}));
    assert_eq!(p521().connection(&late, NOW).unwrap_err(), TokenError::Expired);

    let eve = es512(json!({"alg": "ES512"}), json!({"sub": "eve"}));
    let (head, _) = eve.rsplit_once('.').unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    for forged in [format!("{head}.{signature}"), format!("{head}."), format!("{head}.AAAA")] {
        assert!(invalid(p521().connection(&forged, NOW)), "{forged}");
    }
    let critical = es512(json!({"alg": "ES512", "crit": ["x"]}), json!({"sub": "ana"}));
    assert!(invalid(p521().connection(&critical, NOW)));
    for header in ["none", "ES384", "HS256", "es512"] {
        let token = es512(json!({"alg": header}), json!({"sub": "ana"}));
        assert!(invalid(p521().connection(&token, NOW)), "{header}");
    }
    for (name, algorithms, key, keys) in every_key() {
        assert!(invalid(verifier(keys).connection(&token, NOW)), "{name}");
        for algorithm in algorithms {
            let foreign = signed(algorithm, &key, &json!({"sub": "ana"}));
            assert!(invalid(p521().connection(&foreign, NOW)), "{name}");
        }
    }
}

#[test]
fn rsa_pss_is_not_accepted_though_the_key_could_verify_it() {
    let (_, _, key, keys) = every_key().remove(1);
    let token = signed(Algorithm::PS256, &key, &json!({"sub": "ana"}));
    assert!(invalid(verifier(keys).connection(&token, NOW)));
}

#[test]
fn a_public_key_used_as_hmac_secret_forges_nothing() {
    let all = Token {
        hmac_secret_key: Secret::new("secret"),
        rsa_public_key: RSA.into(),
        ecdsa_public_key: P256.into(),
        ed25519_public_key: ED25519.into(),
        ..Default::default()
    };
    for pem in [RSA, P256, ED25519] {
        assert!(invalid(verifier(all.clone()).connection(&hs(pem, json!({"sub": "eve"})), NOW)));
    }
}

#[test]
fn unsigned_garbled_and_foreign_tokens_are_invalid() {
    let good = hs("secret", json!({"sub": "ana"}));
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"; // {"alg":"none","typ":"JWT"}
    let es512 = "eyJhbGciOiJFUzUxMiJ9"; // {"alg":"ES512"}
    let other_payload = hs("x", json!({"sub": "eve"})).split('.').nth(1).unwrap().to_string();
    for token in [
        String::new(),
        "garbage".into(),
        "..".into(),
        format!("{head}.{payload}"),
        format!("{head}.{payload}."),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{es512}.{payload}.{signature}"),
        format!("{head}.{other_payload}.{signature}"),
        hs("another secret", json!({"sub": "ana"})),
    ] {
        assert!(invalid(by_secret().connection(&token, NOW)), "{token}");
    }
    assert!(by_secret().connection(&good, NOW).is_ok());
}

#[test]
fn a_token_with_an_extension_that_must_be_understood_is_refused() {
    let header = Header { crit: Some(vec!["x".into()]), ..Header::default() };
    let key = EncodingKey::from_secret(b"secret");
    let token = encode(&header, &json!({"sub": "ana"}), &key).unwrap();
    assert!(invalid(by_secret().connection(&token, NOW)));
}

#[test]
fn without_keys_nobody_gets_in() {
    assert!(invalid(verifier(Token::default()).connection(&hs("", json!({})), NOW)));
}

#[test]
fn times_are_read_with_a_minute_of_leeway() {
    for (claims, in_force) in [
        (json!({"exp": NOW - 60}), true),
        (json!({"exp": NOW - 61}), false),
        (json!({"exp": (NOW - 61) as f64 + 0.5}), false),
        (json!({"exp": i64::MIN}), false),
        (json!({"nbf": NOW + 60}), true),
        (json!({"nbf": NOW + 61}), false),
        (json!({"nbf": i64::MAX}), false),
        (json!({}), true),
    ] {
        let seen = by_secret().connection(&hs("secret", claims.clone()), NOW);
        match in_force {
            true => assert!(seen.is_ok(), "{claims}"),
            false => assert_eq!(seen.unwrap_err(), TokenError::Expired, "{claims}"),
        }
    }
}

#[test]
fn an_expired_token_of_a_stranger_is_invalid_not_expired() {
    assert!(invalid(by_secret().connection(&hs("other", json!({"exp": 1})), NOW)));
}

#[test]
fn after_a_rotation_the_previous_secret_works_until_its_time() {
    let keys = Token {
        hmac_secret_key: Secret::new("new"),
        hmac_previous_secret_key: Secret::new("old"),
        hmac_previous_secret_key_valid_until: NOW as u64,
        ..Default::default()
    };
    let verifier = verifier(keys);
    let (old, new) = (hs("old", json!({})), hs("new", json!({})));
    assert!(verifier.connection(&old, NOW).is_ok());
    assert!(invalid(verifier.connection(&old, NOW + 1)));
    assert!(verifier.connection(&new, NOW + 1).is_ok());
}

#[test]
fn audience_and_issuer_must_be_ours_when_they_are_configured() {
    let exact = Token {
        hmac_secret_key: Secret::new("secret"),
        audience: "fanfare".into(),
        issuer: "me".into(),
        ..Default::default()
    };
    let pattern = Token {
        hmac_secret_key: Secret::new("secret"),
        audience_regex: "fan.*".into(),
        issuer_regex: "m.".into(),
        ..Default::default()
    };
    for keys in [exact, pattern] {
        for (claims, good) in [
            (json!({"aud": "fanfare", "iss": "me"}), true),
            (json!({"aud": ["x", "fanfare"], "iss": "me"}), true),
            (json!({"aud": "a fanfare", "iss": "me"}), false),
            (json!({"aud": "fanfare", "iss": "not me"}), false),
            (json!({"aud": [], "iss": "me"}), false),
            (json!({"iss": "me"}), false),
            (json!({"aud": "fanfare"}), false),
        ] {
            let seen = verifier(keys.clone()).connection(&hs("secret", claims.clone()), NOW);
            assert_eq!(seen.is_ok(), good, "{claims}");
        }
    }
}

#[test]
fn the_user_may_stand_in_another_claim() {
    let keys = Token {
        hmac_secret_key: Secret::new("secret"),
        user_id_claim: "uid".into(),
        ..Default::default()
    };
    let token = hs("secret", json!({"sub": "ana", "uid": "bo"}));
    assert_eq!(verifier(keys).connection(&token, NOW).unwrap().user.as_str(), "bo");
    assert_eq!(by_secret().connection(&token, NOW).unwrap().user.as_str(), "ana");
    assert!(by_secret().connection(&hs("secret", json!({})), NOW).unwrap().user.is_anonymous());
    assert!(invalid(by_secret().connection(&hs("secret", json!({"sub": 42})), NOW)));
    // No database can keep what is theirs.
    assert!(invalid(by_secret().connection(&hs("secret", json!({"sub": "a\0b"})), NOW)));
}

#[test]
fn a_connection_token_says_who_how_long_and_to_what() {
    let claims = json!({
        "sub": "ana", "exp": NOW + 10, "expire_at": NOW + 100, "jti": "j", "iat": NOW - 5,
        "info": {"name": "Ana"}, "channels": ["news"],
        "subs": {"chat:1": {"b64info": "AAE=", "data": [1], "override": {"presence": {"value": false}}}},
    });
    let seen = by_secret().connection(&hs("secret", claims), NOW).unwrap();
    let news = Grant::default();
    let chat = Grant {
        info: Some(Attached::Binary(vec![0, 1].into())),
        data: Some(Attached::Json("[1]".into())),
        overrides: Overrides { presence: Some(false), ..Default::default() },
    };
    let expected = ConnectionClaims {
        user: crate::ids::UserId::new("ana"),
        exp: Some(NOW + 10),
        lifetime: Some(NOW + 100),
        info: Some(Attached::Json(r#"{"name":"Ana"}"#.into())),
        subs: [("news".to_string(), news), ("chat:1".to_string(), chat)].into(),
        papers: Papers { name: Some("j".into()), issued: Some(NOW - 5) },
    };
    assert_eq!(seen, expected);
}

#[test]
fn expire_at_rules_over_exp_and_zero_means_never() {
    for (claims, lifetime) in [
        (json!({}), None),
        (json!({"exp": NOW}), Some(NOW)),
        (json!({"exp": NOW, "expire_at": NOW + 5}), Some(NOW + 5)),
        (json!({"exp": NOW, "expire_at": 0}), None),
    ] {
        let seen = by_secret().connection(&hs("secret", claims.clone()), NOW).unwrap();
        assert_eq!(seen.lifetime, lifetime, "{claims}");
    }
}

#[test]
fn tokens_of_one_kind_do_not_pass_for_the_other() {
    let for_channel = hs("secret", json!({"sub": "ana", "channel": "news", "client": "c"}));
    let to_connect = hs("secret", json!({"sub": "ana"}));
    assert!(invalid(by_secret().connection(&for_channel, NOW)));
    assert!(invalid(by_secret().subscription(&to_connect, NOW)));
    let seen = by_secret().subscription(&for_channel, NOW).unwrap();
    assert_eq!((seen.channel.as_str(), seen.client.as_deref()), ("news", Some("c")));
}

#[test]
fn claims_of_a_wrong_type_make_a_token_invalid() {
    for claims in [
        json!({"exp": "soon"}),
        json!({"channels": "news"}),
        json!({"b64info": "not base64!"}),
        json!({"subs": {"a": 1}}),
        json!(["sub"]),
    ] {
        assert!(invalid(by_secret().connection(&hs("secret", claims.clone()), NOW)), "{claims}");
    }
}

#[test]
fn keys_that_could_never_verify_are_named_at_start() {
    let text = |s: &str| s.to_string();
    let private = include_str!("testdata/p256.private.pem");
    for (keys, setting) in [
        (Token { hmac_secret_key: Secret::new(RSA), ..Default::default() }, "hmac_secret_key"),
        (Token { rsa_public_key: text("x"), ..Default::default() }, "rsa_public_key"),
        (Token { rsa_public_key: text(P256), ..Default::default() }, "rsa_public_key"),
        (Token { ecdsa_public_key: text(ED25519), ..Default::default() }, "ecdsa_public_key"),
        (Token { ecdsa_public_key: text(private), ..Default::default() }, "ecdsa_public_key"),
        (Token { ed25519_public_key: text(RSA), ..Default::default() }, "ed25519_public_key"),
        (Token { issuer_regex: text("("), ..Default::default() }, "issuer_regex"),
    ] {
        assert_eq!(Verifier::new(&keys).unwrap_err().setting, setting);
    }
}

#[test]
fn no_key_is_printed() {
    let keys = Token { hmac_secret_key: Secret::new("hush"), ..Default::default() };
    assert!(!format!("{keys:?} {:?}", by_secret()).contains("hush"));
}
