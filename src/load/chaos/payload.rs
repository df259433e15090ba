//! What is published: the message's number in the run, its publisher and number there, a hash, and text that follows from it.
//!
//! `{"m":17,"p":3,"n":5,"h":"<16 hex digits>","d":"<text>"}`. Who reads one back knows which message it is, and that not one
//! byte of it is another.

use std::io::Write;

use super::{
    dice::mix,
    record::{FOREIGN, Message},
};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes beside the text, at most.
const WORDS: usize = 80;

/// Writes the payloads of a run and reads them back.
#[derive(Clone, Copy, Debug)]
pub struct Payloads {
    /// Sets this run apart from earlier ones on the same server.
    pub salt: u64,
}

impl Payloads {
    /// The payload of a message, exactly `message.size` bytes; longer only if the words alone need more.
    pub fn write(&self, number: u32, message: &Message, out: &mut Vec<u8>) {
        let start = out.len();
        let hash = self.hash(number);
        let Message { publisher, n, size, .. } = message;
        // A Vec takes everything.
        let _ = write!(out, r#"{{"m":{number},"p":{publisher},"n":{n},"h":"{hash:016x}","d":""#);
        let text = (*size as usize).saturating_sub(out.len() - start + 2);
        spell(hash, text, out);
        out.extend_from_slice(b"\"}");
    }

    /// Which message this is; [`FOREIGN`] if it is none of this run, or not to the byte.
    pub fn read(&self, data: &[u8], messages: &[Message]) -> u32 {
        let number = data.strip_prefix(b"{\"m\":").and_then(leading_number);
        let Some((number, message)) = number.and_then(|n| Some((n, messages.get(n as usize)?)))
        else {
            return FOREIGN;
        };
        let mut expected = Vec::with_capacity(message.size as usize + WORDS);
        self.write(number, message, &mut expected);
        if expected == data { number } else { FOREIGN }
    }

    fn hash(&self, number: u32) -> u64 {
        mix(self.salt ^ mix(u64::from(number)))
    }
}

fn spell(hash: u64, length: usize, out: &mut Vec<u8>) {
    let mut word = hash;
    for at in 0..length {
        if at % 10 == 0 {
            word = mix(word.wrapping_add(at as u64 + 1));
        }
        out.push(ALPHABET[(word >> (at % 10 * 6)) as usize & 63]);
    }
}

fn leading_number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Payloads = Payloads { salt: 42 };

    fn messages() -> Vec<Message> {
        let message = |n| Message { channel: 0, publisher: 3, n, size: 200, keyed: false };
        (0..3).map(message).collect()
    }

    fn written(number: u32) -> Vec<u8> {
        let mut out = Vec::new();
        RUN.write(number, &messages()[number as usize], &mut out);
        out
    }

    #[test]
    fn a_payload_is_json_of_its_size_and_reads_back() {
        for number in 0..3 {
            let payload = written(number);
            assert_eq!(payload.len(), 200);
            assert!(
                serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["d"].is_string()
            );
            assert_eq!(RUN.read(&payload, &messages()), number);
        }
    }

    #[test]
    fn one_altered_byte_makes_it_foreign() {
        let payload = written(1);
        for at in 0..payload.len() {
            let mut altered = payload.clone();
            altered[at] ^= 1;
            assert_eq!(RUN.read(&altered, &messages()), FOREIGN, "byte {at}");
        }
        assert_eq!(RUN.read(&payload[..199], &messages()), FOREIGN);
    }

    #[test]
    fn what_other_runs_and_strangers_say_is_foreign() {
        assert_eq!(Payloads { salt: 43 }.read(&written(1), &messages()), FOREIGN);
        assert_eq!(RUN.read(&written(2), &messages()[..2]), FOREIGN);
        for data in [&b""[..], b"{}", b"{\"m\":}", b"{\"m\":99999999999}"] {
            assert_eq!(RUN.read(data, &messages()), FOREIGN);
        }
    }
}
