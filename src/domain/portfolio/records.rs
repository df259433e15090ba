//! Cutting a CSV into records, so that a quote that is not closed takes one row and none of those behind it.
//!
//! By the rules of CSV such a quote takes all that follows, up to the next quote or the end. A record is refused instead
//! if a line that it goes on on could be a row by itself, if it grows longer than any row, or if the file ends in it;
//! then the next line begins a new one. A text in quotes keeps its line breaks in every other case.

/// Bytes that a record may have behind its first line: the longest text, 2,000 characters, has at most 8,000, and twice as
/// much room keeps white space around it. It bounds what is read again after a record that was refused.
const LONGEST: usize = 16 << 10;

/// The records of a file, each with the line that it begins on, from 1; empty lines are none.
#[derive(Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    /// That of the rest.
    line: u64,
    columns: usize,
}

impl<'a> Records<'a> {
    /// Of a file whose rows have so many columns.
    pub fn new(file: &'a [u8], columns: usize) -> Self {
        Self { rest: file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file), line: 1, columns }
    }

    /// The first so many bytes of the rest, which are so many lines.
    fn take(&mut self, bytes: usize, lines: u64) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.line += lines;
        taken
    }

    /// Bytes and lines of the first record, which begins with a line of `first` bytes.
    fn extent(&self, first: usize) -> Result<(usize, u64), String> {
        let most = self.rest.len().min(first + LONGEST);
        let (mut place, mut bytes, mut lines) = (Place::Start, 0, 0);
        while bytes < most {
            let line = line(&self.rest[bytes..most]);
            if lines > 0 && columns(line) >= self.columns {
                return Err(format!(
                    "the quote is not closed before line {}, which reads like a row: close it, or leave that line break out",
                    self.line + lines
                ));
            }
            bytes += line.len();
            lines += 1;
            place = line.iter().fold(place, |place, byte| place.after(*byte));
            let is_cut = bytes == most && most < self.rest.len() && lines > 1;
            if place != Place::Quoted && !is_cut {
                return Ok((bytes, lines));
            }
        }
        Err(match most < self.rest.len() {
            true => format!(
                "the quote is not closed within {} KiB, more than any row has: close it, or shorten the text",
                LONGEST >> 10
            ),
            false => "the quote is not closed: expected another one before the file ends".into(),
        })
    }
}

impl Iterator for Records<'_> {
    type Item = (u64, Result<csv::ByteRecord, String>);

    fn next(&mut self) -> Option<Self::Item> {
        let first = loop {
            let first = line(self.rest);
            match first {
                [] => return None,
                [b'\r' | b'\n', ..] => self.take(first.len(), 1),
                _ => break first.len(),
            };
        };
        let began = self.line;
        let record = match self.extent(first) {
            Ok((bytes, lines)) => Ok(fields(self.take(bytes, lines))),
            Err(reason) => {
                self.take(first, 1);
                Err(reason)
            }
        };
        Some((began, record))
    }
}

/// Excel begins files with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a reader stands in a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a field.
    Start,
    /// In one without quotes, or behind its quotes.
    Bare,
    /// Between its quotes.
    Quoted,
    /// Behind a quote that is the last one, or the first of two that mean one.
    Quote,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Start | Self::Quote, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::Start,
            _ => Self::Bare,
        }
    }
}

/// The first line with its end, which is CR, LF or both.
fn line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let end = end.map_or(text.len(), |at| match text[at..] {
        [b'\r', b'\n', ..] => at + 2,
        _ => at + 1,
    });
    &text[..end]
}

/// How many fields a line has if a record begins with it.
fn columns(line: &[u8]) -> usize {
    let mut place = Place::Start;
    let ends = line.iter().filter(|byte| {
        let ends = place != Place::Quoted && **byte == b',';
        place = place.after(**byte);
        ends
    });
    1 + ends.count()
}

fn fields(record: &[u8]) -> csv::ByteRecord {
    let mut fields = csv::ByteRecord::new();
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).buffer_capacity(record.len());
    // Bytes in memory can't fail to be read, and rows of any length are let in.
    let _ = reader.from_reader(record).read_byte_record(&mut fields);
    fields
}
