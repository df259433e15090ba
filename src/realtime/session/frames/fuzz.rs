//! What a stranger's bytes may do to the reader of frames. Behind the feature `fuzzing`; `docs/TESTING.md` says who calls it.

use bytes::BytesMut;

use super::{Incoming, Parser};

/// The longest message that is allowed here, in bytes.
const MOST: usize = 1000;
/// The longest header of a frame, in bytes.
const HEADER: usize = 14;

/// The same frames are seen however the bytes are cut into pieces, none is longer than allowed, and no more is held
/// than one message and what was read last. The first byte says how long the pieces are.
///
/// # Panics
///
/// If that is not so.
pub fn frames(bytes: &[u8]) {
    let Some((&piece, stream)) = bytes.split_first() else { return };
    let at_once = read(stream, stream.len().max(1));
    assert_eq!(read(stream, 1 + usize::from(piece)), at_once, "cut into pieces of 1 + {piece}");
}

fn read(stream: &[u8], piece: usize) -> Vec<Incoming> {
    let mut parser = Parser::new(BytesMut::new(), MOST);
    let mut seen = Vec::new();
    for piece in stream.chunks(piece) {
        parser.feed(piece);
        while let Some(incoming) = parser.next() {
            let length = match &incoming {
                Incoming::Message(bytes) | Incoming::Ping(bytes) => bytes.len(),
                _ => 0,
            };
            assert!(length <= MOST, "{length} bytes in one message");
            let is_last =
                matches!(incoming, Incoming::Close | Incoming::TooBig | Incoming::Broken(_));
            seen.push(incoming);
            if is_last {
                return seen;
            }
        }
        let begun = parser.begun.as_ref().map_or(0, BytesMut::len);
        assert!(begun + parser.buffer.len() <= MOST + HEADER, "an unfinished message is too long");
        if parser.buffer.is_empty() {
            assert_eq!(parser.buffer.capacity(), 0, "an idle connection holds no buffer");
        }
    }
    seen
}
