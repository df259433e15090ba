//! A TCP proxy between a node and a server that it needs: it cuts, swallows, holds back and delays as it is told.
//!
//! One thread, one poller. What is held back is not lost: it passes when the network is whole again, as TCP would have it.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read, Write},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Registry, Token, Waker,
    net::{TcpListener, TcpStream},
};

/// What the proxy does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Pass,
    /// Connections are closed, new ones too.
    Cut,
    /// Nothing passes, nothing is closed.
    BlackHole,
    /// What the server says does not arrive.
    OneWay,
    /// What the server says comes so much later.
    Delay(Duration),
}

/// What the proxy has seen since its mode was last set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Bytes that reached the server.
    pub up: u64,
    /// Bytes that reached the node.
    pub down: u64,
    /// Connections that were closed or refused.
    pub cut: u64,
    /// Bytes that wait, or waited.
    pub held: u64,
}

/// A running proxy; it ends with this value.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    mode: Mutex<(Mode, u64)>,
    target: Mutex<SocketAddr>,
    up: AtomicU64,
    down: AtomicU64,
    cut: AtomicU64,
    held: AtomicU64,
    /// The number of the mode that it works in.
    obeyed: AtomicU64,
    over: AtomicBool,
}

impl Shared {
    fn count_anew(&self) {
        for count in [&self.up, &self.down, &self.cut, &self.held] {
            count.store(0, Ordering::Relaxed);
        }
    }
}

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Connections have two tokens each from here on.
const FIRST: usize = 2;
/// A pipe takes no more from its source than this, in bytes.
const HOLDS: usize = 256 * 1024;
/// How often delayed bytes are looked at.
const TICK: Duration = Duration::from_millis(5);
/// A proxy that is not obeyed by then is dead, and what it should have done will have no witness.
const OBEYS_WITHIN: Duration = Duration::from_secs(2);

impl Proxy {
    /// Listens on a free port of loopback and passes on to `target`.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let shared = Arc::new(Shared {
            mode: Mutex::new((Mode::Pass, 0)),
            target: Mutex::new(target),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            held: AtomicU64::new(0),
            obeyed: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let mut works = Works {
            shared: shared.clone(),
            listener,
            poll,
            lines: HashMap::new(),
            next: FIRST,
            buffer: vec![0; 64 * 1024],
        };
        let thread = thread::Builder::new().name("proxy".into()).spawn(move || {
            // A proxy whose poller fails has no way to go on; its connections end, and that shows.
            let _ = works.run();
        })?;
        Ok(Self { address, shared, waker, thread: Some(thread) })
    }

    /// Does something else from now on, and counts anew. Returns when it does.
    pub fn set(&self, mode: Mode) {
        let number = {
            let mut now = locked(&self.shared.mode);
            *now = (mode, now.1 + 1);
            now.1
        };
        let deadline = Instant::now() + OBEYS_WITHIN;
        while self.shared.obeyed.load(Ordering::Acquire) < number && Instant::now() < deadline {
            let _ = self.waker.wake();
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// New connections go there.
    pub fn lead_to(&self, target: SocketAddr) {
        *locked(&self.shared.target) = target;
    }

    /// What was seen since the last [`set`](Self::set).
    pub fn seen(&self) -> Seen {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Seen {
            up: of(&self.shared.up),
            down: of(&self.shared.down),
            cut: of(&self.shared.cut),
            held: of(&self.shared.held),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What the thread works on.
struct Works {
    shared: Arc<Shared>,
    listener: TcpListener,
    poll: Poll,
    lines: HashMap<usize, Line>,
    next: usize,
    buffer: Vec<u8>,
}

/// A connection through the proxy.
struct Line {
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
    fn run(&mut self) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener as StdListener, TcpStream as StdStream};

    use super::*;

    /// A server that says back what it hears, and the proxy before it.
    fn echo() -> Proxy {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(n @ 1..) = stream.read(&mut buffer) {
                        if stream.write_all(&buffer[..n]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Proxy::start(target).unwrap()
    }

    fn client(proxy: &Proxy) -> StdStream {
        let stream = StdStream::connect(proxy.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn heard(stream: &mut StdStream, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn until(reached: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !reached() {
            assert!(Instant::now() < deadline, "it never came to that");
            thread::yield_now();
        }
    }

    #[test]
    fn what_is_said_passes_both_ways_also_more_than_a_pipe_holds() {
        let proxy = echo();
        let mut stream = client(&proxy);
        let said: Vec<u8> = (0..3 * HOLDS).map(|n| n as u8).collect();
        let mut writer = stream.try_clone().unwrap();
        let copy = said.clone();
        let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
        assert_eq!(heard(&mut stream, said.len()).unwrap(), said);
        writing.join().unwrap();
        until(|| proxy.seen().down == said.len() as u64);
    }

    #[test]
    fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_whole() {
        let proxy = echo();
        let mut stream = client(&proxy);
        stream.write_all(b"a").unwrap();
        heard(&mut stream, 1).unwrap();
        proxy.set(Mode::Cut);
        assert!(heard(&mut stream, 1).is_err());
        assert!(heard(&mut client(&proxy), 1).is_err());
        assert!(proxy.seen().cut >= 2);
        proxy.set(Mode::Pass);
        let mut stream = client(&proxy);
        stream.write_all(b"b").unwrap();
        assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
    }

    #[test]
    fn a_black_hole_passes_nothing_and_all_of_it_afterwards() {
        let proxy = echo();
        let mut stream = client(&proxy);
        stream.write_all(b"a").unwrap();
        heard(&mut stream, 1).unwrap();
        proxy.set(Mode::BlackHole);
        stream.write_all(b"b").unwrap();
        until(|| proxy.seen().held == 1);
        assert_eq!((proxy.seen().up, proxy.seen().down), (0, 0));
        proxy.set(Mode::Pass);
        assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
    }

    #[test]
    fn one_way_lets_words_reach_the_server_and_its_answers_wait() {
        let proxy = echo();
        let mut stream = client(&proxy);
        stream.write_all(b"a").unwrap();
        heard(&mut stream, 1).unwrap();
        proxy.set(Mode::OneWay);
        stream.write_all(b"b").unwrap();
        until(|| proxy.seen().up == 1 && proxy.seen().held == 2);
        assert_eq!(proxy.seen().down, 0);
        proxy.set(Mode::Pass);
        assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
    }

    #[test]
    fn a_delay_holds_answers_for_its_time() {
        let proxy = echo();
        let mut stream = client(&proxy);
        let delay = Duration::from_millis(100);
        proxy.set(Mode::Delay(delay));
        let began = Instant::now();
        stream.write_all(b"a").unwrap();
        heard(&mut stream, 1).unwrap();
        assert!(began.elapsed() >= delay);
    }

    #[test]
    fn new_connections_go_where_they_are_led() {
        let (one, two) = (echo(), StdListener::bind("127.0.0.1:0").unwrap());
        one.lead_to(two.local_addr().unwrap());
        let mut stream = client(&one);
        stream.write_all(b"a").unwrap();
        let (mut other, _) = two.accept().unwrap();
        assert_eq!(heard(&mut other, 1).unwrap(), b"a");
    }
}
