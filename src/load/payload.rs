//! What is published: who sent it, its number and its time, and random base64 that looks like the ciphertext it stands for.
//!
//! `{"p":3,"s":17,"t":123456789,"d":"<base64>"}`. The base64 follows from publisher and number, so a reader can tell
//! that not one byte of it was altered on the way.

use std::io::Write;

/// The words beside the ciphertext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The connection that published, or the one that stands for the server API.
    pub publisher: u32,
    /// The message's number in its room, from 1.
    pub seq: u32,
    /// When it was sent, in nanoseconds of the run's clock.
    pub at: u64,
}

/// The longest payload that can be asked for, in bytes: with its command it fits the usual limit of 64 KiB a message.
pub const LONGEST: usize = 64_000;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Each message takes its base64 from another place among so many. Small enough to stay in a processor's cache.
const PLACES: usize = 1 << 15;

/// Random base64 from which all payloads of a run are cut.
pub struct Noise {
    text: Box<[u8]>,
}

impl Noise {
    /// Draws fresh random bytes.
    pub fn new() -> Self {
        let mut text = vec![0; PLACES + LONGEST];
        rand::fill(&mut text[..]);
        for byte in &mut text {
            *byte = ALPHABET[usize::from(*byte & 63)];
        }
        Self { text: text.into_boxed_slice() }
    }

    /// Appends a payload of exactly `size` bytes; longer only if the words alone need more.
    pub fn write(&self, stamp: Stamp, size: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let Stamp { publisher, seq, at } = stamp;
        write!(out, r#"{{"p":{publisher},"s":{seq},"t":{at},"d":""#).expect("a Vec takes all");
        let words = out.len() - start + 2;
        out.extend_from_slice(self.cut(stamp, size.saturating_sub(words).min(LONGEST)));
        out.extend_from_slice(b"\"}");
    }

    /// Reads a payload back. None if it is not one of this run, or one byte of its base64 was altered.
    pub fn read(&self, data: &[u8]) -> Option<Stamp> {
        let (publisher, rest) = number(data.strip_prefix(b"{\"p\":")?)?;
        let (seq, rest) = number(rest.strip_prefix(b",\"s\":")?)?;
        let (at, rest) = number(rest.strip_prefix(b",\"t\":")?)?;
        let text = rest.strip_prefix(b",\"d\":\"")?.strip_suffix(b"\"}")?;
        let stamp = Stamp { publisher: publisher.try_into().ok()?, seq: seq.try_into().ok()?, at };
        (text.len() <= LONGEST && text == self.cut(stamp, text.len())).then_some(stamp)
    }

    fn cut(&self, stamp: Stamp, length: usize) -> &[u8] {
        let mixed =
            (stamp.publisher.wrapping_mul(0x9E37_79B9) ^ stamp.seq).wrapping_mul(0x85EB_CA6B);
        let place = (mixed >> 8) as usize % PLACES;
        &self.text[place..place + length]
    }
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let value = text[..length].iter().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    (length > 0).then_some((value, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { publisher: 3, seq: 17, at: 123_456_789 };

    fn written(noise: &Noise, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        noise.write(STAMP, size, &mut out);
        out
    }

    #[test]
    fn a_payload_has_the_size_asked_for_is_json_and_reads_back() {
        let noise = Noise::new();
        for size in [200, 4096, 32 * 1024, LONGEST] {
            let payload = written(&noise, size);
            assert_eq!(payload.len(), size);
            assert!(
                serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["d"].is_string()
            );
            assert_eq!(noise.read(&payload), Some(STAMP));
        }
    }

    #[test]
    fn a_size_too_small_for_the_words_still_carries_them() {
        let noise = Noise::new();
        assert_eq!(noise.read(&written(&noise, 1)), Some(STAMP));
    }

    #[test]
    fn one_altered_byte_is_noticed() {
        let noise = Noise::new();
        let payload = written(&noise, 200);
        for at in [5, 12, 100, 197] {
            let mut altered = payload.clone();
            altered[at] ^= 1;
            assert_ne!(noise.read(&altered), Some(STAMP), "byte {at}");
        }
    }

    #[test]
    fn what_strangers_publish_is_not_a_payload() {
        let noise = Noise::new();
        for data in
            [&b""[..], b"{}", b"{\"p\":1}", b"\"hello\"", b"{\"p\":99999999999999999999,\"s\":1}"]
        {
            assert_eq!(noise.read(data), None);
        }
    }
}
