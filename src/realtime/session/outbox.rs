//! What waits to be written to one socket: shared payloads, joined into frames when the socket takes them. Pure.

use std::{collections::VecDeque, io};

use bytes::Bytes;

use crate::protocol::Encoding;

/// Bytes of one frame, about: a client should not have to hold more before it can begin to read.
const MOST_BYTES: usize = 64 * 1024;

/// The longest header of a frame from a server.
const HEADER: usize = 10;

/// The queue of one connection. Empty it holds no memory.
#[derive(Default, Debug)]
pub struct Outbox {
    /// The first that waits. Mostly there is no second, and so nothing to allocate.
    first: Option<Bytes>,
    /// Behind the first; empty if there is none.
    others: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// What the socket did not take of a frame that was begun; goes before everything else.
    begun: VecDeque<Bytes>,
    begun_bytes: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.waiting_bytes + self.begun_bytes
    }

    /// True if the socket has taken everything.
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.begun.is_empty()
    }

    /// Adds a message at the end.
    pub fn push(&mut self, message: Bytes) {
        self.waiting_bytes += message.len();
        match self.first {
            None => self.first = Some(message),
            Some(_) => self.others.push_back(message),
        }
    }

    /// Adds a message that goes before all that waits.
    pub fn push_first(&mut self, message: Bytes) {
        self.waiting_bytes += message.len();
        if let Some(second) = self.first.replace(message) {
            self.others.push_front(second);
        }
    }

    /// Adds a whole frame that goes right after the one that was begun, if any.
    pub fn push_frame(&mut self, frame: Bytes) {
        self.begun_bytes += frame.len();
        self.begun.push_back(frame);
    }

    /// Drops what waits; what was begun has to be finished.
    pub fn drop_waiting(&mut self) {
        self.first = None;
        self.others = VecDeque::new();
        self.waiting_bytes = 0;
    }

    /// Offers bytes to `write` until it takes no more or nothing is left. Returns how many it took, or
    /// its error, if that is none of "not now".
    ///
    /// A frame is put together in `scratch`: a copy of some hundred bytes costs less than a vectored write.
    pub fn write_to(
        &mut self,
        encoding: Encoding,
        scratch: &mut Vec<u8>,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut written = 0;
        while !self.is_empty() {
            let step = match self.begun.front() {
                Some(frame) => write(frame).inspect(|taken| self.take_begun(*taken)),
                None => self.begin(encoding, scratch, &mut write),
            };
            match step {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => written += taken,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(written)
    }

    /// Makes a frame of the first messages and writes it; keeps what is not taken.
    fn begin(
        &mut self,
        encoding: Encoding,
        scratch: &mut Vec<u8>,
        write: &mut impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let joint = (encoding == Encoding::Json) as usize;
        let (mut count, mut length) = (0, 0);
        for message in self.first.iter().chain(&self.others) {
            let more = message.len() + if count > 0 { joint } else { 0 };
            if count > 0 && length + more > MOST_BYTES {
                break;
            }
            length += more;
            count += 1;
        }
        scratch.clear();
        scratch.extend_from_slice(header_of(&mut [0; HEADER], encoding, length));
        for (index, message) in self.first.iter().chain(&self.others).take(count).enumerate() {
            if index > 0 && joint > 0 {
                scratch.push(b'\n');
            }
            scratch.extend_from_slice(message);
        }
        let taken = write(scratch)?;
        self.take_waiting(count);
        if taken < scratch.len() {
            self.begun.push_back(Bytes::copy_from_slice(&scratch[taken..]));
            self.begun_bytes = scratch.len() - taken;
        }
        Ok(taken)
    }

    fn take_waiting(&mut self, count: usize) {
        let others = self.others.drain(..count.saturating_sub(1));
        for message in self.first.take().into_iter().chain(others) {
            self.waiting_bytes -= message.len();
        }
        self.first = self.others.pop_front();
        if self.others.is_empty() {
            self.others = VecDeque::new();
        }
    }

    fn take_begun(&mut self, taken: usize) {
        self.begun_bytes -= taken;
        let Some(frame) = self.begun.front_mut() else { return };
        bytes::Buf::advance(frame, taken);
        if frame.is_empty() {
            self.begun.pop_front();
        }
        if self.begun.is_empty() {
            self.begun = VecDeque::new();
        }
    }
}

/// RFC 6455, section 5.2: a final, unmasked frame of text or binary.
fn header_of(buffer: &mut [u8; HEADER], encoding: Encoding, length: usize) -> &[u8] {
    buffer[0] = 0x80
        | match encoding {
            Encoding::Json => 0x1,
            Encoding::Protobuf => 0x2,
        };
    if length < 126 {
        buffer[1] = length as u8;
        &buffer[..2]
    } else if let Ok(short) = u16::try_from(length) {
        buffer[1] = 126;
        buffer[2..4].copy_from_slice(&short.to_be_bytes());
        &buffer[..4]
    } else {
        buffer[1] = 127;
        buffer[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        &buffer[..10]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that takes so many bytes a write, and every other time nothing.
    struct Narrow {
        takes: usize,
        got: Vec<u8>,
        turn: bool,
    }

    impl Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turn = !self.turn;
            if self.turn {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(self.takes);
            self.got.extend(&bytes[..taken]);
            Ok(taken)
        }
    }

    fn drained(outbox: &mut Outbox, encoding: Encoding, takes: usize) -> Vec<u8> {
        let mut socket = Narrow { takes, got: Vec::new(), turn: false };
        while !outbox.is_empty() {
            outbox.write_to(encoding, &mut Vec::new(), |bytes| socket.write(bytes)).unwrap();
        }
        assert_eq!(outbox.len(), 0);
        socket.got
    }

    #[test]
    fn what_waits_becomes_one_frame_however_little_the_socket_takes() {
        for takes in [1, 2, 3, 5, 7, 1000] {
            let mut outbox = Outbox::default();
            for message in ["{\"a\":1}", "{}", "{\"b\":2}"] {
                outbox.push(Bytes::from(message));
            }
            assert_eq!(outbox.len(), 16);
            let got = drained(&mut outbox, Encoding::Json, takes);
            assert_eq!(got, b"\x81\x12{\"a\":1}\n{}\n{\"b\":2}", "a socket that takes {takes}");
        }
    }

    #[test]
    fn protobuf_messages_stand_one_after_the_other() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(&[1, 7]));
        outbox.push(Bytes::from_static(&[1, 8]));
        assert_eq!(drained(&mut outbox, Encoding::Protobuf, 3), [0x82, 4, 1, 7, 1, 8]);
    }

    #[test]
    fn long_messages_get_long_headers_and_frames_end_somewhere() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push(Bytes::from(vec![b'x'; 40_000]));
        }
        let got = drained(&mut outbox, Encoding::Json, 9_999);
        assert_eq!(got.len(), 3 * (4 + 40_000));
        assert_eq!(&got[..4], [0x81, 126, 0x9c, 0x40]);
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from(vec![b'x'; 70_000]));
        let got = drained(&mut outbox, Encoding::Json, 70_000);
        assert_eq!(&got[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }

    #[test]
    fn a_frame_that_was_begun_is_finished_before_a_close() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"0123456789"));
        let mut first = true;
        let part = outbox.write_to(Encoding::Json, &mut Vec::new(), |_| {
            if std::mem::take(&mut first) { Ok(5) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        assert_eq!(part.unwrap(), 5);
        outbox.push(Bytes::from_static(b"never seen"));
        outbox.drop_waiting();
        outbox.push_frame(Bytes::from_static(b"CLOSE"));
        assert_eq!(drained(&mut outbox, Encoding::Json, 100), b"3456789CLOSE");
    }
}
