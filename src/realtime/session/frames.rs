//! Frames that a client sends, read from the socket: nothing is buffered that was not announced and allowed.
//!
//! A frame's declared length is looked at before its payload is read, so a client can make us hold one
//! message of the allowed size and no more. While the session can't take another message, the socket
//! is not read. RFC 6455, section 5.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;

use super::line::Line;

#[cfg(feature = "fuzzing")]
pub mod fuzz;

/// What one read takes from a socket, at most.
const READ: usize = 16 * 1024;

thread_local! {
    /// One for all connections of a thread: what is read stays in it only until the end of a call.
    static SCRATCH: RefCell<Box<[u8; READ]>> = RefCell::new(Box::new([0; READ]));
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole message.
    Message(Bytes),
    /// A WebSocket ping, to be answered with the same bytes.
    Ping(Bytes),
    /// A WebSocket pong.
    Pong,
    /// The peer says good-bye.
    Close,
    /// It is longer than allowed.
    TooBig,
    /// It is no WebSocket frame of a client.
    Broken(&'static str),
}

/// The reading side of a connection. Ends when the peer is gone.
pub struct Frames {
    line: Rc<Line>,
    parser: Parser,
    ended: bool,
}

impl Frames {
    /// `leftover` was read together with the handshake.
    pub fn new(line: Rc<Line>, leftover: Bytes, most: usize) -> Self {
        Self { line, parser: Parser::new(BytesMut::from(leftover), most), ended: false }
    }
}

impl Stream for Frames {
    type Item = Incoming;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let this = self.get_mut();
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            if !this.line.wants_more() {
                // `Line::set_full` wakes the task that polls this.
                return Poll::Pending;
            }
            if let Some(incoming) = this.parser.next() {
                this.ended =
                    matches!(incoming, Incoming::Close | Incoming::TooBig | Incoming::Broken(_));
                return Poll::Ready(Some(incoming));
            }
            if ready!(this.line.io().poll_read_ready(cx)).is_err() {
                this.ended = true;
                continue;
            }
            SCRATCH.with_borrow_mut(|scratch| match this.line.io().try_read(&mut scratch[..]) {
                Ok(0) => this.ended = true,
                Ok(n) => {
                    this.line.has_read(n);
                    this.parser.feed(&scratch[..n]);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => this.ended = true,
            });
        }
    }
}

/// Bytes to frames to messages. Pure.
struct Parser {
    buffer: BytesMut,
    /// Fragments of a message whose end has not come.
    begun: Option<BytesMut>,
    most: usize,
}

struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    length: usize,
}

impl Parser {
    fn new(buffer: BytesMut, most: usize) -> Self {
        Self { buffer, begun: None, most }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<Incoming> {
        loop {
            let header = match self.header()? {
                Ok(header) => header,
                Err(refused) => return Some(refused),
            };
            let end = header.start + header.length;
            if self.buffer.len() < end {
                self.buffer.reserve(end - self.buffer.len());
                return None;
            }
            let mut payload = self.buffer.split_to(end);
            payload.advance(header.start);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            unmask(&mut payload, header.mask);
            match (header.opcode, header.last) {
                (0x0, last) => {
                    let Some(mut begun) = self.begun.take() else {
                        return Some(Incoming::Broken("a continuation of nothing"));
                    };
                    begun.extend_from_slice(&payload);
                    if last {
                        return Some(Incoming::Message(begun.freeze()));
                    }
                    self.begun = Some(begun);
                }
                (0x1 | 0x2, _) if self.begun.is_some() => {
                    return Some(Incoming::Broken("a new message inside another"));
                }
                (0x1 | 0x2, true) => return Some(Incoming::Message(payload.freeze())),
                (0x1 | 0x2, false) => self.begun = Some(payload),
                (0x8, _) => return Some(Incoming::Close),
                (0x9, _) => return Some(Incoming::Ping(payload.freeze())),
                _ => return Some(Incoming::Pong),
            }
        }
    }

    /// None: not all of it is here yet.
    fn header(&self) -> Option<Result<Header, Incoming>> {
        let broken = |why| Some(Err(Incoming::Broken(why)));
        let [first, second, rest @ ..] = &self.buffer[..] else { return None };
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return broken("a reserved bit is set");
        }
        if second & 0x80 == 0 {
            return broken("a client's frame has to be masked");
        }
        let is_control = opcode & 0x8 != 0;
        if !matches!(opcode, 0x0..=0x2 | 0x8..=0xa) {
            return broken("an unknown opcode");
        }
        let short = (second & 0x7f) as usize;
        if is_control && (short > 125 || !last) {
            return broken("a control frame is short and whole");
        }
        let (length, extended) = match short {
            126 => (u16::from_be_bytes(rest.get(..2)?.try_into().ok()?) as u64, 2),
            127 => (u64::from_be_bytes(rest.get(..8)?.try_into().ok()?), 8),
            short => (short as u64, 0),
        };
        let so_far = self.begun.as_ref().map_or(0, |begun| begun.len());
        if !is_control && length > (self.most - so_far.min(self.most)) as u64 {
            return Some(Err(Incoming::TooBig));
        }
        let mask = rest.get(extended..extended + 4)?.try_into().ok()?;
        Some(Ok(Header { last, opcode, mask, start: 2 + extended + 4, length: length as usize }))
    }
}

