//! `fanfare token`: signs a token for a client, as the backend of an app would.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::{Failure, exit::say, settings};
use crate::platform::{
    data_dir::{Generated, read_secret},
    settings::{Secret, Settings, TOKEN_SECRET, Token, parse_duration},
};

/// Sign a token (JWT, HS256) with the configured secret, else with the generated one.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare token --user ana                        connect as ana
  fanfare token --user ana --ttl 7d
  fanfare token --user ana --channel '$plans'     let ana subscribe to $plans

In JavaScript:
  new Centrifuge('ws://127.0.0.1:8000/connection/websocket', { token: '...' })")]
pub(super) struct Args {
    /// Whom the token is for; empty for an anonymous user.
    #[arg(long)]
    user: String,
    /// Make it a subscription token for this channel.
    #[arg(long)]
    channel: Option<String>,
    /// How long it is good.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    ttl: Duration,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let settings = settings.load([])?.settings;
    let signer = match args.channel {
        None => Signer::of_connections(&settings)?,
        Some(_) => Signer::of_subscriptions(&settings)?,
    };
    say(signer.sign(&args.user, args.channel.as_deref(), args.ttl)?)
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a duration with its unit, like 90s, 1h or 7d".into())
}

/// Signs tokens that this node's settings accept.
pub(super) struct Signer {
    secret: Secret,
    user_claim: String,
    audience: Option<String>,
    issuer: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    /// The user once more, where the settings look for another claim than `sub`.
    #[serde(flatten)]
    user: Option<BTreeMap<&'a str, &'a str>>,
}

impl Signer {
    /// Of connection tokens.
    pub fn of_connections(settings: &Settings) -> Result<Self, Failure> {
        Self::new(settings, &settings.client.token)
    }

    /// Of subscription tokens.
    pub fn of_subscriptions(settings: &Settings) -> Result<Self, Failure> {
        Self::new(settings, settings.subscription_token_keys())
    }

    fn new(settings: &Settings, keys: &Token) -> Result<Self, Failure> {
        let set = Some(&keys.hmac_secret_key).filter(|secret| !secret.is_empty()).cloned();
        let secret = match set {
            Some(secret) => secret,
            None if keys.has_key() => {
                return Err(Failure::Failed(format!(
                    "the settings hold public keys alone, which can't sign: let whoever has the \
                     private key sign, or set {TOKEN_SECRET}"
                )));
            }
            None => generated(settings)?,
        };
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(Self {
            secret,
            user_claim: keys.user_id_claim.clone(),
            audience: given(&keys.audience),
            issuer: given(&keys.issuer),
        })
    }

    /// A token for `user` that is good for `ttl` from now; with a channel, to subscribe to that.
    pub fn sign(
        &self,
        user: &str,
        channel: Option<&str>,
        ttl: Duration,
    ) -> Result<String, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let other = Some(self.user_claim.as_str()).filter(|claim| !["", "sub"].contains(claim));
        let claims = Claims {
            sub: user,
            exp: now.saturating_add(ttl.as_secs()),
            iat: now,
            channel,
            aud: self.audience.as_deref(),
            iss: self.issuer.as_deref(),
            user: other.map(|claim| [(claim, user)].into()),
        };
        let key = EncodingKey::from_secret(self.secret.expose().as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Failure::Failed(format!("the token could not be signed: {error}")))
    }
}

fn generated(settings: &Settings) -> Result<Secret, Failure> {
    read_secret(settings.data_dir(), Generated::TokenSecret)?.ok_or_else(|| {
        Failure::Failed(format!(
            "{} holds no secret yet: run `fanfare serve` once, or set {TOKEN_SECRET}",
            settings.data_dir
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{settings::Token, tokens::Verifier};

    fn settings(shape: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings { data_dir: "/nowhere".into(), ..Settings::default() };
        settings.client.token.hmac_secret_key = Secret::new("of connections");
        shape(&mut settings);
        settings
    }

    fn verifier(secret: &str, shape: impl FnOnce(&mut Token)) -> Verifier {
        let mut keys = Token { hmac_secret_key: Secret::new(secret), ..Token::default() };
        shape(&mut keys);
        Verifier::new(&keys).unwrap()
    }

    fn now() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
    }

    #[test]
    fn a_connection_token_lets_its_user_in_until_it_expires() {
        let signer = Signer::of_connections(&settings(|_| ())).unwrap();
        let token = signer.sign("ana", None, Duration::from_secs(3600)).unwrap();
        let verifier = verifier("of connections", |_| ());
        assert_eq!(verifier.connection(&token, now()).unwrap().user.as_str(), "ana");
        assert!(verifier.connection(&token, now() + 3600 + 120).is_err());
    }

    #[test]
    fn a_subscription_token_is_signed_with_the_key_of_its_own() {
        let settings = settings(|settings| {
            settings.client.subscription_token.enabled = true;
            settings.client.subscription_token.keys.hmac_secret_key = Secret::new("of subs");
        });
        let signer = Signer::of_subscriptions(&settings).unwrap();
        let token = signer.sign("ana", Some("$plans"), Duration::from_secs(60)).unwrap();
        let claims = verifier("of subs", |_| ()).subscription(&token, now()).unwrap();
        assert_eq!((claims.user.as_str(), claims.channel.as_str()), ("ana", "$plans"));
    }

    #[test]
    fn what_the_settings_demand_of_a_token_is_in_it() {
        let settings = settings(|settings| {
            settings.client.token.audience = "here".into();
            settings.client.token.issuer = "me".into();
            settings.client.token.user_id_claim = "uid".into();
        });
        let signer = Signer::of_connections(&settings).unwrap();
        let token = signer.sign("ana", None, Duration::from_secs(60)).unwrap();
        let verifier = verifier("of connections", |keys| {
            keys.audience = "here".into();
            keys.issuer = "me".into();
            keys.user_id_claim = "uid".into();
        });
        assert_eq!(verifier.connection(&token, now()).unwrap().user.as_str(), "ana");
    }

    #[test]
    fn without_any_secret_it_is_told_how_to_get_one() {
        let bare = settings(|settings| settings.client.token.hmac_secret_key = Secret::default());
        let failure = Signer::of_connections(&bare).err().unwrap().to_string();
        assert!(failure.contains("run `fanfare serve` once"), "{failure}");
        let public = settings(|settings| {
            settings.client.token.hmac_secret_key = Secret::default();
            settings.client.token.rsa_public_key = "-----BEGIN".into();
        });
        let failure = Signer::of_connections(&public).err().unwrap().to_string();
        assert!(failure.contains("can't sign"), "{failure}");
    }
}
