//! The little HTTP that a load needs: one request after the other over one kept connection, blocking.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::Failure;

/// A connection to a server's HTTP side.
pub struct Http {
    address: SocketAddr,
    host: String,
    stream: Option<BufReader<TcpStream>>,
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
}

/// An answer that takes longer will not come.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longer answers are none that the tool asked for.
const LONGEST_BODY: usize = 1 << 20;

impl Http {
    /// Connects with the first request.
    pub fn new(address: SocketAddr, host: &str) -> Self {
        Self { address, host: host.into(), stream: None }
    }

    /// Asks for a page.
    pub fn get(&mut self, path: &str) -> Result<Response, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.exchange(request.as_bytes())
    }

    /// Posts JSON with a key of the server API.
    pub fn post(&mut self, path: &str, api_key: &str, json: &[u8]) -> Result<Response, Failure> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nX-API-Key: {api_key}\r\n\
             Content-Length: {}\r\n\r\n",
            self.host,
            json.len()
        )
        .into_bytes();
        request.extend_from_slice(json);
        self.exchange(&request)
    }

    fn exchange(&mut self, request: &[u8]) -> Result<Response, Failure> {
        let exchanged = self.try_exchange(request);
        if exchanged.is_err() {
            self.stream = None;
        }
        exchanged.map_err(|e| Failure(format!("no answer from http://{}: {e}", self.host)))
    }

    fn try_exchange(&mut self, request: &[u8]) -> std::io::Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(DEADLINE))?;
                stream.set_write_timeout(Some(DEADLINE))?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(request)?;
        let (response, keep) = read(&mut stream)?;
        self.stream = keep.then_some(stream);
        Ok(response)
    }
}

/// Reads one answer; also whether the connection stays open.
fn read(from: &mut impl BufRead) -> std::io::Result<(Response, bool)> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let first = line(from)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| bad("this is no HTTP/1.1"))?;
    let (mut length, mut chunked, mut keep) = (0, false, true);
    loop {
        let header = line(from)?;
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                length = value.parse().map_err(|_| bad("a length that is no number"))?
            }
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keep = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    loop {
        if chunked {
            length = usize::from_str_radix(line(from)?.trim(), 16)
                .map_err(|_| bad("a chunk without length"))?;
        }
        if length > LONGEST_BODY - body.len() {
            return Err(bad("an answer longer than 1 MiB"));
        }
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(&mut body[start..])?;
        if chunked {
            line(from)?;
        }
        if !chunked || length == 0 {
            return Ok((Response { status, body }, keep));
        }
    }
}

fn line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.take(16 * 1024).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(u16, String, bool)> {
        let (response, keep) = read(&mut text.as_bytes()).ok()?;
        Some((response.status, String::from_utf8(response.body).ok()?, keep))
    }

    #[test]
    fn answers_are_read_by_length_or_in_chunks() {
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some((200, "{}", true))),
            (
                "HTTP/1.1 401 No\r\ncontent-length: 0\r\nConnection: close\r\n\r\n",
                Some((401, "", false)),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
                Some((200, "abcd", true)),
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", None),
            ("SSH-2.0\r\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(status, body, keep)| (status, body.to_owned(), keep));
            assert_eq!(parsed(text), expected, "{text:?}");
        }
    }
}
