//! The write side of one connection, shared by its actor, its hub and its driver, all on one thread.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::{Rc, Weak},
    sync::atomic::Ordering,
    task::Waker,
};

use actix::Addr;
use bytes::Bytes;
use tokio::net::TcpStream;

use super::{
    connection::{Connection, Due},
    host::Host,
    outbox::Outbox,
    queues::{Limits, Load},
};
use crate::{
    protocol::{Close, Encoding},
    realtime::room::{
        seat::{Notice, Seat, SeatId},
        wheel::WorkerTime,
    },
};

/// One a connection.
pub struct Line {
    me: Weak<Line>,
    io: TcpStream,
    id: SeatId,
    encoding: Encoding,
    host: Rc<Host>,
    outbox: RefCell<Outbox>,
    driver: RefCell<Option<Waker>>,
    actor: RefCell<Option<Addr<Connection>>>,
    /// Bytes of recovered messages that count against the node's budget until the socket has taken all.
    recovered: Cell<usize>,
    /// When the socket began to take nothing.
    stalled_since: Cell<Option<WorkerTime>>,
    /// It counts as one that does not read; not any more once it has to go.
    stalls: Cell<bool>,
    /// When the socket is cut, once the close is under way.
    cut_at: Cell<Option<WorkerTime>>,
    state: Cell<State>,
    full: Cell<bool>,
    peer_gone: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Messages wait for the reply to `connect`, which goes first.
    Held,
    /// What is pushed goes out.
    Open,
    /// Nothing is taken any more; what waits goes out, then the close.
    Shut,
    /// Not even that.
    Cut,
}

