//! What waits to be written to one socket: shared payloads, joined into frames when the socket takes them. Pure.

use std::{collections::VecDeque, io};

use bytes::Bytes;

use crate::protocol::Encoding;

/// Bytes of one frame, about: a client should not have to hold more before it can begin to read.
const MOST_BYTES: usize = 64 * 1024;

/// Short parts of a frame are copied together up to this size rather than written one by one.
const TOGETHER: usize = 16 * 1024;

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
    /// What the socket did not take of a frame that was begun, in parts; goes before everything else.
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
            let step = if self.begun.is_empty() {
                self.begin(encoding, scratch, &mut write)
            } else {
                self.go_on(scratch, &mut write)
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
        if taken == scratch.len() {
            (0..count).for_each(|_| drop(self.pop_waiting()));
        } else {
            self.keep(scratch.len() - length, count, joint, taken, scratch);
        }
        Ok(taken)
    }

    /// Keeps what was not taken of a frame, as parts of the messages that others wait for too: a copy of it, in a room
    /// of slow readers, would be a copy for each.
    fn keep(&mut self, header: usize, count: usize, joint: usize, taken: usize, frame: &[u8]) {
        let mut skip = taken;
        let mut keep = |begun: &mut VecDeque<Bytes>, part: Bytes| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() {
                begun.push_back(part.slice(skipped..));
            }
        };
        keep(&mut self.begun, Bytes::copy_from_slice(&frame[..header]));
        for index in 0..count {
            if index > 0 && joint > 0 {
                keep(&mut self.begun, Bytes::from_static(b"\n"));
            }
            if let Some(message) = self.pop_waiting() {
                keep(&mut self.begun, message);
            }
        }
        self.begun_bytes = frame.len() - taken;
    }

    /// Writes more of what was begun: long parts as they are, short ones together.
    fn go_on(
        &mut self,
        scratch: &mut Vec<u8>,
        write: &mut impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        scratch.clear();
        for part in &self.begun {
            if scratch.len() + part.len() > TOGETHER {
                break;
            }
            scratch.extend_from_slice(part);
        }
        let taken = match self.begun.front() {
            Some(part) if scratch.is_empty() => write(part)?,
            _ => write(scratch)?,
        };
        self.take_begun(taken);
        Ok(taken)
    }

    fn pop_waiting(&mut self) -> Option<Bytes> {
        let message = self.first.take()?;
        self.waiting_bytes -= message.len();
        self.first = self.others.pop_front();
        if self.others.is_empty() {
            self.others = VecDeque::new();
        }
        Some(message)
    }

    fn take_begun(&mut self, taken: usize) {
        self.begun_bytes -= taken;
        let mut left = taken;
        while let Some(part) = self.begun.front_mut()
            && left >= part.len()
        {
            left -= part.len();
            self.begun.pop_front();
        }
        if let Some(part) = self.begun.front_mut() {
            bytes::Buf::advance(part, left);
        } else {
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
    fn a_reader_that_is_behind_holds_no_copy_of_what_others_wait_for_too() {
        let messages: Vec<_> = (0..4).map(|i| Bytes::from(vec![b'a' + i; 20_000])).collect();
        let mut outbox = Outbox::default();
        messages.iter().for_each(|message| outbox.push(message.clone()));
        let mut takes = [30_000].into_iter();
        let blocked = || Err(io::ErrorKind::WouldBlock.into());
        outbox
            .write_to(Encoding::Json, &mut Vec::new(), |_| takes.next().map_or_else(blocked, Ok))
            .unwrap();
        assert_eq!(outbox.begun_bytes, 60_006 - 30_000);
        let within = |part: &Bytes| {
            messages.iter().any(|whole| whole.as_ptr_range().contains(&part.as_ptr()))
        };
        assert!(outbox.begun.iter().all(|part| part.len() == 1 || within(part)));
        let got = drained(&mut outbox, Encoding::Json, 9_000);
        assert_eq!(got.len(), 60_006 - 30_000 + 4 + 20_000);
        assert!(got[..10_004 - 10].iter().all(|byte| *byte == b'b'));
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
