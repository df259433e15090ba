//! Thousands of client connections on one thread: dials them, brings them in, reads what comes into one shared buffer.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::SockRef;

use super::{
    Failure,
    clock::{Clock, nanos},
    connection::{Connection, Member, Stage},
    hearing::{Message, Refusal, Subscribed},
    target::Target,
    words,
};
use crate::protocol::Position;

/// Who is told what the connections hear. `who` is the number of the connection.
pub trait Ear {
    /// Where to recover from, if it was here before.
    fn position(&self, who: usize) -> Option<Position>;
    /// It has its subscription; what it missed follows as deliveries.
    fn joined(&mut self, who: usize, room: usize, granted: &Subscribed<'_>);
    /// A publication came at `now`.
    fn delivered(&mut self, who: usize, message: Message<'_>, now: u64);
    /// A publish was answered at `now`.
    fn answered(&mut self, who: usize, id: u32, outcome: Result<(), Refusal<'_>>, now: u64);
    /// Its connection is gone; what it had under way will not be answered.
    fn gone(&mut self, who: usize);
}

/// How a server's end is spoken to once TCP stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// WebSocket, connect, subscribe.
    Client,
    /// WebSocket and connect; the server subscribes the user to its personal channel.
    Personal,
    /// Nothing: frames come as soon as the socket is open.
    Bare,
}

/// Events taken from the kernel in one turn.
const EVENTS: usize = 1024;
/// The buffer that all connections are read into; it grows for longer frames.
const BUFFER: usize = 256 * 1024;
/// How long to wait before dialling again when the server gave no time, in nanoseconds.
const COME_BACK: u64 = 100_000_000;

/// The connections of a run.
pub struct Swarm {
    pub(super) target: Rc<Target>,
    pub(super) manner: Manner,
    pub(super) connections: Vec<Connection>,
    pub(super) clock: Clock,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    handshakes: usize,
    waiting: VecDeque<usize>,
    /// When those that were sent away dial again, or subscribe again.
    later: BinaryHeap<Reverse<(u64, usize)>>,
    /// Have something to send.
    dirty: Vec<usize>,
    coming: usize,
    up: usize,
    /// How often connections ended or were refused unasked, by the server's words.
    pub ends: BTreeMap<String, u64>,
}

/// Why a connection is over.
pub(super) enum End {
    /// By the server or the network; it dials again.
    Ended(String, u64),
    /// It makes no sense to go on.
    Fatal(Failure),
}

impl Swarm {
    /// A swarm with at most `handshakes` connections on their way in at a time.
    pub fn new(
        target: Rc<Target>,
        manner: Manner,
        clock: Clock,
        handshakes: usize,
    ) -> Result<Self, Failure> {
        Ok(Self {
            target,
            manner,
            connections: Vec::new(),
            clock,
            poll: Poll::new().map_err(|e| Failure(format!("can't poll sockets: {e}")))?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER],
            handshakes,
            waiting: VecDeque::new(),
            later: BinaryHeap::new(),
            dirty: Vec::new(),
            coming: 0,
            up: 0,
            ends: BTreeMap::new(),
        })
    }

    /// Adds a connection and lets it come in; returns its number.
    pub fn add(&mut self, member: Member) -> usize {
        let who = self.connections.len();
        self.connections.push(Connection::new(member));
        self.waiting.push_back(who);
        who
    }

    /// How many connections are in.
    pub fn up(&self) -> usize {
        self.up
    }

    /// How many there are, in or not.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether this connection is in.
    pub fn is_up(&self, who: usize) -> bool {
        self.connections[who].stage == Stage::Up
    }

    /// Publishes JSON into a room; returns the command's id.
    pub fn publish(&mut self, who: usize, room: usize, json: Bytes) -> Result<u32, Failure> {
        let id = self.connections[who].take_id();
        let command = words::publish(id, self.target.channel(room), json);
        let payload = words::together(self.target.encoding, &[command])?;
        self.say(who, &payload);
        Ok(id)
    }

    /// Puts a frame in line; it goes out with the next turn.
    pub(super) fn say(&mut self, who: usize, payload: &[u8]) {
        let opcode = words::opcode(self.target.encoding);
        if self.connections[who].queue_frame(opcode, payload, rand::random()) {
            self.dirty.push(who);
        }
    }

    /// Puts bytes in line that are no frame, or one already.
    pub(super) fn say_raw(&mut self, who: usize, bytes: &[u8]) {
        if self.connections[who].queue(bytes) {
            self.dirty.push(who);
        }
    }

    /// Cuts a connection as a phone in a tunnel does, without a word, and lets it come back with [`Self::come_back`].
    pub fn cut(&mut self, who: usize, ear: &mut impl Ear) {
        if let Some(socket) = self.take_down(who, ear) {
            // A reset leaves no socket waiting in the kernel, which has ports for 28,000.
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// Lets a connection that was cut dial again.
    pub fn come_back(&mut self, who: usize) {
        self.waiting.push_back(who);
    }

    /// Moves things on: dials, sends, and hears what came within `wait`.
    pub fn turn(&mut self, wait: Duration, ear: &mut impl Ear) -> Result<(), Failure> {
        self.dial_those_due(ear)?;
        for who in std::mem::take(&mut self.dirty) {
            if let Err(e) = self.connections[who].flush() {
                self.end(who, End::Ended(format!("sending failed: {e}"), COME_BACK), ear)?;
            }
        }
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure(format!("can't poll sockets: {e}")));
            }
            _ => {}
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        for event in &events {
            let who = event.token().0;
            let hung_up = event.is_read_closed() || event.is_error();
            if let Err(end) = self.attend(who, event.is_writable(), hung_up, &mut buffer, ear) {
                self.end(who, end, ear)?;
            }
        }
        self.buffer = buffer;
        self.events = events;
        Ok(())
    }

    fn attend(
        &mut self,
        who: usize,
        writable: bool,
        hung_up: bool,
        buffer: &mut Vec<u8>,
        ear: &mut impl Ear,
    ) -> Result<(), End> {
        let connection = &mut self.connections[who];
        if connection.stage == Stage::Dialling {
            if !connection
                .has_connected()
                .map_err(|e| refused_to_connect(self.target.door(who), &e))?
            {
                return Ok(());
            }
            self.begin(who, ear);
        } else if writable && connection.has_unsent() {
            connection
                .flush()
                .map_err(|e| End::Ended(format!("sending failed: {e}"), COME_BACK))?;
        }
        self.listen(who, hung_up, buffer, ear)
    }

    /// A connection has its subscription.
    pub(super) fn now_up(&mut self, who: usize) {
        if self.connections[who].stage != Stage::Up {
            self.connections[who].stage = Stage::Up;
            self.coming -= 1;
            self.up += 1;
        }
    }

    fn dial_those_due(&mut self, ear: &impl Ear) -> Result<(), Failure> {
        let now = self.clock.now();
        while let Some(Reverse((due, who))) = self.later.peek().copied() {
            if due > now {
                break;
            }
            self.later.pop();
            match self.connections[who].stage {
                Stage::Down => self.waiting.push_back(who),
                Stage::Joining => self.subscribe(who, ear)?,
                _ => {}
            }
        }
        while self.coming < self.handshakes
            && let Some(who) = self.waiting.pop_front()
        {
            self.dial(who)?;
        }
        Ok(())
    }

    fn dial(&mut self, who: usize) -> Result<(), Failure> {
        let door = self.target.door(who);
        let failed = |e: io::Error| {
            Failure(match e.raw_os_error() {
                Some(24 | 23) => format!(
                    "connection {who} found no free file: {e}. Ask for fewer connections or raise the limit (ulimit -n)"
                ),
                Some(99) => format!("connection {who} found no free local port: {e}"),
                _ => format!("connection {who} can't dial {door}: {e}"),
            })
        };
        let mut socket = TcpStream::connect(door).map_err(failed)?;
        let _ = socket.set_nodelay(true);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(who), both).map_err(failed)?;
        self.connections[who].dial(socket);
        self.coming += 1;
        Ok(())
    }

