//! The server under load as a client knows it: address, secret, key, and the names of its users and channels.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::Failure;
use crate::protocol::Encoding;

/// Where the server is and how its words are written.
#[derive(Clone)]
pub struct Target {
    /// Of the server's nodes, or of what stands before them; connections take them in turn.
    pub doors: Vec<SocketAddr>,
    /// Whether users say who they are when they come in, so that a proxy brings them to their node.
    pub named: bool,
    /// As in the URL: for the `Host` header.
    pub host: String,
    /// Path and query of the WebSocket endpoint.
    pub path: String,
    pub api_key: String,
    pub encoding: Encoding,
    key: EncodingKey,
    /// All users of this run begin with this: `load-<run>-`.
    user_prefix: String,
    /// All channels of this run begin with this.
    channel_prefix: String,
}

/// What the command line says of the server.
pub struct Access<'a> {
    /// `ws://host:port/path`.
    pub url: &'a str,
    pub secret: &'a str,
    pub api_key: &'a str,
    pub namespace: &'a str,
    pub encoding: Encoding,
    /// Whether channels are the users' personal ones.
    pub personal: bool,
    /// Sets this run's names apart from those of earlier ones.
    pub run: &'a str,
}

/// How long the tokens of a run are good for, in seconds.
const TOKEN_LIFE: u64 = 24 * 3600;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    exp: u64,
}

impl Target {
    /// Reads the URL and looks its host up.
    pub fn new(access: &Access<'_>) -> Result<Self, Failure> {
        let (host, path) = split_url(access.url)?;
        let address = host
            .to_socket_addrs()
            .map_err(|e| Failure(format!("can't find the host of {}: {e}", access.url)))?
            .next()
            .ok_or_else(|| Failure(format!("the host of {} has no address", access.url)))?;
        let run = access.run;
        let namespace = match access.namespace {
            "" => String::new(),
            name => format!("{name}:"),
        };
        let mark = if access.personal { "#" } else { "" };
        Ok(Self {
            doors: vec![address],
            named: false,
            host,
            path,
            api_key: access.api_key.into(),
            encoding: access.encoding,
            key: EncodingKey::from_secret(access.secret.as_bytes()),
            user_prefix: format!("load-{run}-"),
            channel_prefix: format!("{namespace}{mark}load-{run}-"),
        })
    }

    /// The same names at another address.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { doors: vec![address], ..self.clone() }
    }

    /// The same server with other names: users and channels begin with these, and end with a number.
    pub fn called(self, users: &str, channels: &str) -> Self {
        Self { user_prefix: users.into(), channel_prefix: channels.into(), ..self }
    }

    /// The same server through these doors.
    pub fn through(self, doors: Vec<SocketAddr>, named: bool) -> Self {
        if doors.is_empty() { self } else { Self { doors, named, ..self } }
    }

    /// Where a connection, or a publisher, of this number comes in.
    pub fn door(&self, number: usize) -> SocketAddr {
        self.doors[number % self.doors.len()]
    }

    /// The name of a user.
    pub fn user(&self, number: usize) -> String {
        format!("{}{number}", self.user_prefix)
    }

    /// The name of a room's channel. A personal channel has the number of its user.
    pub fn channel(&self, room: usize) -> String {
        format!("{}{room}", self.channel_prefix)
    }

    /// Whether this is the channel of that room; allocates nothing.
    pub fn is_channel(&self, room: usize, name: &[u8]) -> bool {
        let Some(digits) = name.strip_prefix(self.channel_prefix.as_bytes()) else {
            return false;
        };
        let number = digits.iter().try_fold(0usize, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        });
        !digits.is_empty() && number == Some(room)
    }

    /// A connection token for this user, signed with the secret (HS256).
    pub fn token(&self, user: usize) -> Result<String, Failure> {
        self.token_of(&self.user(user))
    }

    /// The same for a user of any name.
    pub fn token_of(&self, user: &str) -> Result<String, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Claims { sub: user, exp: now + TOKEN_LIFE };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .map_err(|e| Failure(format!("can't sign a token: {e}")))
    }
}

/// Host with port, and path, of a WebSocket URL.
fn split_url(url: &str) -> Result<(String, String), Failure> {
    let rest = match url.split_once("://") {
        Some(("ws", rest)) => rest,
        Some(("wss", _)) => {
            return Err(Failure(format!(
                "{url}: TLS is not spoken here; give the address behind the proxy that ends it, ws://..."
            )));
        }
        _ => {
            return Err(Failure(format!(
                "expected a URL like ws://127.0.0.1:8000/connection/websocket, got {url}"
            )));
        }
    };
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/connection/websocket"),
    };
    let host = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(namespace: &str, personal: bool) -> Target {
        let access = Access {
            url: "ws://127.0.0.1:8000/connection/websocket",
            secret: "not a secret",
            api_key: "",
            namespace,
            encoding: Encoding::Json,
            personal,
            run: "ab12",
        };
        Target::new(&access).unwrap()
    }

    #[test]
    fn urls_are_split_into_host_and_path() {
        let table = [
            ("ws://h:1/c?format=protobuf", ("h:1", "/c?format=protobuf")),
            ("ws://h", ("h:80", "/connection/websocket")),
            ("ws://[::1]:8000/x", ("[::1]:8000", "/x")),
            ("ws://h:1?a=b", ("h:1", "/?a=b")),
        ];
        for (url, (host, path)) in table {
            assert_eq!(split_url(url).ok(), Some((host.into(), path.into())), "{url}");
        }
        assert!(split_url("wss://h").err().unwrap().0.contains("TLS"));
        assert!(split_url("http://h").is_err());
    }

    #[test]
    fn channels_are_named_by_room_and_recognised() {
        for (namespace, personal, name) in [
            ("", false, "load-ab12-7"),
            ("chat", false, "chat:load-ab12-7"),
            ("", true, "#load-ab12-7"),
        ] {
            let target = target(namespace, personal);
            assert_eq!(target.channel(7), name);
            assert!(target.is_channel(7, name.as_bytes()));
            for other in ["", "load-ab12-", "load-ab12-77", "load-ab13-7", "x:load-ab12-7"] {
                assert!(!target.is_channel(7, other.as_bytes()), "{other}");
            }
        }
    }

    #[test]
    fn tokens_name_their_user_and_verify_with_the_secret_alone() {
        let token = target("", false).token(3).unwrap();
        let check = |secret: &str| {
            jsonwebtoken::decode::<serde_json::Value>(
                &token,
                &jsonwebtoken::DecodingKey::from_secret(secret.as_bytes()),
                &jsonwebtoken::Validation::new(Algorithm::HS256),
            )
        };
        assert_eq!(check("not a secret").unwrap().claims["sub"], "load-ab12-3");
        assert!(check("another").is_err());
    }
}
