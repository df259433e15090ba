//! How many may come in: counts sockets and handshakes, and lets nobody in while the node drains.
//!
//! Sockets that were taken over are no connections of actix-server any more, so they are counted here.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use crate::platform::metrics::Metrics;

/// How many of each at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// WebSocket connections in all.
    pub connections: usize,
    /// Connections that were let in and whose connect command was not answered yet.
    pub handshakes: usize,
}

/// Why nobody is let in just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The node is going down.
    Draining,
    /// All connections are taken.
    Full,
    /// Too many handshakes are under way.
    Busy,
}

/// Counts who is in.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    draining: AtomicBool,
    metrics: Arc<Metrics>,
}

/// One connection; dropped when it has ended.
#[derive(Debug)]
pub struct ConnectionPermit(Arc<Gate>);

/// One handshake; dropped when its connect command was answered, or when the connection has ended before.
#[derive(Debug)]
pub struct HandshakePermit(Arc<Gate>);

impl Gate {
    /// An open gate with nobody in.
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            connections: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            metrics,
        })
    }

    /// Lets one in, if there is room.
    pub fn enter(self: &Arc<Self>) -> Result<(ConnectionPermit, HandshakePermit), Closed> {
        if self.draining.load(Relaxed) {
            return Err(Closed::Draining);
        }
        if !take(&self.connections, self.limits.connections) {
            return Err(Closed::Full);
        }
        self.metrics.connections.inc();
        let connection = ConnectionPermit(self.clone());
        if !take(&self.handshakes, self.limits.handshakes) {
            return Err(Closed::Busy);
        }
        self.metrics.handshakes.inc();
        Ok((connection, HandshakePermit(self.clone())))
    }

    /// From now on nobody is let in.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// How many are in.
    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

/// Counts one more, unless `most` are there.
fn take(count: &AtomicUsize, most: usize) -> bool {
    count.fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1)).is_ok()
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
        self.0.metrics.connections.dec();
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Relaxed);
        self.0.metrics.handshakes.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::metrics::Labels;

    fn gate(connections: usize, handshakes: usize) -> Arc<Gate> {
        let metrics = Metrics::new(&Labels::default()).unwrap();
        Gate::new(Limits { connections, handshakes }, metrics.into())
    }

    #[test]
    fn a_full_node_lets_one_in_when_one_has_left() {
        let gate = gate(1, 9);
        let first = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err(), Closed::Full);
        drop(first);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn handshakes_are_limited_until_they_are_through() {
        let gate = gate(9, 1);
        let (_connection, handshake) = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err(), Closed::Busy);
        assert_eq!(gate.connections(), 1, "who was refused is not counted");
        drop(handshake);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn a_draining_node_lets_nobody_in() {
        let gate = gate(9, 9);
        gate.drain();
        assert_eq!(gate.enter().unwrap_err(), Closed::Draining);
    }
}