impl Line {
    pub fn new(io: TcpStream, id: SeatId, encoding: Encoding, host: Rc<Host>) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            io,
            id,
            encoding,
            host,
            outbox: RefCell::default(),
            driver: RefCell::new(None),
            actor: RefCell::new(None),
            recovered: Cell::new(0),
            stalled_since: Cell::new(None),
            stalls: Cell::new(false),
            cut_at: Cell::new(None),
            state: Cell::new(State::Held),
            full: Cell::new(false),
            peer_gone: Cell::new(false),
        })
    }

    pub fn id(&self) -> SeatId {
        self.id
    }

    /// The socket. Both sides use it by reference; the task that polls it is the driver's.
    pub fn io(&self) -> &TcpStream {
        &self.io
    }

    // For the actor.

    /// The actor has started.
    pub fn belongs_to(&self, actor: Addr<Connection>) {
        *self.actor.borrow_mut() = Some(actor);
    }

    /// The first reply; then everything that waited behind it.
    pub fn open(&self, first: Bytes) {
        self.outbox.borrow_mut().push_first(self.weigh(first));
        if self.state.get() == State::Held {
            self.state.set(State::Open);
        }
        self.wake();
    }

    /// Bytes that wait for the socket.
    pub fn waiting(&self) -> usize {
        self.outbox.borrow().len()
    }

    /// Whether the session can take another message; while it can't, its socket is not read.
    pub fn set_full(&self, full: bool) {
        if self.full.replace(full) && !full {
            // The reading side may have been polled before whatever made room.
            self.wake();
        }
    }

    /// Nothing more is taken. What waits goes out first, but not to a reader that is too slow for it.
    /// The peer gets `close_wait` to read it.
    pub fn shut(&self, close: &Close) {
        if matches!(self.state.get(), State::Shut | State::Cut) {
            return;
        }
        if *close == Close::SLOW {
            self.outbox.borrow_mut().drop_waiting();
        }
        self.state.set(State::Shut);
        self.set_stalls(false);
        let at = self.host.roster.now() + self.host.node.settings.websocket.write_timeout;
        self.cut_at.set(Some(at));
        self.host.roster.wake(self.id, at);
        self.wake();
    }

    /// The peer has closed: nobody reads what waits.
    pub fn peer_went(&self) {
        self.peer_gone.set(true);
    }

    // For the reading side.

    pub fn wants_more(&self) -> bool {
        !self.full.get()
    }

    pub fn has_read(&self, bytes: usize) {
        self.host.books.bytes_in.set(self.host.books.bytes_in.get() + bytes as u64);
    }

    // For the driver.

    pub fn driven_by(&self, waker: &Waker) {
        let mut driver = self.driver.borrow_mut();
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    /// A frame of the actor's own: goes out between messages.
    pub fn push_frame(&self, frame: Bytes) {
        self.outbox.borrow_mut().push_frame(self.weigh(frame));
    }

    /// Whether messages may be written now.
    pub fn may_write(&self) -> bool {
        self.state.get() != State::Held && !self.outbox.borrow().is_empty()
    }

    pub fn peer_is_gone(&self) -> bool {
        self.peer_gone.get()
    }

    /// True when the peer had its time.
    pub fn is_cut(&self) -> bool {
        self.state.get() == State::Cut
    }

    /// Writes what the socket takes.
    pub fn write(&self) -> io::Result<usize> {
        let mut outbox = self.outbox.borrow_mut();
        let before = outbox.len();
        let result = outbox.write_to(self.encoding, &mut self.host.scratch.borrow_mut(), |bytes| {
            self.io.try_write(bytes)
        });
        let (after, is_empty) = (outbox.len(), outbox.is_empty());
        drop(outbox);
        if is_empty {
            self.stalled_since.set(None);
            self.set_stalls(false);
            self.give_back_recovered();
        } else {
            if before != after || self.stalled_since.get().is_none() {
                self.stalls_from_now();
            }
            if self.is_open() {
                self.set_stalls(true);
                if self.is_over(after) {
                    self.too_slow();
                }
            }
        }
        if let Ok(written) = &result {
            let books = &self.host.books;
            books.bytes_out.set(books.bytes_out.get() + *written as u64);
        }
        result
    }

    fn stalls_from_now(&self) {
        let now = self.host.roster.now();
        if self.stalled_since.replace(Some(now)).is_none() {
            self.host.roster.wake(self.id, now + self.host.node.settings.client.write_stall);
        }
    }

    /// The worker's turn to write for this connection. What the socket does not take, or its error, is
    /// for the driver.
    pub fn flush(&self) {
        if self.may_write() && (self.write().is_err() || self.may_write()) {
            self.wake();
        }
    }

    /// The connection is over.
    pub fn end(&self) {
        self.state.set(State::Cut);
        self.set_stalls(false);
        drop(self.outbox.take());
        self.give_back_recovered();
        self.actor.borrow_mut().take();
        self.driver.borrow_mut().take();
        self.host.roster.leave(self.id);
    }

    fn wake(&self) {
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    fn weigh(&self, bytes: Bytes) -> Bytes {
        self.host.node.house.scales.weigh(bytes)
    }

    fn give_back_recovered(&self) {
        let recovered = self.recovered.take();
        if recovered > 0 {
            self.host.node.recovering.fetch_sub(recovered, Ordering::Relaxed);
        }
    }

    /// The reader does not keep up: what waits is dropped, the connection closed.
    fn too_slow(&self) {
        if !self.is_open() {
            return;
        }
        self.host.node.metrics.slow_readers_cut_total.inc();
        self.shut(&Close::SLOW);
        self.notice(Notice::Close(Close::SLOW));
    }

    /// Over its own limit, or over its share while all queues together are over theirs.
    fn is_over(&self, waiting: usize) -> bool {
        let node = &self.host.node;
        let client = &node.settings.client;
        let limits =
            Limits { one: client.queue_max_size.bytes(), all: client.queues_max_size.bytes() };
        let stalled = node.stalled.load(Ordering::Relaxed);
        let load = Load { waiting: node.outbox_bytes(), stalled };
        limits.are_exceeded(waiting, self.stalls.get(), load)
    }

    /// Whether it is one of those that do not read, as the node counts them.
    fn set_stalls(&self, stalls: bool) {
        let count = &self.host.node.stalled;
        match (self.stalls.replace(stalls), stalls) {
            (false, true) => drop(count.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(count.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Seat for Line {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn push(&self, message: Bytes) {
        self.push_shared(self.weigh(message));
    }

    fn push_shared(&self, message: Bytes) {
        if matches!(self.state.get(), State::Shut | State::Cut) {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        let was_empty = outbox.is_empty();
        outbox.push(message);
        let waiting = outbox.len();
        drop(outbox);
        if was_empty && let Some(me) = self.me.upgrade() {
            self.host.flusher.add(me);
        } else if self.is_over(waiting) {
            self.too_slow();
        }
    }

    fn push_recovered(&self, message: Bytes) {
        let length = message.len();
        self.recovered.set(self.recovered.get() + length);
        self.host.node.recovering.fetch_add(length, Ordering::Relaxed);
        self.push(message);
        if self.waiting() == 0 {
            self.give_back_recovered();
        }
    }

    fn notice(&self, notice: Notice) {
        if let Some(actor) = &*self.actor.borrow() {
            // One an event of a subscription, and subscriptions are bounded.
            #[allow(clippy::disallowed_methods)]
            actor.do_send(super::connection::Noticed(notice));
        }
    }

    fn due(&self) {
        let now = self.host.roster.now();
        if self.cut_at.get().is_some_and(|at| at <= now) {
            self.state.set(State::Cut);
            self.wake();
            return;
        }
        let stall = self.host.node.settings.client.write_stall;
        if let Some(since) = self.stalled_since.get() {
            if now >= since + stall {
                self.too_slow();
            } else {
                self.host.roster.wake(self.id, since + stall);
            }
        }
        if let Some(actor) = &*self.actor.borrow() {
            // One a deadline that the actor asked for.
            #[allow(clippy::disallowed_methods)]
            actor.do_send(Due);
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Held | State::Open)
    }
}
