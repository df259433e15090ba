//! Fossil deltas: a publication told as its difference from the one before it.
//!
//! The format is that of Fossil SCM (<https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki>): the length of
//! the target and a newline; then copies from the source, `length@offset,`, and inserts, `length:bytes`; then the
//! target's checksum and `;`. Numbers are in base 64.
//!
//! Our own, because JSON clients get a delta inside a string: here no insert begins or ends within a letter, so a
//! delta between texts is text. Deltas made without that care break on the first change inside an accented letter.

mod apply;
mod create;

pub use apply::{BadDelta, apply};
pub use create::fossil;

/// The digits of base 64, in the order of their codes.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// Sum of the big-endian 32 bit words, the last one filled up with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().map(|word| u32::from_be_bytes(*word));
    words.fold(u32::from_be_bytes(last), u32::wrapping_add)
}

#[cfg(test)]
mod tests;
