//! A TCP proxy between a node and a server that it needs: it cuts, swallows, holds back and delays as it is told.
//!
//! One thread, one poller. What is held back is not lost: it passes when the network is whole again, as TCP would have it.

mod works;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mio::{Interest, Poll, Waker, net::TcpListener};

use self::works::{FIRST, LISTENER, WAKER, Works};

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

#[cfg(test)]
mod tests;
