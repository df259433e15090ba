//! What all sessions of a node share, and what those of one worker thread share.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    flusher::{self, Flusher},
    user::Users,
};
use crate::{
    platform::{metrics::Metrics, settings::Settings, tokens::Verifier},
    realtime::{
        barred::Barred,
        namespace::Namespaces,
        rates::Rates,
        room::{house::House, roster::Roster},
    },
};

/// One a process.
pub struct Node {
    pub settings: Arc<Settings>,
    pub namespaces: Arc<Namespaces>,
    /// Verifies connection tokens.
    pub connections: Verifier,
    /// Verifies subscription tokens.
    pub subscriptions: Verifier,
    /// Who is not let in.
    pub barred: Barred,
    pub house: Arc<House>,
    pub users: Arc<Users>,
    /// How often users and devices may do what they do.
    pub rates: Arc<Rates>,
    pub metrics: Arc<Metrics>,
    /// Recovered bytes that wait for sockets, all connections together.
    pub recovering: AtomicUsize,
    /// Connections whose sockets do not take what waits for them.
    pub stalled: AtomicUsize,
}

impl Node {
    /// Bytes that wait for sockets; shared ones count once a worker.
    pub fn outbox_bytes(&self) -> i64 {
        self.house.scales.waiting()
    }

    /// Whether there is room for another recovery.
    pub fn may_recover(&self) -> bool {
        self.recovering.load(Ordering::Relaxed) < self.settings.client.recovery_budget.bytes()
    }

    /// Seconds since 1970: what tokens are measured by.
    pub fn now(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
    }
}

/// One a worker thread.
pub struct Host {
    pub node: Arc<Node>,
    pub roster: Rc<Roster>,
    pub books: Books,
    pub(super) flusher: Flusher,
    /// Where a frame is put together before it is written; never holds one between two calls.
    pub(super) scratch: RefCell<Vec<u8>>,
}

/// Counts of one worker, told to the metrics now and then: cheaper than an atomic a message.
#[derive(Default)]
pub struct Books {
    pub bytes_in: Cell<u64>,
    pub bytes_out: Cell<u64>,
    pub messages_in: Cell<u64>,
    pub messages_out: Cell<u64>,
}

impl Host {
    /// For the thread that it is made on.
    pub fn new(node: Arc<Node>, roster: Rc<Roster>) -> Rc<Self> {
        let host = Rc::new(Self {
            node,
            roster,
            books: Books::default(),
            flusher: Flusher::default(),
            scratch: RefCell::default(),
        });
        actix_rt::spawn(flusher::run(Rc::downgrade(&host)));
        host
    }

    /// Tells the metrics. Call some times a second.
    pub fn tell(&self) {
        let (books, metrics) = (&self.books, &self.node.metrics);
        metrics.outbox_bytes.set(self.node.outbox_bytes());
        metrics.bytes_in_total.inc_by(books.bytes_in.take());
        metrics.bytes_out_total.inc_by(books.bytes_out.take());
        metrics.messages_in_total.inc_by(books.messages_in.take());
        metrics.messages_out_total.inc_by(books.messages_out.take());
    }
}
