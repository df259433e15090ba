//! Thousands of clients on one thread: each hears the messages of one channel and answers pings.

use std::{
    io::{self, Read, Write},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde_json::Value;

use super::{Client, Node, Socket, frame};

/// Threads that open connections.
const DOORS: usize = 4;
/// Bytes read from one socket before the next gets its turn.
const PIECE: usize = 64 * 1024;

/// Everybody, all read by one call.
pub struct Crowd {
    poll: Poll,
    pub people: Vec<Person>,
    /// Off: pings are owed until [`pay`](Self::pay).
    pub answers_pings: bool,
}

/// One connection, in one channel.
pub struct Person {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Offset of the last message; checked at each step where messages have offsets.
    offset: u64,
    /// Messages so far.
    pub heard: usize,
    /// Pings so far.
    pub pings: usize,
    /// Those that were not answered.
    pub owed: usize,
    /// Why it is over, if it is: the code of the close frame, 1006 if there was none.
    pub closed: Option<u16>,
}

impl Crowd {
    /// Lets `count` users in through sockets that `open` opens to a port, the n-th into `channel(n)`.
    pub fn enter(
        node: &Node,
        count: usize,
        open: fn(u16) -> Socket,
        channel: impl Fn(usize) -> String + Sync,
    ) -> Self {
        fanfare::platform::open_files::raise().expect("room for many sockets");
        let enter = |n: usize| {
            let user = format!("user-{n}");
            let mut client = Client::connect_on(open(node.port), &user);
            let result = client.subscribe(&channel(n));
            let offset = result["offset"].as_u64().unwrap_or(0);
            (client.socket.into_stream(), offset)
        };
        let opened: Vec<_> = thread::scope(|scope| {
            let doors: Vec<_> = (0..DOORS)
                .map(|door| {
                    let enter = &enter;
                    scope.spawn(move || (door..count).step_by(DOORS).map(enter).collect::<Vec<_>>())
                })
                .collect();
            doors.into_iter().flat_map(|door| door.join().expect("they are let in")).collect()
        });
        let poll = Poll::new().expect("an epoll");
        let people = opened.into_iter().enumerate().map(|(n, (stream, offset))| {
            stream.set_nonblocking(true).expect("a socket that does not wait");
            let mut stream = TcpStream::from_std(stream);
            let registry = poll.registry();
            registry.register(&mut stream, Token(n), Interest::READABLE).expect("it is watched");
            Person { stream, unread: Vec::new(), offset, heard: 0, pings: 0, owed: 0, closed: None }
        });
        let people = people.collect();
        Self { poll, people, answers_pings: true }
    }

    /// Reads for everybody until `done`.
    #[track_caller]
    pub fn listen(&mut self, what: &str, within: Duration, done: impl Fn(&[Person]) -> bool) {
        let end = Instant::now() + within;
        let mut events = Events::with_capacity(1024);
        let mut piece = vec![0; PIECE];
        while !done(&self.people) {
            let left = end.saturating_duration_since(Instant::now());
            let closed = self.closed();
            assert!(
                !left.is_zero(),
                "within {within:?} it was not so that {what} ({closed} closed)"
            );
            self.poll.poll(&mut events, Some(left)).expect("an epoll");
            for event in &events {
                let person = &mut self.people[event.token().0];
                person.read(&mut piece);
                if self.answers_pings {
                    person.pay();
                }
            }
        }
    }

    /// Answers all pings that are owed.
    pub fn pay(&mut self) {
        self.people.iter_mut().for_each(Person::pay);
    }

    /// How many the server has closed.
    pub fn closed(&self) -> usize {
        self.people.iter().filter(|person| person.closed.is_some()).count()
    }
}

impl Person {
    /// Until the socket has no more.
    fn read(&mut self, piece: &mut [u8]) {
        while self.closed.is_none() {
            match self.stream.read(piece) {
                Ok(0) => self.closed = Some(1006),
                Ok(n) => {
                    self.unread.extend(&piece[..n]);
                    self.take_frames();
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.closed = Some(1006),
            }
        }
    }

    fn take_frames(&mut self) {
        let mut unread = std::mem::take(&mut self.unread);
        let mut at = 0;
        while let Some((head, length)) = head_of(&unread[at..])
            && let Some(payload) = unread.get(at + head..at + head + length)
        {
            match unread[at] & 0x0f {
                1 => payload.split(|byte| *byte == b'\n').for_each(|line| self.hear(line)),
                8 => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    self.closed = Some(code);
                }
                _ => {}
            }
            at += head + length;
        }
        unread.drain(..at);
        self.unread = unread;
    }

    fn hear(&mut self, line: &[u8]) {
        if line == b"{}" {
            self.pings += 1;
            self.owed += 1;
            return;
        }
        let said: Value = serde_json::from_slice(line).expect("the server speaks JSON");
        let publication = &said["push"]["pub"];
        assert!(publication.is_object(), "expected a message, got {said}");
        if let Some(offset) = publication["offset"].as_u64() {
            assert_eq!(offset, self.offset + 1, "a hole, a repetition or a step back");
            self.offset = offset;
        }
        self.heard += 1;
    }

    fn pay(&mut self) {
        while self.owed > 0 && self.closed.is_none() {
            self.owed -= 1;
            // A few bytes into an empty buffer. That the server is gone shows when reading.
            let _ = self.stream.write_all(&frame(true, 1, b"{}"));
        }
    }
}

/// Length of a frame's head and of its payload, when the head is there. Servers do not mask.
fn head_of(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? {
        126 => Some((4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into())),
        127 => Some((10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize)),
        short => Some((2, usize::from(*short))),
    }
}
