//! One command to a Redis server, and its answer as lines: enough to set servers up and to look at them.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// A server on this machine that does not answer for so long does not answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// No answer to what is asked here is as long.
const LONGEST: usize = 1 << 20;

/// Asks the server on a port of loopback. An array comes as its elements one after the other, nested ones flat;
/// nothing comes as an empty text; an error of the server is an error.
pub(super) fn ask(port: u16, words: &[&str]) -> io::Result<Vec<String>> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(ANSWERS_WITHIN))?;
    socket.set_write_timeout(Some(ANSWERS_WITHIN))?;
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    socket.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    read(&mut BufReader::new(socket), &mut answer)?;
    Ok(answer)
}

fn read(from: &mut impl BufRead, answer: &mut Vec<String>) -> io::Result<()> {
    let odd = || io::Error::other("that is no answer of Redis");
    let mut left = 1;
    while left > 0 {
        left -= 1;
        let mut line = String::new();
        from.read_line(&mut line)?;
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(odd)?;
        match kind {
            "+" | ":" => answer.push(rest.to_owned()),
            "-" => return Err(io::Error::other(rest.to_owned())),
            "*" => left += rest.parse::<usize>().map_err(|_| odd())?.min(LONGEST),
            "$" if rest == "-1" => answer.push(String::new()),
            "$" => {
                let length =
                    rest.parse::<usize>().ok().filter(|n| *n <= LONGEST).ok_or_else(odd)?;
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                answer.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            _ => return Err(odd()),
        }
    }
    Ok(())
}