/// Whether these bytes, read after our own close was sent, end with the peer's: the last frame that it sends.
pub(super) fn end_with_close(bytes: &[u8]) -> bool {
    (0..=125).any(|length| {
        let frame = bytes.len().checked_sub(6 + length).and_then(|start| bytes.get(start..));
        frame.is_some_and(|frame| frame[0] == 0x88 && frame[1] == 0x80 | length as u8)
    })
}

/// RFC 6455, section 5.3, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut bytes = vec![first];
        match payload.len() {
            n if n < 126 => bytes.push(0x80 | n as u8),
            n if n <= 0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((n as u16).to_be_bytes());
            }
            n => {
                bytes.push(0x80 | 127);
                bytes.extend((n as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        bytes
    }

    fn all(bytes: &[u8], step: usize, most: usize) -> Vec<Incoming> {
        let mut parser = Parser::new(BytesMut::new(), most);
        let mut seen = Vec::new();
        for chunk in bytes.chunks(step) {
            parser.feed(chunk);
            while let Some(incoming) = parser.next() {
                let stop = matches!(incoming, Incoming::TooBig | Incoming::Broken(_));
                seen.push(incoming);
                if stop {
                    return seen;
                }
            }
        }
        assert_eq!(parser.buffer.capacity(), 0, "an idle connection holds no buffer");
        seen
    }

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let long = vec![b'x'; 300];
        let mut bytes = frame(0x81, b"{}");
        bytes.extend(frame(0x82, &long));
        bytes.extend(frame(0x01, b"{\"a\""));
        bytes.extend(frame(0x89, b"hi"));
        bytes.extend(frame(0x80, b":1}"));
        bytes.extend(frame(0x8a, b""));
        bytes.extend(frame(0x88, b""));
        for step in [1, 2, 7, 1000] {
            assert_eq!(
                all(&bytes, step, 1000),
                [
                    Incoming::Message(Bytes::from_static(b"{}")),
                    Incoming::Message(Bytes::from(long.clone())),
                    Incoming::Ping(Bytes::from_static(b"hi")),
                    Incoming::Message(Bytes::from_static(b"{\"a\":1}")),
                    Incoming::Pong,
                    Incoming::Close,
                ]
            );
        }
    }

    #[test]
    fn a_frame_that_declares_too_much_is_refused_before_it_is_read() {
        assert_eq!(all(&[0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0], 10, 65536), [Incoming::TooBig]);
        let mut fragments = frame(0x01, &[b'x'; 600]);
        fragments.extend(frame(0x00, &[b'x'; 600]));
        assert_eq!(all(&fragments, 10, 1000), [Incoming::TooBig]);
    }

    #[test]
    fn the_peers_close_is_seen_behind_whatever_it_sent_before() {
        for payload in [&b""[..], b"\x0b\xb9", b"\x0b\xb9shutdown"] {
            let bytes = [frame(0x81, b"{}"), frame(0x88, payload)].concat();
            assert!(end_with_close(&bytes));
            assert!(!end_with_close(&bytes[..bytes.len() - 1]));
        }
        assert!(!end_with_close(&frame(0x81, b"{}")));
        assert!(!end_with_close(b""));
    }

    #[test]
    fn what_no_client_may_send_is_refused() {
        for (bytes, why) in [
            (vec![0x81, 0x02, b'h', b'i'], "not masked"),
            (vec![0xc1, 0x80, 0, 0, 0, 0], "a reserved bit"),
            (vec![0x83, 0x80, 0, 0, 0, 0], "an unknown opcode"),
            (vec![0x09, 0x80, 0, 0, 0, 0], "a control frame in pieces"),
            (vec![0x89, 0xfe, 0, 200, 0, 0, 0, 0], "a long control frame"),
            (frame(0x80, b"x"), "a continuation of nothing"),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), "a message inside another"),
        ] {
            let seen = all(&bytes, 100, 1000);
            assert!(matches!(seen.last(), Some(Incoming::Broken(_))), "{why}: {seen:?}");
        }
    }
}
