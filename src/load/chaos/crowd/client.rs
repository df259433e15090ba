//! One client: what it wants, how far it has come, and where it stands in its channels.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
};

use mio::net::TcpStream;

use crate::load::{
    chaos::record::Nanos,
    frame::{self, Opcode},
};

/// Through which door a client comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// The port of a node.
    Node(u8),
    /// The proxy in front of all.
    Nginx,
}

/// How a client is made.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer {
    pub role: &'static str,
    pub user: u32,
    pub home: Door,
    /// The channel to which the server subscribes it.
    pub personal: Option<u32>,
    /// Whether it will stop reading now and then.
    pub slow: bool,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Down,
    Dialling,
    Upgrading,
    Connecting,
    Up,
}

/// How far a subscription has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Out,
    Asked,
    In,
    Leaving,
}

/// A channel that a client wants or wanted.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    pub channel: u32,
    pub wanted: bool,
    pub state: State,
    /// Offset and epoch; kept while it is away.
    pub position: Option<(u32, u16)>,
}

/// What an id was given to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Connect,
    Subscribe(u32),
    Unsubscribe(u32),
    Publish(u32),
}

/// A client of the crowd.
pub struct Client {
    pub made: Newcomer,
    pub subscriber: u32,
    pub publisher: u32,
    /// The door that it uses now.
    pub at: Door,
    pub stage: Stage,
    /// Whether it wants to be connected.
    pub wanted: bool,
    /// Whether it reads.
    pub reads: bool,
    pub subs: Vec<Sub>,
    pub asked: HashMap<u32, (Asked, Nanos)>,
    /// Publishes among `asked`.
    pub publishing: usize,
    pub next_id: u32,
    /// Attempts to come in that failed since the last success.
    pub failures: u32,
    pub pongs: bool,
    /// When it gives the connection up, if nothing comes until then.
    pub patience: Nanos,
    /// How long without a word it bears, once it knows how often the server pings.
    pub bears: Nanos,
    pub socket: Option<TcpStream>,
    pub rest: Vec<u8>,
    unsent: Vec<u8>,
}

impl Client {
    /// A client that is not connected.
    pub fn new(made: Newcomer, subscriber: u32, publisher: u32) -> Self {
        let personal = made.personal.map(|channel| Sub {
            channel,
            wanted: true,
            state: State::Out,
            position: None,
        });
        Self {
            made,
            subscriber,
            publisher,
            at: made.home,
            stage: Stage::Down,
            wanted: false,
            reads: true,
            subs: personal.into_iter().collect(),
            asked: HashMap::new(),
            publishing: 0,
            next_id: 1,
            failures: 0,
            pongs: false,
            patience: Nanos::MAX,
            bears: Nanos::MAX,
            socket: None,
            rest: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Its place in a channel.
    pub fn sub(&mut self, channel: u32) -> Option<&mut Sub> {
        self.subs.iter_mut().find(|sub| sub.channel == channel)
    }

    /// Whether it is a member.
    pub fn is_in(&self, channel: u32) -> bool {
        self.subs.iter().any(|sub| sub.channel == channel && sub.state == State::In)
    }

    /// Gives an id to a command.
    pub fn ask(&mut self, what: Asked, now: Nanos) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.publishing += usize::from(matches!(what, Asked::Publish(_)));
        self.asked.insert(id, (what, now));
        id
    }

    /// What an id was given to; afterwards it is free.
    pub fn take(&mut self, id: u32) -> Option<Asked> {
        let (what, _) = self.asked.remove(&id)?;
        self.publishing -= usize::from(matches!(what, Asked::Publish(_)));
        Some(what)
    }

    /// Puts a frame in line.
    pub fn say(&mut self, payload: &[u8]) {
        frame::write_masked(Opcode::Text, payload, rand::random(), &mut self.unsent);
    }

    /// Puts bytes in line that are no frame, or one already.
    pub fn say_raw(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Writes what the socket takes.
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
        self.unsent.drain(..written);
        Ok(())
    }

    /// Reads once, to the end of what is left over from before. `None`: nothing there now; 0: the server hung up.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        loop {
            match socket.read(buffer) {
                Ok(n) => {
                    self.rest.extend_from_slice(&buffer[..n]);
                    return Ok(Some(n));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    /// Forgets the connection; returns the publishes that will not be answered.
    pub fn hang_up(&mut self) -> Vec<u32> {
        self.socket = None;
        self.stage = Stage::Down;
        self.rest = Vec::new();
        self.unsent = Vec::new();
        self.publishing = 0;
        self.patience = Nanos::MAX;
        for sub in &mut self.subs {
            sub.state = State::Out;
        }
        let unanswered = self.asked.drain().filter_map(|(_, (what, _))| match what {
            Asked::Publish(attempt) => Some(attempt),
            _ => None,
        });
        unanswered.collect()
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
}
