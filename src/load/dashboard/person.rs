//! Somebody with a dashboard open: what they ask, what they know, and the bytes on either side of their connection.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::{
    judge::{Bought, Known},
    wire,
};
use crate::domain::{decimal::Decimal, moment::Moment};

/// What somebody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Nothing,
    Looking,
    Buying,
}

/// Somebody and their browser: one connection, with one request under way at most.
pub struct Person {
    pub token: String,
    pub socket: Option<TcpStream>,
    /// Received, not yet a whole answer.
    pub inbox: Vec<u8>,
    pub unsent: Vec<u8>,
    pub doing: Doing,
    /// When what they do was due.
    pub since: u64,
    pub known: Option<Known>,
    pub bought: Option<Bought>,
    /// Whether they have seen their dashboard once.
    pub arrived: bool,
}

impl Person {
    /// Somebody who has not come yet.
    pub fn new(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            socket: None,
            inbox: Vec::new(),
            unsent: Vec::new(),
            doing: Doing::Nothing,
            since: 0,
            known: None,
            bought: None,
            arrived: false,
        }
    }

    /// Asks for the dashboard.
    pub fn look(&self, host: &str) -> String {
        format!(
            "GET /v1/dashboard HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        )
    }

    /// Buys so much more of what they know that they hold; none if they know of nothing.
    pub fn buy(&self, host: &str, quantity: Decimal, now: Moment) -> Option<String> {
        let known = self.known.as_ref().filter(|known| !known.token.is_empty())?;
        let body = format!(
            r#"{{"token_id":"{}","kind":"buy","quantity":"{quantity}","amount":"1","occurred_at":"{now}"}}"#,
            known.token
        );
        Some(format!(
            "POST /v1/portfolios/{}/transactions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            known.portfolio,
            self.token,
            body.len()
        ))
    }

    /// Sends what waits, as far as the socket takes it.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Connecting, or full: an event tells when to go on.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads all that is there; false if the server hung up.
    pub fn hear(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else { return Ok(true) };
        loop {
            match socket.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    if self.inbox.len() + n > 2 * wire::LONGEST {
                        return Err(io::Error::other("an answer without an end"));
                    }
                    self.inbox.extend_from_slice(&buffer[..n]);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(true);
                }
                Err(e) => return Err(e),
            }
        }
    }
}
