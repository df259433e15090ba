//! Settings of the listeners and of what is spoken there over HTTP.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    kinds::Secret,
    section::{Wrong, section},
};
use crate::platform::network::Network;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

section! {
    /// Where clients and backends come in: WebSockets and the server API.
    #[check(check_http_server)]
    pub struct HttpServer {
        /// IP address to listen on. Beyond loopback the node needs secrets of your own: it refuses
        /// to go there with the ones that it generated for development.
        pub address: IpAddr = LOOPBACK,
        /// TCP port. 0 takes a free one and says which.
        pub port: u16 = 8000,
        /// Threads that carry connections and rooms. 0 means one for each core.
        pub workers: usize = 0,
        /// Proxies that say truly in `X-Forwarded-For` for whom they speak, as addresses or networks
        /// ("127.0.0.1", "10.0.0.0/8"), and in `X-Fanfare-State` what a node told them about this
        /// request, if they say that. From others these headers are not read.
        pub trusted_proxies: Vec<String> = Vec::new(),
    }
}

section! {
    /// Where the people who run the node look: /live, /ready, /metrics, /version.
    ///
    /// A server of its own, so that it answers also while the public one drains or drowns.
    pub struct Operator {
        /// Whether to listen at all.
        pub enabled: bool = true,
        /// IP address to listen on. What it shows is for operators: keep it off the internet.
        pub address: IpAddr = LOOPBACK,
        /// TCP port. 0 takes a free one and says which.
        pub port: u16 = 8001,
    }
}

section! {
    /// WebSocket frames.
    #[check(check_websocket)]
    pub struct WebSocket {
        /// Bytes of one message from a client, at most; a longer one closes the connection with
        /// 1009 before it is read.
        pub message_size_limit: usize = 65536,
        /// How long the close frame and what is left of a half-written frame may take on the way
        /// out. After that the socket is cut.
        pub write_timeout: Duration = Duration::from_secs(5),
    }
}

section! {
    /// The server API at /api.
    pub struct HttpApi {
        /// The key that callers send as `X-API-Key`. Empty: the one generated in the data directory,
        /// which only works on loopback.
        pub key: Secret = Secret::default(),
        /// More keys that are good as well, to change them without a gap.
        pub keys: Vec<Secret> = Vec::new(),
        /// Answers callers without any key. Only for a network that nobody else can reach.
        pub insecure: bool = false,
    }
}

impl HttpServer {
    /// Where to listen.
    pub fn socket_address(&self) -> SocketAddr {
        (self.address, self.port).into()
    }
}

impl Operator {
    /// Where to listen.
    pub fn socket_address(&self) -> SocketAddr {
        (self.address, self.port).into()
    }
}

impl HttpApi {
    /// Every key that is good, the first one first.
    pub fn all_keys(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.key).chain(&self.keys).filter(|key| !key.is_empty())
    }
}

fn check_http_server(server: &HttpServer, wrong: &mut Wrong) {
    wrong.unless(
        server.trusted_proxies.iter().all(|text| Network::parse(text).is_some()),
        "trusted_proxies",
        "IP addresses or networks, like [\"127.0.0.1\", \"10.0.0.0/8\"]",
    );
}

fn check_websocket(websocket: &WebSocket, wrong: &mut Wrong) {
    let limit = websocket.message_size_limit;
    wrong.unless(
        (1024..=16 << 20).contains(&limit),
        "message_size_limit",
        "between 1024 and 16777216 bytes",
    );
    wrong.unless(!websocket.write_timeout.is_zero(), "write_timeout", "more than 0s");
}
