//! What each worker thread tells the metrics and the watchdog.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    platform::watchdog::{self, Pulse},
    realtime::session::host::{Host, Node},
    supervisor,
};

/// How often each worker tells the metrics what it counted.
const TELL: Duration = Duration::from_millis(250);

/// Tells the metrics and the watchdog, for as long as the thread lives.
pub(super) async fn tell(host: std::rc::Rc<Host>, pulse: Pulse) {
    let mut turn = tokio::time::interval(TELL);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut restarts = BTreeMap::new();
    loop {
        turn.tick().await;
        watchdog::beat(&pulse);
        host.tell();
        let depth = &host.node.metrics.mailbox_depth;
        if let Some(worker) = host.node.house.workers().get(host.roster.worker()) {
            depth.of("hub").observe(worker.waiting() as f64);
        }
        if host.roster.worker() == 0 {
            tell_of_actors(&host.node, &mut restarts);
        }
    }
}

/// How many rooms and users are awake, who need not be remembered, and which actors have fallen since the last time.
fn tell_of_actors(node: &Node, told: &mut BTreeMap<&'static str, u64>) {
    let metrics = &node.metrics;
    metrics.rooms.set(node.house.rooms() as i64);
    node.rates.sweep();
    metrics.users.set(node.users.len() as i64);
    metrics.mailbox_depth.of("room").observe(node.house.waiting() as f64);
    metrics.mailbox_depth.of("user").observe(node.users.waiting() as f64);
    metrics.mailbox_depth.of("journal_writer").observe(node.house.appending() as f64);
    for (actor, restarts) in supervisor::restarts() {
        let before = told.insert(actor, restarts).unwrap_or_default();
        metrics.restarts_total.of(actor).inc_by(restarts - before);
    }
}
