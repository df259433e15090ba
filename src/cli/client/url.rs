//! Addresses of servers as they are typed: `ws://host:port/path`. Pure.

use std::fmt;

/// Where a server's WebSocket endpoint is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Url {
    /// Host and port, as in the `Host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

const ENDPOINT: &str = "/connection/websocket";

impl Url {
    /// The endpoint of a server of ours at this address.
    pub fn of_server(address: std::net::SocketAddr) -> Self {
        Self { authority: address.to_string(), path: ENDPOINT.into() }
    }

    /// Reads `ws://host:port/path`; without a path it is that of the protocol.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("wss://") {
            return Err("expected ws://: TLS ends before the server, name its own address".into());
        }
        let rest = text.strip_prefix("ws://").ok_or("expected ws://host:port")?;
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        if authority.is_empty() || !plain(rest) || authority.contains('@') {
            return Err("expected ws://host:port".into());
        }
        let path = match path {
            "" | "/" => ENDPOINT.into(),
            query if query.starts_with('?') => format!("{ENDPOINT}{query}"),
            path => path.into(),
        };
        let has_port =
            authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.into() } else { format!("{authority}:80") };
        Ok(Self { authority, path })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_typed() {
        for (typed, read) in [
            ("ws://localhost:8000", "ws://localhost:8000/connection/websocket"),
            ("ws://localhost", "ws://localhost:80/connection/websocket"),
            ("ws://[::1]:9/x?y=z", "ws://[::1]:9/x?y=z"),
            ("ws://[::1]", "ws://[::1]:80/connection/websocket"),
            ("ws://a:1?cf_protocol=json", "ws://a:1/connection/websocket?cf_protocol=json"),
        ] {
            assert_eq!(Url::parse(typed).unwrap().to_string(), read);
        }
        for bad in ["localhost:8000", "http://a", "wss://a", "ws://", "ws://a b", "ws://u@h:1"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }
}
