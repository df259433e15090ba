//! Applies a delta, which may come from anybody.

use std::fmt;

use super::{DIGITS, checksum};

/// Why bytes are no delta of the source that they were applied to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadDelta {
    /// It ends in the middle, or has a character where its format has none.
    Malformed,
    /// It copies from beyond the end of the source.
    BeyondSource,
    /// The target is longer than it says, or than the caller allows.
    TooLong,
    /// The target is shorter than it says, or its checksum is another: made against another source.
    OtherTarget,
}

impl fmt::Display for BadDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "expected a fossil delta, got bytes in another format",
            Self::BeyondSource => "expected copies from within the source, got one beyond its end",
            Self::TooLong => "expected a target within its announced and allowed length, got more",
            Self::OtherTarget => "expected the announced target, got another: wrong source",
        })
    }
}

impl std::error::Error for BadDelta {}

/// The target that `delta` describes as its difference from `from`, at most `most` bytes long.
///
/// Never takes more memory than `most`, whatever the delta says.
pub fn apply(from: &[u8], delta: &[u8], most: usize) -> Result<Vec<u8>, BadDelta> {
    let mut delta = Reader(delta);
    let length = delta.number()?;
    delta.expect(b'\n')?;
    if length > most {
        return Err(BadDelta::TooLong);
    }
    let mut target = Vec::new();
    loop {
        let number = delta.number()?;
        let piece = match delta.byte()? {
            b'@' => {
                let offset = delta.number()?;
                delta.expect(b',')?;
                let end = offset.checked_add(number).ok_or(BadDelta::BeyondSource)?;
                from.get(offset..end).ok_or(BadDelta::BeyondSource)?
            }
            b':' => delta.bytes(number)?,
            b';' => {
                let whole = target.len() == length && number == checksum(&target) as usize;
                return if whole { Ok(target) } else { Err(BadDelta::OtherTarget) };
            }
            _ => return Err(BadDelta::Malformed),
        };
        if piece.len() > length - target.len() {
            return Err(BadDelta::TooLong);
        }
        target.extend_from_slice(piece);
    }
}

/// What is left of a delta.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn bytes(&mut self, count: usize) -> Result<&'d [u8], BadDelta> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadDelta::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BadDelta> {
        self.bytes(1).map(|byte| byte[0])
    }

    fn expect(&mut self, byte: u8) -> Result<(), BadDelta> {
        if self.byte()? == byte { Ok(()) } else { Err(BadDelta::Malformed) }
    }

    /// A number of 32 bits, at least one digit.
    fn number(&mut self) -> Result<usize, BadDelta> {
        let digits = self.0.iter().map_while(|digit| DIGITS.iter().position(|it| it == digit));
        let (count, value) = digits
            .take(7)
            .fold((0, 0u64), |(count, value), digit| (count + 1, (value << 6) | digit as u64));
        self.bytes(count)?;
        match u32::try_from(value) {
            Ok(value) if count > 0 => Ok(value as usize),
            _ => Err(BadDelta::Malformed),
        }
    }
}