    fn take_down(&mut self, who: usize, ear: &mut impl Ear) -> Option<TcpStream> {
        match self.connections[who].stage {
            Stage::Down => return None,
            Stage::Up => self.up -= 1,
            _ => self.coming -= 1,
        }
        ear.gone(who);
        self.connections[who].hang_up()
    }

    fn end(&mut self, who: usize, end: End, ear: &mut impl Ear) -> Result<(), Failure> {
        match end {
            End::Fatal(failure) => Err(failure),
            End::Ended(words, wait) => {
                self.take_down(who, ear);
                self.try_later(who, words, wait);
                Ok(())
            }
        }
    }

    fn try_later(&mut self, who: usize, words: String, wait: u64) {
        *self.ends.entry(words).or_default() += 1;
        // Half of the wait is drawn, so that those who were sent away together come back apart.
        let wait = wait / 2 + rand::random_range(0..=wait / 2 + 1);
        self.later.push(Reverse((self.clock.now() + wait, who)));
    }

    /// It has lost its subscription, or did not get it, and asks again after a while; the connection stays.
    pub(super) fn subscribe_later(&mut self, who: usize, words: String) {
        if self.connections[who].stage == Stage::Up {
            self.connections[who].stage = Stage::Joining;
            self.up -= 1;
            self.coming += 1;
        }
        self.try_later(who, words, COME_BACK);
    }
}

/// A connection that TCP could not make: nobody listens, or the backlog is full.
fn refused_to_connect(door: SocketAddr, error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            End::Fatal(Failure(format!("nobody listens at {door} ({error})")))
        }
        _ => End::Ended(format!("connecting failed: {error}"), COME_BACK),
    }
}

/// The words and the wait of a server that sends somebody away for now.
pub(super) fn sent_away(words: String, retry_after: Option<u64>) -> End {
    End::Ended(words, retry_after.map_or(COME_BACK, |s| nanos(Duration::from_secs(s.min(60)))))
}
