//! Connections of a user on other nodes: each node tells how many it has, and asks before it lets one more in.
//!
//! In doubt they are let in, since who is not stays away for good: while Redis does not answer, and of nodes that are not
//! known to live, nobody counts.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    ids::UserId,
    platform::metrics::Metrics,
    realtime::bridge::{BridgeHandle, COUNT_HOLDS, Crowd},
};

/// How long a connect waits for the answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often those are told of again of whom Redis did not answer.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// How often everybody here is counted anew, in retries: what is written down does not hold for ever, and Redis may
/// forget it.
pub(super) const RECOUNT: u64 = COUNT_HOLDS / 3 / RETRY.as_secs();

/// Users to tell of again, at most. Past it, what is written of them holds until it is old.
const MOST_UNTOLD: usize = 10_000;

/// The way to what other nodes have told.
#[derive(Clone)]
pub struct Elsewhere {
    bridge: BridgeHandle,
    metrics: Arc<Metrics>,
    /// Of whom Redis may have an old count.
    untold: Arc<Mutex<HashSet<UserId>>>,
}

impl Elsewhere {
    /// Through that bridge.
    pub fn new(bridge: BridgeHandle, metrics: Arc<Metrics>) -> Self {
        Self { bridge, metrics, untold: Arc::default() }
    }

    /// Whether one more may come in beside `here` connections on this node, if there may be `most` in all.
    pub(super) fn may_come(
        &self,
        user: &UserId,
        here: usize,
        most: usize,
    ) -> impl Future<Output = bool> + use<> {
        let (user, elsewhere) = (user.clone(), self.clone());
        async move {
            elsewhere.count(&user, here, Some(most)).await.unwrap_or_else(|| {
                elsewhere.metrics.user_connections_unsure_total.inc();
                true
            })
        }
    }

    /// There are so many now. Nobody waits for it; if it is lost, it is told again.
    pub(super) fn tell(&self, user: &UserId, here: usize) {
        let (user, elsewhere) = (user.clone(), self.clone());
        actix_rt::spawn(async move { elsewhere.count(&user, here, None).await });
    }

    /// Of whom Redis may have an old count. It is for the caller to tell of them again.
    pub(super) fn untold(&self) -> HashSet<UserId> {
        std::mem::take(&mut self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn count(&self, user: &UserId, here: usize, most: Option<usize>) -> Option<bool> {
        let crowd = Crowd { user: user.clone(), here, most };
        let answer = timeout(PATIENCE, self.bridge.crowd(crowd)).await.ok().flatten();
        if answer.is_none() {
            let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
            if untold.len() < MOST_UNTOLD {
                untold.insert(user.clone());
            }
        }
        answer
    }
}
