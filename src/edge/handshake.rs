//! Reads an upgrade request: who is let in and how it will talk, or the HTTP answer that says why not.
//!
//! Lenient where SDKs need it: JSON clients send no subprotocol or an empty one, and then none is answered;
//! extensions are offered and not accepted. Decides by the request alone, touches no socket.

use std::{borrow::Cow, fmt::Write};

use actix_http::{
    RequestHead, StatusCode,
    header::{HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL},
    ws::{HandshakeError, hash_key, verify_handshake},
};

use super::{identity::Origins, limits::Closed};
use crate::protocol::Encoding;

/// Where sockets are opened.
pub const PATH: &str = "/connection/websocket";

const PROTOBUF: &str = "centrifuge-protobuf";
const JSON: &str = "centrifuge-json";

/// How a connection that was let in will talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome {
    pub encoding: Encoding,
    /// The client asked for WebSocket pings in place of the protocol's own.
    pub native_ping: bool,
    subprotocol: Option<&'static str>,
    accept: [u8; 28],
}

/// An HTTP answer in place of a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    pub status: StatusCode,
    text: Cow<'static, str>,
    header: Option<(&'static str, Cow<'static, str>)>,
}

/// Judges an upgrade request.
pub fn judge(head: &RequestHead, origins: &Origins) -> Result<Welcome, Rejection> {
    if head.uri.path() != PATH {
        let text = format!("no socket here: connect to {PATH}\n");
        return Err(Rejection::new(StatusCode::NOT_FOUND, text));
    }
    verify_handshake(head).map_err(Rejection::from)?;
    check_origin(head, origins)?;
    let subprotocol = subprotocol(head.headers());
    let asks =
        |what: &str| head.uri.query().is_some_and(|query| query.split('&').any(|q| q == what));
    let protobuf =
        subprotocol == Some(PROTOBUF) || asks("format=protobuf") || asks("cf_protocol=protobuf");
    let key = head.headers().get(SEC_WEBSOCKET_KEY).map_or(&b""[..], |key| key.as_bytes());
    Ok(Welcome {
        encoding: if protobuf { Encoding::Protobuf } else { Encoding::Json },
        native_ping: asks("cf_ws_frame_ping_pong=true"),
        subprotocol,
        accept: hash_key(key),
    })
}

fn check_origin(head: &RequestHead, origins: &Origins) -> Result<(), Rejection> {
    let Some(origin) = head.headers().get(ORIGIN) else { return Ok(()) };
    let host = text(head.headers(), HOST).unwrap_or_default();
    match origin.to_str() {
        Ok(origin) if origins.allow(origin, host) => Ok(()),
        _ => {
            let text = "this page's origin may not connect: add it to allowed_origins\n";
            Err(Rejection::new(StatusCode::FORBIDDEN, text))
        }
    }
}

/// The first subprotocol of the client's list that we know.
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .find_map(|name| [PROTOBUF, JSON].into_iter().find(|known| *known == name.trim()))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

impl Welcome {
    /// The answer that turns the connection into a socket.
    pub fn answer(&self) -> Vec<u8> {
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\n",
            self.accept.iter().map(|byte| char::from(*byte)).collect::<String>(),
        );
        if let Some(name) = self.subprotocol {
            let _ = write!(answer, "sec-websocket-protocol: {name}\r\n");
        }
        answer += "\r\n";
        answer.into_bytes()
    }
}

impl Rejection {
    fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into(), header: None }
    }

    fn with(self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// The whole answer; the connection ends after it.
    pub fn answer(&self) -> Vec<u8> {
        let Self { status, text, header } = self;
        let mut answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n",
            text.len(),
        );
        if let Some((name, value)) = header {
            let _ = write!(answer, "{name}: {value}\r\n");
        }
        let _ = write!(answer, "\r\n{text}");
        answer.into_bytes()
    }
}

impl From<HandshakeError> for Rejection {
    fn from(error: HandshakeError) -> Self {
        let bad = |text: &'static str| Rejection::new(StatusCode::BAD_REQUEST, text);
        match error {
            HandshakeError::GetMethodRequired => {
                let text = "expected GET for a WebSocket\n";
                Rejection::new(StatusCode::METHOD_NOT_ALLOWED, text).with("allow", "GET")
            }
            HandshakeError::NoVersionHeader | HandshakeError::UnsupportedVersion => {
                let text = "expected Sec-WebSocket-Version: 13\n";
                Rejection::new(StatusCode::UPGRADE_REQUIRED, text)
                    .with("sec-websocket-version", "13")
            }
            HandshakeError::NoWebsocketUpgrade => bad("expected Upgrade: websocket\n"),
            HandshakeError::NoConnectionUpgrade => bad("expected Connection: Upgrade\n"),
            HandshakeError::BadWebsocketKey => {
                bad("expected 16 bytes in base64 in Sec-WebSocket-Key\n")
            }
        }
    }
}

impl From<Closed> for Rejection {
    fn from(closed: Closed) -> Self {
        let (text, seconds) = match closed {
            Closed::Draining => ("this node is going down: connect again\n", "1"),
            Closed::Full => ("all connections of this node are taken: connect again\n", "5"),
            Closed::Busy => ("too many handshakes at once: connect again\n", "1"),
        };
        // Always 503, on which a proxy in front tries the next node.
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, text).with("retry-after", seconds)
    }
}

#[cfg(test)]
mod tests;
