//! Asks PostgreSQL in its own words: the simple query protocol, text in and text out, one socket.
//!
//! Just enough to look at a server that is about to die, and to read a journal row by row.

use std::{
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A session.
pub struct Sql {
    stream: BufReader<TcpStream>,
}

/// One row; none where a value is null.
pub type Row = Vec<Option<String>>;

/// A server that does not answer for so long does not answer. Reading a journal takes less between two rows.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Longer messages are none that were asked for.
const LONGEST: usize = 16 << 20;
const VERSION: i32 = 3 << 16;

impl Sql {
    /// Logs in as the superuser that throwaway servers have.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
        stream.set_nodelay(true)?;
        let mut sql = Self { stream: BufReader::new(stream) };
        let mut hello = VERSION.to_be_bytes().to_vec();
        hello.extend_from_slice(b"user\0fanfare\0database\0postgres\0\0");
        sql.send(None, &hello)?;
        sql.until_ready(|_| Ok(()))?;
        Ok(sql)
    }

    /// Runs statements and calls `row` with each row.
    pub fn each(&mut self, text: &str, row: impl FnMut(Row) -> io::Result<()>) -> io::Result<()> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.until_ready(row)
    }

    /// Runs statements; the first value of the first row, or an empty text.
    pub fn one(&mut self, text: &str) -> io::Result<String> {
        let mut first = None;
        self.each(text, |row| {
            first.get_or_insert(row);
            Ok(())
        })?;
        Ok(first.and_then(|row| row.into_iter().next().flatten()).unwrap_or_default())
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let mut out: Vec<u8> = kind.into_iter().collect();
        out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        out.extend_from_slice(body);
        self.stream.get_mut().write_all(&out)
    }

    fn until_ready(&mut self, mut row: impl FnMut(Row) -> io::Result<()>) -> io::Result<()> {
        let mut wrong = None;
        loop {
            let mut kind = [0];
            self.stream.read_exact(&mut kind)?;
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            if !(4..LONGEST).contains(&length) {
                return Err(io::Error::other("that is not PostgreSQL"));
            }
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body)?;
            match kind[0] {
                b'D' => row(values(&body).ok_or_else(|| io::Error::other("a row is cut short"))?)?,
                // Before it is ready the server hangs up after an error; afterwards it goes on.
                b'E' => wrong = Some(io::Error::other(complaint(&body))),
                b'Z' => return wrong.map_or(Ok(()), Err),
                _ => {}
            }
            if kind[0] == b'E' && wrong.as_ref().is_some_and(|e| e.to_string().starts_with("FATAL"))
            {
                return wrong.map_or(Ok(()), Err);
            }
        }
    }
}

fn values(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            row.push(None);
            rest = after;
            continue;
        };
        let value = after.get(..length)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = &after[length..];
    }
    Some(row)
}

/// `FATAL 53300: sorry, too many clients already`.
fn complaint(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
    let of = |wanted: u8| {
        let mut found = fields.clone().filter(|(kind, _)| **kind == wanted);
        found.next().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    format!("{} {}: {}", of(b'V'), of(b'C'), of(b'M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_nulls() {
        let mut body = vec![0, 3];
        for value in [Some("ab"), None, Some("")] {
            let length = value.map_or(-1, |value| value.len() as i32);
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        assert_eq!(values(&body), Some(vec![Some("ab".into()), None, Some(String::new())]));
        assert_eq!(values(&body[..8]), None);
    }

    #[test]
    fn a_complaint_says_how_bad_what_and_why() {
        let body = b"SFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0";
        assert_eq!(complaint(body), "FATAL 53300: too many clients");
    }
}
