//! HTTP/1.1 as a browser has it with one server: a request, and an answer that comes in pieces. Pure.

use std::ops::Range;

/// Longer answers are none that the tool asked for.
pub const LONGEST: usize = 4 << 20;

/// Nothing that looks like HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoHttp(pub &'static str);

/// A whole answer that stands at the beginning of some bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whole {
    pub status: u16,
    /// Where its body is, unless it came in chunks.
    pub body: Range<usize>,
    /// The body, if it came in chunks.
    pub chunks: Option<Vec<u8>>,
    /// Whether the server keeps the connection.
    pub keep: bool,
    /// Bytes of all of it.
    pub end: usize,
}

impl Whole {
    /// The body, of the bytes that it was read from.
    pub fn body<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        self.chunks.as_deref().unwrap_or_else(|| bytes.get(self.body.clone()).unwrap_or_default())
    }
}

/// Reads an answer; none while some of it is to come.
pub fn answer(bytes: &[u8]) -> Result<Option<Whole>, NoHttp> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return match bytes.len() > LONGEST {
            true => Err(NoHttp("a head without an end")),
            false => Ok(None),
        };
    };
    let lines =
        std::str::from_utf8(&bytes[..head]).map_err(|_| NoHttp("a head that is no text"))?;
    let mut lines = lines.split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status: u16 = status.ok_or(NoHttp("this is no HTTP/1.1"))?;
    let (mut length, mut chunked, mut keep) = (None, false, true);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length =
                Some(value.parse::<usize>().map_err(|_| NoHttp("a length that is no number"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.eq_ignore_ascii_case("close");
        }
    }
    let from = head + 4;
    if chunked {
        return Ok(chunks(bytes, from)?.map(|(body, end)| Whole {
            status,
            body: from..from,
            chunks: Some(body),
            keep,
            end,
        }));
    }
    let bodiless = matches!(status, 204 | 304);
    let length = if bodiless { 0 } else { length.ok_or(NoHttp("an answer without a length"))? };
    if length > LONGEST {
        return Err(NoHttp("an answer longer than 4 MiB"));
    }
    let end = from + length;
    Ok((bytes.len() >= end).then_some(Whole { status, body: from..end, chunks: None, keep, end }))
}

/// The body and where it ends; none while some of it is to come.
fn chunks(bytes: &[u8], from: usize) -> Result<Option<(Vec<u8>, usize)>, NoHttp> {
    let (mut at, mut body) = (from, Vec::new());
    loop {
        let Some(line) = memchr::memmem::find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let digits = std::str::from_utf8(&bytes[at..at + line]).ok();
        let digits = digits.and_then(|text| text.split(';').next());
        let length = digits.and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let length = length.filter(|length| *length <= LONGEST - body.len());
        let length = length.ok_or(NoHttp("a chunk without a length"))?;
        let start = at + line + 2;
        if bytes.len() < start + length + 2 {
            return Ok(None);
        }
        body.extend_from_slice(&bytes[start..start + length]);
        at = start + length + 2;
        if length == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_with_its_last_byte_and_not_before() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".to_vec();
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nbod\r\n1;x\r\ny\r\n0\r\n\r\n"
                .to_vec();
        for (bytes, keep) in [(plain, true), (chunked, false)] {
            for end in 0..bytes.len() {
                assert_eq!(answer(&bytes[..end]), Ok(None), "{end}");
            }
            let more = [&bytes[..], b"HTTP/1.1"].concat();
            let whole = answer(&more).unwrap().unwrap();
            assert_eq!((whole.status, whole.body(&more), whole.keep), (200, &b"body"[..], keep));
            assert_eq!(whole.end, bytes.len());
        }
    }

    #[test]
    fn what_is_no_http_is_told_from_what_is_to_come() {
        for bad in [
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(answer(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let nothing = answer(b"HTTP/1.1 304 Not Modified\r\n\r\n").unwrap().unwrap();
        assert_eq!((nothing.status, nothing.end), (304, 29));
    }
}
