//! What others hold of the bridge: verbs. And what bounds that which is on its way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::{Addr, ArbiterHandle, Recipient};

use super::{
    Arrived, Ears,
    actor::{self, Bridge, Note},
    counting::{Charge, Charged, Crowd},
    envelope,
    registry::Entry,
};
use crate::{
    fail_point,
    ids::{Channel, NodeId},
    platform::{metrics::Metrics, redis_client},
    protocol::ClientInfo,
    realtime::peers::Outlook,
    supervisor,
};

/// What a message that waits costs beside its bytes.
const OVERHEAD: usize = 128;

/// How the bridge is made.
pub struct Options {
    pub redis: redis_client::Options,
    /// What all names in Redis begin with.
    pub prefix: String,
    /// This run of this node.
    pub me: NodeId,
    /// Bytes that may wait to be sent. What has no place in the journal gets half of it.
    pub queue_bytes: usize,
}

/// The way to other nodes. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct BridgeHandle {
    bridge: Addr<Bridge>,
    load: Arc<Load>,
    me: NodeId,
    metrics: Arc<Metrics>,
}

impl BridgeHandle {
    /// Starts the bridge on a thread of its own: it connects once somebody [hears](Self::open).
    pub fn start(options: Options, metrics: Arc<Metrics>, arbiter: &ArbiterHandle) -> Self {
        let me = options.me;
        let load = Arc::new(Load { bytes: AtomicUsize::new(0), most: options.queue_bytes });
        let counts = metrics.clone();
        let bridge = supervisor::start("bridge", 0, arbiter, move |_| Bridge::new(options, counts));
        Self { bridge, load, me, metrics }
    }

    /// From now on `ears` hear.
    pub fn open(&self, ears: Arc<dyn Ears>) {
        self.tell(actor::Open(ears));
    }

    /// Tells other nodes, soon or, if too much waits already, not at all: it is for them to look into the journal then.
    pub fn mirror(&self, channel: &Channel, what: &Arrived) {
        fail_point!("room.before_bridge");
        let envelope = envelope::seal(self.me, what);
        let is_durable = matches!(what, Arrived::Committed(..));
        match Load::admit(&self.load, envelope.len() + OVERHEAD, is_durable) {
            Some(place) => self.tell(actor::Say { channel: channel.clone(), envelope, place }),
            None => {
                let what = if is_durable { "durable" } else { "ephemeral" };
                self.metrics.bridge_shed_total.of(what).inc();
            }
        }
    }

    /// Writes a member of this node down, for other nodes to see.
    pub fn enter(&self, channel: &Channel, info: &Arc<ClientInfo>, join_leave: bool) {
        let bytes = info.conn_info.len() + info.chan_info.len() + OVERHEAD;
        let note = match Load::admit(&self.load, bytes, false) {
            Some(place) => {
                let (channel, info) = (channel.clone(), info.clone());
                Note::Enter { channel, info, join_leave, place }
            }
            None => Note::Shed,
        };
        self.tell(note);
    }

    /// Strikes a member out.
    pub fn leave(&self, channel: &Channel, client: &str) {
        self.tell(Note::Leave { channel: channel.clone(), client: client.into() });
    }

    /// Who is here has to be compared with what is written down, once more.
    pub fn compare(&self) {
        self.tell(Note::Shed);
    }

    /// Has the other nodes look into the feed now. One that does not hear it looks a little later.
    pub fn nudge(&self) {
        self.tell(actor::Nudge);
    }

    /// Nobody of this node is in the channel any more.
    pub fn empty(&self, channel: &Channel) {
        self.tell(Note::Empty(channel.clone()));
    }

    /// Who is in a channel on other nodes. None if that can't be known now.
    pub async fn who(&self, channel: &Channel) -> Option<Vec<Entry>> {
        self.bridge.send(actor::Who(channel.clone())).await.ok().flatten()
    }

    /// Charges what was taken from a bucket that all nodes share; what it owes then. None if that can't be known now,
    /// within the deadline of Redis' answers.
    pub async fn charge(&self, charge: Charge) -> Option<Charged> {
        self.bridge.send(charge).await.ok().flatten()
    }

    /// Tells how many connections a user has here, and asks whether one more may come. None if that can't be known now.
    pub async fn crowd(&self, crowd: Crowd) -> Option<bool> {
        self.bridge.send(crowd).await.ok().flatten()
    }

    /// Where it is told who lives.
    pub fn knows_who_lives(&self) -> Recipient<Outlook> {
        self.bridge.clone().recipient()
    }

    /// A room wants to hear what other nodes say: [`Ears::listening`] answers.
    pub fn listen(&self, channel: &Channel) {
        self.tell(actor::Listen(channel.clone()));
    }

    /// It does not any more.
    pub fn unlisten(&self, channel: &Channel) {
        self.tell(actor::Unlisten(channel.clone()));
    }

    fn tell<M>(&self, message: M)
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        Bridge: actix::Handler<M>,
    {
        #[allow(
            clippy::disallowed_methods,
            reason = "bounded: what is said by its places, listening by the number of rooms"
        )]
        self.bridge.do_send(message);
    }
}

/// Bytes that wait to be sent.
struct Load {
    bytes: AtomicUsize,
    most: usize,
}

/// The place of one message among those that wait; given back when it is dropped.
pub(super) struct Place {
    load: Arc<Load>,
    bytes: usize,
}

impl Load {
    fn admit(load: &Arc<Self>, bytes: usize, is_durable: bool) -> Option<Place> {
        let most = if is_durable { load.most } else { load.most / 2 };
        let before = load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let place = Place { load: load.clone(), bytes };
        // One always fits, whatever its size.
        (before == 0 || before + bytes <= most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_in_the_journal_is_shed_first() {
        let load = Arc::new(Load { bytes: AtomicUsize::new(0), most: 100 });
        let first = Load::admit(&load, 40, false);
        assert!(first.is_some());
        assert!(Load::admit(&load, 20, false).is_none(), "half is full");
        let second = Load::admit(&load, 60, true);
        assert!(second.is_some());
        assert!(Load::admit(&load, 1, true).is_none());
        drop((first, second));
        assert!(Load::admit(&load, 1_000, false).is_some(), "one always fits");
    }
}
