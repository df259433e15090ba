//! Asks a server to speak WebSocket on a fresh TCP connection (RFC 6455, section 4).

use actix_http::ws::hash_key;
use bytes::BytesMut;
use rand::{RngExt, distr::Alphanumeric};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{url::Url, wire::Trouble};

/// An answer's head longer than this is none.
const LONGEST_HEAD: usize = 16 << 10;

/// Sends the request and reads the answer's head; returns bytes of frames that came behind it.
pub(super) async fn ask(socket: &mut TcpStream, url: &Url) -> Result<BytesMut, Trouble> {
    let key = key();
    let Url { authority, path } = url;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    let lost = |error| Trouble::Lost(format!("{url}: {error}"));
    socket.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut bytes = BytesMut::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let read = socket.read_buf(&mut bytes).await.map_err(lost)?;
        if read == 0 || bytes.len() > LONGEST_HEAD {
            return Err(Trouble::Strange(format!("{url}: that is no HTTP server")));
        }
    };
    let head = bytes.split_to(end);
    agreed(&String::from_utf8_lossy(&head), &key).map(|()| bytes)
}

/// 16 random bytes in base64: 21 characters of 6 bits, then one with the last 2.
fn key() -> String {
    rand::rng().sample_iter(Alphanumeric).take(21).map(char::from).chain("A==".chars()).collect()
}

fn agreed(head: &str, key: &str) -> Result<(), Trouble> {
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (status, text) = match first.split_once(' ') {
        Some((version, rest)) if version.starts_with("HTTP/1.") => {
            let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
            (status.parse().unwrap_or(0), text.to_owned())
        }
        _ => return Err(Trouble::Strange("that is no HTTP server".into())),
    };
    if status != 101 {
        return Err(Trouble::NoSocket { status, text });
    }
    let expected = hash_key(key.as_bytes());
    let accepted = lines.filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("Sec-WebSocket-Accept") && value.trim().as_bytes() == expected
    });
    if accepted { Ok(()) } else { Err(Trouble::Strange("that is no WebSocket server".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and answer of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    #[test]
    fn only_an_answer_to_our_key_is_taken() {
        let answer = |accept| {
            format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {accept}\r\n\r\n")
        };
        assert!(agreed(&answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), KEY).is_ok());
        assert!(matches!(agreed(&answer("c29tZXRoaW5nIGVsc2U="), KEY), Err(Trouble::Strange(_))));
        assert!(matches!(agreed("SSH-2.0-x\r\n\r\n", KEY), Err(Trouble::Strange(_))));
    }

    #[test]
    fn a_server_that_is_full_may_be_asked_again() {
        let trouble = agreed("HTTP/1.1 503 Service Unavailable\r\n\r\n", KEY).unwrap_err();
        assert!(trouble.passes());
        assert!(!agreed("HTTP/1.1 404 Not Found\r\n\r\n", KEY).unwrap_err().passes());
    }

    #[test]
    fn keys_are_drawn_anew() {
        let key = key();
        assert_eq!(key.len(), 24);
        assert_ne!(key, super::key());
    }
}
