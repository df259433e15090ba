//! The thread of the proxy: takes what is there, gives what may go.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Registry, Token,
    net::{TcpListener, TcpStream},
};

use super::{Mode, Shared, locked};

pub(super) const LISTENER: Token = Token(0);
pub(super) const WAKER: Token = Token(1);
/// Connections have two tokens each from here on.
pub(super) const FIRST: usize = 2;
/// A pipe takes no more from its source than this, in bytes.
pub(super) const HOLDS: usize = 256 * 1024;
/// How often delayed bytes are looked at.
const TICK: Duration = Duration::from_millis(5);

/// What the thread works on.
pub(super) struct Works {
    pub shared: Arc<Shared>,
    pub listener: TcpListener,
    pub poll: Poll,
    pub lines: HashMap<usize, Line>,
    pub next: usize,
    pub buffer: Vec<u8>,
}

/// A connection through the proxy.
pub(super) struct Line {
    node: TcpStream,
    server: TcpStream,
    up: Pipe,
    down: Pipe,
}

/// One direction: what was read and not yet written, with the time from which it may be.
#[derive(Default)]
struct Pipe {
    waits: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
}

impl Works {
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut known = 0;
        while !self.shared.over.load(Ordering::Relaxed) {
            let waiting = self.lines.values().any(|l| l.up.bytes + l.down.bytes > 0);
            match self.poll.poll(&mut events, waiting.then_some(TICK)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            let (mode, changed) = *locked(&self.shared.mode);
            let mut touched: Vec<usize> = Vec::new();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(mode)?,
                    WAKER => {}
                    Token(token) => touched.push(token & !1),
                }
            }
            if changed != known || waiting {
                if changed != known {
                    self.shared.count_anew();
                }
                known = changed;
                touched = self.lines.keys().copied().collect();
            }
            if mode == Mode::Cut {
                self.shared.cut.fetch_add(self.lines.len() as u64, Ordering::Relaxed);
                self.lines.clear();
            }
            for line in touched {
                self.carry(line, mode);
            }
            self.shared.obeyed.store(known, Ordering::Release);
        }
        Ok(())
    }

    fn accept(&mut self, mode: Mode) -> io::Result<()> {
        loop {
            let mut node = match self.listener.accept() {
                Ok((node, _)) => node,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let target = *locked(&self.shared.target);
            let Some(mut server) =
                (mode != Mode::Cut).then(|| TcpStream::connect(target).ok()).flatten()
            else {
                self.shared.cut.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let _ = (node.set_nodelay(true), server.set_nodelay(true));
            let token = self.next;
            self.next += 2;
            let registry = self.poll.registry();
            register(registry, &mut node, token)?;
            register(registry, &mut server, token + 1)?;
            let line = Line { node, server, up: Pipe::default(), down: Pipe::default() };
            self.lines.insert(token, line);
        }
    }

    fn carry(&mut self, token: usize, mode: Mode) {
        let Some(line) = self.lines.get_mut(&token) else { return };
        let (up, down) = match mode {
            Mode::BlackHole => (None, None),
            Mode::OneWay => (Some(Duration::ZERO), None),
            Mode::Delay(delay) => (Some(Duration::ZERO), Some(delay)),
            Mode::Pass | Mode::Cut => (Some(Duration::ZERO), Some(Duration::ZERO)),
        };
        let shared = &self.shared;
        let works = line.up.carry(
            &mut line.node,
            &mut line.server,
            up,
            &mut self.buffer,
            &shared.up,
            shared,
        ) && line.down.carry(
            &mut line.server,
            &mut line.node,
            down,
            &mut self.buffer,
            &shared.down,
            shared,
        );
        // Who hung up is told to the other side once all has passed; in a black hole nothing is told.
        let done = [&line.up, &line.down].iter().any(|pipe| pipe.ended && pipe.bytes == 0);
        if mode != Mode::BlackHole && (!works || done) {
            self.lines.remove(&token);
        }
    }
}

fn register(registry: &Registry, stream: &mut TcpStream, token: usize) -> io::Result<()> {
    registry.register(stream, Token(token), Interest::READABLE | Interest::WRITABLE)
}

impl Pipe {
    /// Takes what is there and gives what may go; `delay` none: nothing may. False when an end is broken.
    fn carry(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        delay: Option<Duration>,
        buffer: &mut [u8],
        passed: &AtomicU64,
        shared: &Shared,
    ) -> bool {
        let now = Instant::now();
        loop {
            let broken = !self.take(from, now + delay.unwrap_or_default(), buffer, shared);
            if broken {
                return false;
            }
            let Some(_) = delay else { return true };
            let before = self.bytes;
            match self.give(to, now) {
                Ok(given) => {
                    passed.fetch_add(given, Ordering::Relaxed);
                }
                Err(_) => return false,
            }
            // A full pipe that has room again reads on: nobody tells it twice that there is something.
            if before < HOLDS || self.bytes >= HOLDS {
                return true;
            }
        }
    }

    fn take(
        &mut self,
        from: &mut TcpStream,
        due: Instant,
        buffer: &mut [u8],
        shared: &Shared,
    ) -> bool {
        while self.bytes < HOLDS && !self.ended {
            match from.read(buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.waits.push_back((due, buffer[..n].to_vec()));
                    self.bytes += n;
                    shared.held.fetch_add(n as u64, Ordering::Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::NotConnected => break,
                Err(_) => return false,
            }
        }
        true
    }

    fn give(&mut self, to: &mut TcpStream, now: Instant) -> io::Result<u64> {
        let mut given = 0;
        while let Some((due, bytes)) = self.waits.front_mut() {
            if *due > now {
                break;
            }
            match to.write(bytes) {
                Ok(n) => {
                    bytes.drain(..n);
                    self.bytes -= n;
                    given += n as u64;
                    if bytes.is_empty() {
                        self.waits.pop_front();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The server's end may not stand yet.
                Err(e) if e.kind() == io::ErrorKind::NotConnected => break,
                Err(e) => return Err(e),
            }
        }
        Ok(given)
    }
}
