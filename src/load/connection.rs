//! One client connection: its socket, how far it has come, and the bytes that wait on either side.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::{
    frame::{self, NotAFrame, Opcode},
    words,
};

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Down,
    /// TCP is connecting.
    Dialling,
    /// The HTTP request is out.
    Upgrading,
    /// Connect and subscribe are out.
    Joining,
    /// Has its subscription, or its connect if it wants none.
    Up,
}

/// Who a connection is and where it sits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Number of the user.
    pub user: usize,
    /// The room that it is a member of.
    pub room: Option<usize>,
}

/// A connection; empty while it is down.
pub struct Connection {
    pub member: Member,
    pub stage: Stage,
    pub pongs: bool,
    pub next_id: u32,
    socket: Option<TcpStream>,
    /// Received, not yet a whole frame. Empty and without memory nearly always.
    rest: Vec<u8>,
    /// A message of which only some fragments came.
    fragments: Vec<u8>,
    /// To be sent.
    unsent: Vec<u8>,
}

/// What a read brought.
pub enum Incoming {
    /// So many bytes stand in the buffer, and the socket has no more.
    Last(usize),
    /// So many, and there may be more.
    More(usize),
    /// The server hung up.
    End,
}

impl Connection {
    /// A connection that is not dialled yet.
    pub fn new(member: Member) -> Self {
        Self {
            member,
            stage: Stage::Down,
            pongs: false,
            next_id: words::FIRST_PUBLISH,
            socket: None,
            rest: Vec::new(),
            fragments: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Begins with a socket that is being connected.
    pub fn dial(&mut self, socket: TcpStream) {
        *self = Self { socket: Some(socket), stage: Stage::Dialling, ..Self::new(self.member) };
    }

    /// Forgets all but who it is; returns the socket.
    pub fn hang_up(&mut self) -> Option<TcpStream> {
        let socket = self.socket.take();
        *self = Self::new(self.member);
        socket
    }

    /// True when TCP has connected; an error if it can't.
    pub fn has_connected(&self) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(false) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Puts bytes in line, to go out with the next [`flush`](Self::flush). True if they are the first.
    pub fn queue(&mut self, bytes: &[u8]) -> bool {
        let first = self.unsent.is_empty();
        self.unsent.extend_from_slice(bytes);
        first
    }

    /// Puts a message in line as a masked frame. True if it is the first.
    pub fn queue_frame(&mut self, opcode: Opcode, payload: &[u8], mask: u32) -> bool {
        let first = self.unsent.is_empty();
        frame::write_masked(opcode, payload, mask, &mut self.unsent);
        first
    }

    /// Writes what the socket takes; the rest goes when it is writable again.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let mut written = 0;
        while written < self.unsent.len() {
            match socket.write(&self.unsent[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        if written == self.unsent.len() {
            self.unsent = Vec::new();
        } else {
            self.unsent.drain(..written);
        }
        Ok(())
    }

    /// Whether something waits for the socket to be writable.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Reads once into a buffer that all connections share, after what this one had left over.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Incoming> {
        let Some(socket) = &mut self.socket else { return Ok(Incoming::Last(0)) };
        let before = self.rest.len();
        if buffer.len() < before * 2 {
            buffer.resize(before * 2, 0);
        }
        let got = loop {
            match socket.read(&mut buffer[before..]) {
                Ok(0) => return Ok(Incoming::End),
                Ok(n) => break n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Incoming::Last(0)),
                Err(e) => return Err(e),
            }
        };
        if before > 0 {
            buffer[..before].copy_from_slice(&std::mem::take(&mut self.rest));
        }
        let total = before + got;
        Ok(if total == buffer.len() { Incoming::More(total) } else { Incoming::Last(total) })
    }

    /// Keeps the bytes that are no whole frame yet.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest = rest.to_vec();
    }

    /// Adds a fragment; returns the message when this was its last one.
    pub fn assemble(&mut self, fragment: &[u8], last: bool) -> Result<Option<Vec<u8>>, NotAFrame> {
        if (self.fragments.len() + fragment.len()) as u64 > frame::LONGEST {
            return Err(NotAFrame("part of a message longer than 16 MiB"));
        }
        self.fragments.extend_from_slice(fragment);
        Ok(last.then(|| std::mem::take(&mut self.fragments)))
    }

    /// The id of its next publish.
    pub fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(words::FIRST_PUBLISH);
        id
    }
}
