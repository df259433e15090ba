//! What follows from all that the feed knows, told to whoever wants to know: rooms' neighbours, metrics, the log.

use std::{sync::Arc, time::Instant};

use actix::{Handler, Message, Recipient};

use super::Feed;
use crate::{
    ids::NodeId,
    realtime::peers::{Bridge, Outlook},
};

/// Somebody who wants to hear who lives.
pub(super) struct Follower {
    to: Recipient<Outlook>,
    /// Deaths that it was not told yet.
    untold: Vec<NodeId>,
}

/// Somebody wants to hear of each change of who lives.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Follow(pub Recipient<Outlook>);

impl Feed {
    /// What follows from all that is known now, for whoever wants to know.
    pub(super) fn publish(&mut self, now: Instant) -> Arc<Outlook> {
        let mut outlook = self.peers.look(now);
        let before = self.cluster.outlook();
        let died = std::mem::take(&mut outlook.died);
        if outlook.bridge != before.bridge {
            say_bridge(&outlook.bridge);
        }
        let different = self.about.different(&outlook.live);
        let changed = !died.is_empty() || outlook.me != before.me || {
            let runs = |outlook: &Outlook| outlook.live.iter().map(|it| it.run).collect::<Vec<_>>();
            runs(&outlook) != runs(&before) || outlook.bridge != before.bridge
        };
        let metrics = &self.node.metrics;
        metrics.peers.set(outlook.live.len() as i64);
        metrics.bridge_trusted.set(i64::from(outlook.bridge == Bridge::Trusted));
        for run in &died {
            log::info!("run {run} of another node is gone");
        }
        for follower in &mut self.followers {
            follower.untold.extend(&died);
            if changed || !follower.untold.is_empty() {
                let told = Outlook { died: follower.untold.clone(), ..outlook.clone() };
                if follower.to.try_send(told).is_ok() {
                    follower.untold.clear();
                }
            }
        }
        self.cluster.look(outlook, different);
        self.cluster.outlook()
    }
}

fn say_bridge(bridge: &Bridge) {
    match bridge {
        Bridge::Absent => log::warn!("there is no bridge: the feed alone tells of other nodes"),
        Bridge::Trusted => log::info!("the bridge is trusted: every node is heard on it"),
        Bridge::Degraded(reasons) => {
            let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
            log::warn!("the bridge is degraded, the feed is read often: {}", reasons.join("; "));
        }
    }
}

impl Handler<Follow> for Feed {
    type Result = ();

    fn handle(&mut self, Follow(to): Follow, _: &mut Self::Context) {
        // A mailbox that is full hears of it with the next change.
        let _ = to.try_send(Outlook::clone(&self.cluster.outlook()));
        self.followers.push(Follower { to, untold: Vec::new() });
    }
}
