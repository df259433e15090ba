//! What the others may know of the feed at any moment: who lives, what the bridge is worth, whether the journal answers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::realtime::peers::{Bridge, Outlook, Peer};

/// The journal neither read nor committed for so long: the node is no place for clients.
const UNREACHED: Duration = Duration::from_secs(3);

/// Shared by the feed, which writes it, and whoever asks.
#[derive(Debug)]
pub struct Cluster {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    outlook: Arc<Outlook>,
    /// Nodes with other namespaces, by name.
    different: Vec<String>,
    read_at: Instant,
    committed_at: Instant,
}

/// Why a node is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Condition {
    /// Clients are better off elsewhere.
    pub unfit: Vec<String>,
    /// It serves, but not as well as it should.
    pub degraded: Vec<String>,
}

impl Cluster {
    pub(super) fn new(outlook: Outlook, now: Instant) -> Arc<Self> {
        let outlook = Arc::new(outlook);
        let state = State { outlook, different: Vec::new(), read_at: now, committed_at: now };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Who lives, and what the bridge is worth, as of the last look.
    pub fn outlook(&self) -> Arc<Outlook> {
        self.state().outlook.clone()
    }

    /// The other nodes.
    pub fn peers(&self) -> Vec<Peer> {
        self.outlook().live.clone()
    }

    /// What is wrong, in words for an operator.
    pub fn condition(&self, now: Instant) -> Condition {
        let state = self.state();
        let mut condition = Condition::default();
        let since = |at: Instant| now.saturating_duration_since(at);
        for (at, what) in
            [(state.read_at, "be read"), (state.committed_at, "be written (no commit)")]
        {
            if since(at) >= UNREACHED {
                let seconds = since(at).as_secs();
                condition.unfit.push(format!("the journal could not {what} for {seconds} s"));
            }
        }
        if let Bridge::Degraded(reasons) = &state.outlook.bridge {
            condition.degraded.extend(reasons.iter().map(ToString::to_string));
        }
        let differ = |name| format!("node {name} has other namespaces");
        condition.degraded.extend(state.different.iter().map(differ));
        condition
    }

    pub(super) fn has_read(&self, now: Instant) {
        self.state().read_at = now;
    }

    pub(super) fn has_committed(&self, now: Instant) {
        self.state().committed_at = now;
    }

    pub(super) fn look(&self, outlook: Outlook, different: Vec<String>) {
        let mut state = self.state();
        (state.outlook, state.different) = (Arc::new(outlook), different);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::NodeId, realtime::peers::Reason};

    #[test]
    fn a_node_that_does_not_reach_its_journal_is_unfit_and_a_silent_bridge_is_not() {
        let now = Instant::now();
        let reason = Reason::Unheard { name: "b".into(), shard: 0 };
        let outlook = Outlook {
            me: NodeId::new(),
            live: vec![],
            died: vec![],
            bridge: Bridge::Degraded(vec![reason]),
            hurry: true,
        };
        let cluster = Cluster::new(outlook, now);
        let later = now + UNREACHED;
        cluster.has_read(later);
        let condition = cluster.condition(later);
        assert_eq!(condition.unfit, ["the journal could not be written (no commit) for 3 s"]);
        assert_eq!(condition.degraded, ["node b is not heard on shard 0 of the bridge"]);
        cluster.has_committed(later);
        assert_eq!(cluster.condition(later).unfit, Vec::<String>::new());
        assert_eq!(cluster.condition(later + UNREACHED).unfit.len(), 2);
    }
}
