//! What `pub` and `sub` stand on: where the server is, who is asking, and a wire that speaks the real protocol.

#[cfg(test)]
pub(super) mod fake;
mod handshake;
mod url;
mod wire;

pub(super) use url::Url;
pub(super) use wire::{Trouble, Wire};

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{Failure, settings, token::Signer};
use crate::platform::settings::Settings;

/// Where the server is and who is asking.
#[derive(clap::Args, Debug)]
#[group(id = "client")]
pub(super) struct Args {
    /// The server [where the settings say that this machine's listens].
    #[arg(long, value_parser = Url::parse, help_heading = "Server")]
    url: Option<Url>,
    /// Connect as this user, with a token signed by the settings' secret.
    #[arg(long, default_value = "cli", conflicts_with = "token", help_heading = "Server")]
    user: String,
    /// Connect with this token.
    #[arg(long, value_name = "JWT", help_heading = "Server")]
    token: Option<String>,
}

/// Where to, and as whom.
pub(super) struct Visit {
    url: Url,
    user: String,
    token: Option<String>,
    settings: Settings,
}

/// Tokens are signed for one connection, so they need not last.
const TTL: Duration = Duration::from_secs(3600);

impl Args {
    pub fn visit(&self, settings: &settings::Args) -> Result<Visit, Failure> {
        let settings = settings.load([])?.settings;
        let url = match &self.url {
            Some(url) => url.clone(),
            None => Url::of_server(near(settings.http_server.socket_address())),
        };
        Ok(Visit { url, user: self.user.clone(), token: self.token.clone(), settings })
    }
}

impl Visit {
    /// A visit with this token, without any settings.
    #[cfg(test)]
    pub fn with_token(url: Url, token: &str) -> Self {
        Self { url, user: String::new(), token: Some(token.into()), settings: Settings::default() }
    }

    /// Connects with the given token or a fresh one.
    pub async fn open(&self) -> Result<Wire, Failing> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None if self.settings.client.insecure => String::new(),
            None => Signer::of_connections(&self.settings)?.sign(&self.user, None, TTL)?,
        };
        Ok(Wire::open(&self.url, &token).await?)
    }

    /// The token to subscribe to a channel with; empty unless its name asks for one.
    pub fn subscription_token(&self, channel: &str) -> Result<String, Failure> {
        let private = channel.starts_with(&self.settings.channel.private_prefix);
        if !private || self.token.is_some() {
            return Ok(String::new());
        }
        Signer::of_subscriptions(&self.settings)?.sign(&self.user, Some(channel), TTL)
    }
}

/// What went wrong, on either side of the wire.
pub(super) enum Failing {
    Here(Failure),
    There(Trouble),
}

impl From<Failure> for Failing {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

impl From<Trouble> for Failing {
    fn from(trouble: Trouble) -> Self {
        Self::There(trouble)
    }
}

impl From<Failing> for Failure {
    fn from(failing: Failing) -> Self {
        match failing {
            Failing::Here(failure) => failure,
            Failing::There(trouble) => Failure::Failed(trouble.to_string()),
        }
    }
}

/// A server that listens everywhere is reached on loopback.
fn near(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Runs a client to its end on this thread.
pub(super) fn block_on<T>(client: impl Future<Output = Result<T, Failing>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::Failed(format!("no event loop: {e}")))?;
    Ok(runtime.block_on(client)?)
}
