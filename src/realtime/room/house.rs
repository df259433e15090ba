//! What rooms and hubs share: each other's addresses, the journals, the rules of each channel.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Addr, ArbiterHandle};

use super::{
    actor::Room,
    audience::Audience,
    busy::{Busy, NoAnswer},
    catch_up::Limits,
    hub::{Hub, ToHub},
    request::{Leave, PresenceStats, Request},
    scales::Scales,
    seat::WorkerIndex,
};
use crate::{
    ids::Channel,
    platform::metrics::Metrics,
    protocol::{Position, reply::PresenceResult},
    realtime::{
        bridge::{Arrived, BridgeHandle},
        directory::{Absent, Directory, Full, Life},
        journal::{Unavailable, writer::JournalHandle},
        namespace::Storage,
    },
    supervisor,
};

/// What a room needs to know of its channel's namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    pub storage: Storage,
    /// Members get the latest publication instead of all that they missed.
    pub cache: bool,
}

/// Tells the rules of a channel.
pub type RulesOf = Box<dyn Fn(&Channel) -> Rules + Send + Sync>;

/// The worker threads, known once all have started.
pub struct Worker {
    hub: Addr<Hub>,
    arbiter: ArbiterHandle,
    /// Messages in the hub's mailbox.
    waiting: AtomicUsize,
}

impl Worker {
    /// A worker thread whose hub has started.
    pub fn new(hub: Addr<Hub>, arbiter: ArbiterHandle) -> Self {
        Self { hub, arbiter, waiting: AtomicUsize::new(0) }
    }

    /// Its thread.
    pub fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiter
    }

    /// Messages that wait for its hub.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The hub has taken one.
    pub(super) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Closes so many of its connections, unless its hub is too busy to hear it.
    pub fn drain(&self, batch: usize) {
        self.give(ToHub::Drain { batch });
    }

    fn give(&self, message: ToHub) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let given = self.hub.try_send(message).is_ok();
        if !given {
            self.taken();
        }
        given
    }

    fn must_give(&self, message: ToHub) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Entering, leaving and answers to both: bounded by the number of connections.
        #[allow(clippy::disallowed_methods)]
        self.hub.do_send(message);
    }
}

/// The journals that rooms write to.
pub struct Journals {
    pub durable: JournalHandle,
    pub memory: JournalHandle,
}

/// One a node.
pub struct House {
    rooms: Directory<Channel, Room, Request>,
    workers: OnceLock<Vec<Worker>>,
    rules_of: RulesOf,
    journals: Journals,
    /// To other nodes; none where there are none, or only the journal's feed tells of them.
    bridge: Option<BridgeHandle>,
    pub(super) metrics: Arc<Metrics>,
    /// Rooms that missed something and have not looked yet: one word each is in their mailboxes.
    misses: Mutex<HashSet<Channel>>,
    /// What waits for sockets, of all connections.
    pub scales: Arc<Scales>,
    pub(super) recovery: Limits,
    /// Bytes of recent publications that a room keeps.
    pub(super) ring_bytes: usize,
    audience: OnceLock<Arc<dyn Audience>>,
    #[cfg(test)]
    pub(super) trap: super::trap::Trap,
}

