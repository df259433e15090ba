//! What one server of Redis says unasked: messages and signs of life of other nodes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{PushInfo, PushKind, Value};

use super::{
    Ears,
    envelope::{self, Opened},
    names::Names,
};
use crate::{ids::NodeId, platform::metrics::Metrics};

/// A run that was not heard for so long is not remembered.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// When each run was heard last.
#[derive(Default)]
pub(super) struct Heard(Mutex<HashMap<NodeId, Instant>>);

impl Heard {
    fn now(&self, run: NodeId) {
        let now = Instant::now();
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.insert(run, now).is_none() {
            heard.retain(|_, at| now.duration_since(*at) < FORGOTTEN_AFTER);
        }
    }

    /// The runs that were heard so short a while ago.
    pub fn lately(&self, time: Duration) -> HashSet<NodeId> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(_, at)| at.elapsed() < time).map(|(run, _)| *run).collect()
    }

    /// Whether a run was heard so short a while ago.
    pub fn within(&self, run: NodeId, time: Duration) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(&run).is_some_and(|at| at.elapsed() < time)
    }
}

/// Hears what one server says unasked. Runs where the connection is read: what it takes is not read meanwhile.
pub(super) struct Listener {
    pub ears: Arc<dyn Ears>,
    pub names: Names,
    pub metrics: Arc<Metrics>,
    pub heard: Arc<Heard>,
    pub me: NodeId,
    pub index: usize,
}

impl Listener {
    /// Something was pushed.
    pub fn hear(&self, push: PushInfo) {
        if !matches!(push.kind, PushKind::Message | PushKind::SMessage) {
            return;
        }
        let mut data = push.data.into_iter();
        let (Some(Value::BulkString(name)), Some(Value::BulkString(bytes))) =
            (data.next(), data.next())
        else {
            return;
        };
        let channel = self.names.parse(&name);
        match (envelope::open(bytes.into()), channel) {
            (Some((from, Opened::Beacon { look })), _) => {
                self.heard.now(from);
                self.ears.beacon(from, self.index);
                if look && from != self.me {
                    self.ears.nudged();
                }
            }
            (Some((from, _)), _) if from == self.me => {}
            (Some((_, Opened::Arrived(arrived))), Some(channel)) => {
                self.metrics.bridge_received_total.inc();
                self.ears.arrived(&channel, arrived);
            }
            // Of another version, or of nobody we know: the journal says what it was.
            (Some((_, Opened::Strange)) | None, Some(channel)) => self.ears.missed(&channel),
            _ => {}
        }
    }
}
