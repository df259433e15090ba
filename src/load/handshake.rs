//! The HTTP part of a WebSocket: what a client asks, and whether the server agrees (RFC 6455, section 4). Pure.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::protocol::Encoding;

/// How far the server's answer has come.
#[derive(PartialEq, Eq, Debug)]
pub enum Answer {
    /// Not yet whole.
    More,
    /// The socket speaks frames from this byte on.
    Agreed(usize),
    /// Another status than 101.
    Refused(Refused),
}

/// The server does not want this connection, or not now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub status: u16,
    /// Seconds, from `Retry-After`.
    pub retry_after: Option<u64>,
    /// The first line of the body, or else of the answer.
    pub text: String,
}

impl Refused {
    /// Whether the server asks to come again later.
    pub fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 429 | 502..=504)
    }
}

/// An answer's head is never longer.
const LONGEST_HEAD: usize = 16 * 1024;

/// The upgrade request. A `user` is named in the cookie by which a proxy knows whom it belongs to. `nonce` is random; it lets a server tell requests from caches' echoes.
pub fn request(
    host: &str,
    path: &str,
    user: Option<&str>,
    encoding: Encoding,
    nonce: [u8; 16],
) -> Vec<u8> {
    let cookie = user.map(|user| format!("Cookie: fanfare_user={user}\r\n")).unwrap_or_default();
    let protocol = match encoding {
        Encoding::Json => "",
        Encoding::Protobuf => "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n",
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{protocol}{cookie}\r\n",
        BASE64.encode(nonce)
    )
    .into_bytes()
}

/// Reads what has come of the server's answer.
pub fn answer(bytes: &[u8]) -> Answer {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return match bytes.len() {
            0..=LONGEST_HEAD => Answer::More,
            _ => refused(0, "an HTTP head without an end", &[]),
        };
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    match status {
        Some(101) => Answer::Agreed(end + 4),
        Some(status) => {
            let body = String::from_utf8_lossy(&bytes[end + 4..]);
            let said = body.lines().find(|line| !line.trim().is_empty()).unwrap_or(first);
            refused(status, said, &lines.collect::<Vec<_>>())
        }
        None => refused(0, first, &[]),
    }
}

fn refused(status: u16, text: &str, headers: &[&str]) -> Answer {
    let retry_after = headers.iter().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok())?
    });
    Answer::Refused(Refused { status, retry_after, text: text.chars().take(200).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_its_subprotocol_only_for_protobuf() {
        let json = String::from_utf8(request("h:1", "/c", None, Encoding::Json, [0; 16])).unwrap();
        assert!(json.starts_with("GET /c HTTP/1.1\r\nHost: h:1\r\n") && json.ends_with("\r\n\r\n"));
        assert!(!json.contains("Protocol") && !json.contains("Cookie"));
        let protobuf =
            String::from_utf8(request("h:1", "/c", Some("ana"), Encoding::Protobuf, [0; 16]))
                .unwrap();
        assert!(protobuf.contains("\r\nSec-WebSocket-Protocol: centrifuge-protobuf\r\n"));
        assert!(protobuf.ends_with("\r\nCookie: fanfare_user=ana\r\n\r\n"));
    }

    #[test]
    fn an_answer_is_read_to_the_byte_where_frames_begin() {
        let whole = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02{}";
        assert_eq!(answer(whole), Answer::Agreed(whole.len() - 4));
        for cut in 0..whole.len() - 4 {
            assert_eq!(answer(&whole[..cut]), Answer::More);
        }
    }

    #[test]
    fn a_refusal_says_its_status_its_words_and_when_to_come_again() {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\r\nshutting down\n";
        let Answer::Refused(refused) = answer(busy) else { panic!() };
        assert_eq!((refused.status, refused.retry_after), (503, Some(2)));
        assert_eq!(refused.text, "shutting down");
        assert!(refused.is_temporary());
        let Answer::Refused(refused) = answer(b"HTTP/1.1 403 Forbidden\r\n\r\n") else { panic!() };
        assert_eq!(refused.text, "HTTP/1.1 403 Forbidden");
        assert!(!refused.is_temporary());
        assert!(matches!(answer(b"SSH-2.0\r\n\r\n"), Answer::Refused(Refused { status: 0, .. })));
        assert!(matches!(answer(&[b'x'; 20_000]), Answer::Refused(_)));
    }
}