impl House {
    /// Without workers yet: they need the house to start.
    pub fn new(
        rules_of: RulesOf,
        journals: Journals,
        bridge: Option<BridgeHandle>,
        metrics: Arc<Metrics>,
        recovery: Limits,
        ring_bytes: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            rooms: Directory::new(),
            workers: OnceLock::new(),
            rules_of,
            journals,
            bridge,
            metrics,
            misses: Mutex::default(),
            scales: Arc::default(),
            recovery,
            ring_bytes,
            audience: OnceLock::new(),
            #[cfg(test)]
            trap: Default::default(),
        })
    }

    /// Another node said something in a channel, or is known to have. Nothing to do if it has no room here.
    pub fn arrived(&self, channel: &Channel, arrived: Arrived) {
        if let Err(Absent::Full(Request::Arrived(refused))) =
            self.rooms.send_if_there(channel, Request::Arrived(arrived))
            && matches!(refused, Arrived::Committed(..))
        {
            self.missed(channel);
        }
    }

    /// Where a channel stands, by the journal. Nothing to do if it has no room here.
    pub fn stands(&self, channel: &Channel, at: Position) {
        if let Err(Absent::Full(_)) = self.rooms.send_if_there(channel, Request::Stands(at)) {
            self.missed(channel);
        }
    }

    /// The way to other nodes.
    pub fn bridge(&self) -> Option<&BridgeHandle> {
        self.bridge.as_ref()
    }

    /// What other nodes say in a channel is heard from now on.
    pub fn listening(&self, channel: &Channel) {
        self.tell(channel, Request::Listening);
    }

    /// Something that other nodes committed may not have reached the room: it looks into the journal.
    pub fn missed(&self, channel: &Channel) {
        if self.misses.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.clone())
            && !self.rooms.must_send_if_there(channel, Request::Missed)
        {
            self.looks(channel);
        }
    }

    /// The room has heard that it missed something.
    pub(super) fn looks(&self, channel: &Channel) {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }

    /// All hubs have started: rooms may.
    pub fn open(&self, workers: Vec<Worker>) {
        if self.workers.set(workers).is_err() {
            log::error!("the house was opened twice; the first workers stay");
        }
    }

    /// Who hears from now on that somebody has come into a channel. The first one stays.
    pub fn show_to(&self, audience: Arc<dyn Audience>) {
        self.audience.set(audience).ok();
    }

    pub(super) fn entered(&self, channel: &Channel) {
        if let Some(audience) = self.audience.get() {
            audience.entered(channel);
        }
    }

    /// Whether a channel has a room at the moment.
    pub fn is_awake(&self, channel: &Channel) -> bool {
        self.rooms.is_there(channel)
    }

    /// Asks the room of `channel`, started if it sleeps.
    pub fn ask(self: &Arc<Self>, channel: &Channel, request: Request) -> Result<(), Busy> {
        let start = |life| self.start(channel, life);
        self.rooms.send(channel, request, start).map_err(|Full(_)| Busy)
    }

    /// A member is gone. Never refused: at most one for each that entered. False if the channel has no room.
    pub fn good_bye(&self, channel: &Channel, leave: Leave) -> bool {
        self.rooms.must_send_if_there(channel, Request::Leave(leave))
    }

    /// Forgets all that was said in a channel that has a history.
    pub async fn remove_history(&self, channel: &Channel) -> Result<(), Unavailable> {
        let Some(journal) = self.journal(channel) else { return Ok(()) };
        let removed = journal.remove(channel).await;
        // Even if it is not known whether it happened: what was to be removed is not shown from memory.
        self.tell(channel, Request::Removed);
        removed
    }

    /// Time for the room to look after itself. A room too full to hear it is not asleep.
    pub(super) fn tick(&self, channel: &Channel) {
        if let Err(Absent::Full(_)) = self.rooms.send_if_there(channel, Request::Tick) {
            let home = self.home(channel);
            self.must_tell(home, ToHub::WakeRoom { channel: channel.clone() });
        }
    }

    /// Tells the room something it asked for. Never refused, for the same reason.
    pub(super) fn tell(&self, channel: &Channel, request: Request) {
        self.rooms.must_send_if_there(channel, request);
    }

    /// Everybody in the channel, on all nodes.
    pub async fn presence(&self, channel: &Channel) -> Result<PresenceResult, NoAnswer> {
        let mut present: PresenceResult = self.question(channel, Request::Presence).await?;
        if let Some(bridge) = &self.bridge {
            let elsewhere = bridge.who(channel).await.ok_or(NoAnswer::OfOthers)?;
            let elsewhere = elsewhere.into_iter().map(|it| (it.info.client.clone(), it.info));
            // One that hopped is here, whatever is written down.
            let here = std::mem::replace(&mut present, elsewhere.collect());
            present.extend(here);
        }
        Ok(present)
    }

    /// How many are in the channel, on all nodes.
    pub async fn presence_stats(&self, channel: &Channel) -> Result<PresenceStats, NoAnswer> {
        if self.bridge.is_none() {
            return Ok(self.question(channel, Request::PresenceStats).await?);
        }
        let present = self.presence(channel).await?;
        let users: HashSet<&str> = present.values().map(|info| info.user.as_str()).collect();
        Ok(PresenceStats { clients: present.len() as u32, users: users.len() as u32 })
    }

    /// These clients are written down in Redis as members of the channel on this node: it is for the room to put
    /// that right. Without a room nobody is here.
    pub fn written(&self, channel: &Channel, clients: HashSet<String>) {
        let Some(bridge) = self.bridge.as_ref() else { return };
        match self.rooms.send_if_there(channel, Request::Written(clients)) {
            Ok(()) => {}
            Err(Absent::NotThere(Request::Written(gone))) => {
                gone.iter().for_each(|client| bridge.leave(channel, client));
            }
            // Too full to hear it: all is compared again.
            Err(_) => bridge.compare(),
        }
    }

    /// How many connections are in the channel, whether they show up in presence or not.
    pub async fn members(&self, channel: &Channel) -> Result<u32, Busy> {
        self.question(channel, Request::Members).await
    }

    async fn question<T: Default>(
        &self,
        channel: &Channel,
        ask: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Request,
    ) -> Result<T, Busy> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        match self.rooms.send_if_there(channel, ask(answer)) {
            Ok(()) => answered.await.map_err(|_| Busy),
            Err(Absent::NotThere(_)) => Ok(T::default()),
            Err(Absent::Full(_)) => Err(Busy),
        }
    }

    /// Names of the channels that have a room at the moment.
    pub fn channels(&self) -> Vec<Channel> {
        self.rooms.names()
    }

    /// Requests that wait for rooms, all together.
    pub fn waiting(&self) -> usize {
        self.rooms.unheard()
    }

    /// A room has taken one.
    pub(super) fn heard(&self) {
        self.rooms.heard();
    }

    /// Publications on their way to the journals.
    pub fn appending(&self) -> usize {
        self.journals.durable.under_way() + self.journals.memory.under_way()
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// The journal of a channel; none if nothing of it is kept.
    pub fn journal(&self, channel: &Channel) -> Option<&JournalHandle> {
        match self.rules(channel).storage {
            Storage::None => None,
            Storage::Memory => Some(&self.journals.memory),
            Storage::Durable => Some(&self.journals.durable),
        }
    }

    pub(super) fn rules(&self, channel: &Channel) -> Rules {
        (self.rules_of)(channel)
    }

    /// Worker threads.
    pub fn workers(&self) -> &[Worker] {
        self.workers.get().map_or(&[], |workers| workers)
    }

    /// Something that a hub has to hear whatever its mailbox holds: entering, leaving, answers to both.
    /// Their number is bounded by that of the connections.
    pub(super) fn must_tell(&self, worker: WorkerIndex, message: ToHub) {
        if let Some(worker) = self.workers().get(worker) {
            worker.must_give(message);
        }
    }

    /// A delivery; false if the hub's mailbox is full.
    pub(super) fn deliver(&self, worker: WorkerIndex, message: ToHub) -> bool {
        self.workers().get(worker).is_none_or(|worker| worker.give(message))
    }

    pub(super) fn closing(&self, channel: &Channel, life: Life) -> bool {
        self.rooms.closing(channel, life)
    }

    pub(super) fn keep(&self, channel: &Channel, life: Life) {
        self.rooms.keep(channel, life);
    }

    pub(super) fn gone(self: &Arc<Self>, channel: &Channel, life: Life) {
        self.rooms.gone(channel, life, |life| self.start(channel, life));
    }

    /// The worker thread on which the room of that channel lives.
    fn home(&self, channel: &Channel) -> WorkerIndex {
        self.rooms.spread(channel) % self.workers().len().max(1)
    }

    fn start(self: &Arc<Self>, channel: &Channel, life: Life) -> Addr<Room> {
        let (workers, home) = (self.workers(), self.home(channel));
        let (house, channel) = (self.clone(), channel.clone());
        supervisor::start("room", super::actor::MAILBOX, &workers[home].arbiter, move |ctx| {
            Room::new(house, channel, life, home, ctx)
        })
    }
}
