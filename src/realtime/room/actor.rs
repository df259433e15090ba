//! One channel on this node: who is in it, where it stands, what goes to whom.

use std::{sync::Arc, time::Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, Supervised};

use super::{
    broadcast::Broadcast,
    catch_up::{self, Gap},
    door::{Door, Verdict},
    house::{House, Rules},
    hub::{Census, Enter, ToHub},
    people::People,
    request::{Asked, End, Leave, PageRead, Publish, Request, Subscribe, unnumbered},
    ring::Ring,
    seat::WorkerIndex,
};
use crate::{
    fail_point,
    ids::Channel,
    protocol::{
        Position, Publication,
        push::Event,
        refusal::Refusal,
        reply::{RecoveredPublication, SubscribeResult},
    },
    realtime::{
        directory::Life,
        journal::{
            Append, Appended, Direction, Page, Range, Unavailable,
            writer::{Committed, JournalHandle},
        },
        namespace::Storage,
    },
};

/// Requests that a room takes before it says "try again". A room of 10,000 that all come back at once fits.
const MAILBOX: usize = 32 * 1024;

/// What one page to fill a gap may hold.
const PAGE: Range = Range { direction: Direction::After(0), limit: 1000, max_bytes: 1024 * 1024 };

/// The actor.
pub struct Room {
    house: Arc<House>,
    channel: Channel,
    life: Life,
    home: WorkerIndex,
    rules: Rules,
    told: Recipient<Committed>,
    people: People,
    door: Door,
    ring: Ring,
    /// Up to where the hubs were given everything.
    delivered: Option<Position>,
    /// Members that come in once the room knows where it stands, or what they missed.
    waiting: Vec<Box<Subscribe>>,
    /// A page is being read.
    reading: Option<Asked>,
    tickets: u64,
    appends_under_way: usize,
    /// Something was published since the last tick.
    busy: bool,
    /// A hub refused a delivery: compare positions at the next tick.
    compare: bool,
    closing: bool,
}

impl Room {
    pub(super) fn new(
        house: Arc<House>,
        channel: Channel,
        life: Life,
        home: WorkerIndex,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(MAILBOX);
        Self {
            rules: house.rules(&channel),
            ring: Ring::new(house.ring_bytes),
            told: ctx.address().recipient(),
            house,
            channel,
            life,
            home,
            people: People::default(),
            door: Door::default(),
            delivered: None,
            waiting: Vec::new(),
            reading: None,
            tickets: 0,
            appends_under_way: 0,
            busy: false,
            compare: false,
            closing: false,
        }
    }

    fn journal(&self) -> Option<&JournalHandle> {
        self.house.journal(&self.channel)
    }

    // Publishing: down to the journal, and up again through the door.

    fn publish(&mut self, publish: Publish) {
        self.busy = true;
        let Publish { publication, key, version, skip_history, answer } = publish;
        let Some(journal) = self.journal().filter(|_| !skip_history) else {
            answer.give(Ok(unnumbered()));
            self.fan_out(publication, Instant::now());
            return;
        };
        let append = Append { channel: self.channel.clone(), publication, key, version };
        if journal.append(append, answer, self.told.clone()).is_ok() {
            self.appends_under_way += 1;
        }
    }

    fn committed(&mut self, committed: Committed, ctx: &mut Context<Self>) {
        self.appends_under_way = self.appends_under_way.saturating_sub(1);
        let Ok(Appended::New(position)) = committed.result else { return };
        let publication = Arc::new(Publication {
            offset: position.offset,
            ..Arc::unwrap_or_clone(committed.publication)
        });
        let verdict = self.door.arrive(&position.epoch, position.offset, Some(publication));
        self.follow(verdict, ctx);
    }

    fn follow(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Deliver(next) => {
                fail_point!("room.handed_over");
                let since = Instant::now();
                for publication in next {
                    self.fan_out(publication, since);
                }
                if self.door.is_behind() {
                    self.read(Asked::Gap, ctx);
                }
            }
            Verdict::Read => self.read(Asked::Gap, ctx),
            Verdict::NewHistory => {
                self.ring.clear();
                self.delivered = None;
                for worker in self.people.workers() {
                    let channel = self.channel.clone();
                    self.house.must_tell(worker, ToHub::Expel { channel });
                }
                self.read(Asked::Top, ctx);
            }
        }
    }

    fn fan_out(&mut self, publication: Arc<Publication>, since: Instant) {
        let numbered = publication.offset > 0;
        let epoch = match self.door.at() {
            Some(at) => at.epoch.clone(),
            None => House::no_epoch(),
        };
        let offset = publication.offset;
        let previous = self.ring.last().filter(|b| b.publication.offset + 1 == offset);
        let broadcast = Arc::new(Broadcast::new(
            self.channel.clone(),
            publication,
            &epoch,
            previous.map(|b| &*b.publication),
            since,
        ));
        for worker in self.people.workers() {
            let taken = self.house.deliver(worker, ToHub::Deliver(broadcast.clone()));
            self.compare |= !taken;
        }
        if numbered {
            self.ring.push(broadcast);
            self.delivered = Some(Position { epoch, offset });
        }
    }

    // Entering and leaving.

    fn subscribe(&mut self, ask: Box<Subscribe>, ctx: &mut Context<Self>) {
        if self.rules.storage == Storage::None {
            self.let_in(*ask, None, Vec::new(), false);
        } else {
            self.waiting.push(ask);
            self.attend(ctx);
        }
    }

    /// Lets in whoever can be answered now, and reads what the first of the others needs.
    fn attend(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.door.at().cloned() else {
            self.read(Asked::Top, ctx);
            return;
        };
        let mut asking = Vec::new();
        for ask in std::mem::take(&mut self.waiting) {
            let mut ask = ask;
            if self.rules.cache && ask.wishes.recoverable {
                ask.recover = catch_up::before_last(&at, ask.recover.take());
            }
            let gap = match &ask.recover {
                None => {
                    self.let_in(*ask, Some(at.clone()), Vec::new(), false);
                    continue;
                }
                Some(stood) => catch_up::look(&at, &self.ring, stood, self.house.recovery),
            };
            match gap {
                Gap::Ask(_) => asking.push(ask),
                known => self.answer(*ask, known),
            }
        }
        self.waiting = asking;
        if !self.waiting.is_empty() {
            self.tickets += 1;
            self.read(Asked::Missed(self.tickets), ctx);
        }
    }

    fn answer(&mut self, ask: Subscribe, gap: Gap) {
        match gap {
            Gap::Whole { missed, top } => self.let_in(ask, Some(top), missed, true),
            Gap::TooWide { top, from_nowhere } => {
                if from_nowhere {
                    self.house.metrics.positions_from_nowhere_total.inc();
                }
                self.house.metrics.recovered_total.of("not_recovered").inc();
                if ask.else_refuse {
                    self.refuse(&ask, Refusal::UNRECOVERABLE_POSITION);
                } else {
                    self.let_in(ask, Some(top), Vec::new(), false);
                }
            }
            Gap::Ask(_) => self.refuse(&ask, Refusal::INTERNAL),
        }
    }

    fn let_in(
        &mut self,
        ask: Subscribe,
        at: Option<Position>,
        missed: Vec<Arc<Publication>>,
        recovered: bool,
    ) {
        let Subscribe { who, wishes, recover, data, ttl, command, .. } = ask;
        if recovered {
            self.house.metrics.recovered_total.of("whole").inc();
        }
        let at = at.unwrap_or_default();
        let stood = recover.as_ref().map_or(at.offset, |stood| stood.offset);
        let positioned = wishes.positioned && self.rules.storage != Storage::None;
        let recoverable = wishes.recoverable && self.rules.storage != Storage::None;
        let result = SubscribeResult {
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            recoverable,
            positioned,
            offset: if recovered { stood } else { at.offset },
            epoch: at.epoch,
            publications: recovered_forms(missed, wishes.delta),
            recovered,
            was_recovering: recover.is_some(),
            data,
            delta: wishes.delta,
        };
        self.people.enter(&who, wishes.announced);
        let (worker, info, announced) = (who.seat.worker(), who.info.clone(), wishes.announced);
        let enter = Enter {
            channel: self.channel.clone(),
            who,
            wishes,
            position: at.offset,
            result,
            command,
        };
        self.house.must_tell(worker, ToHub::Enter(Box::new(enter)));
        if announced.join_leave {
            self.announce(Event::Join(info));
        }
    }

    fn refuse(&self, ask: &Subscribe, refusal: Refusal) {
        let message = ToHub::Refuse {
            channel: self.channel.clone(),
            seat: ask.who.seat,
            number: ask.who.number,
            refusal,
        };
        self.house.must_tell(ask.who.seat.worker(), message);
    }

    fn leave(&mut self, leave: Leave) {
        self.waiting.retain(|ask| ask.who.seat != leave.seat || ask.who.number != leave.number);
        let left = self.people.leave(leave.seat, leave.number);
        let worker = leave.seat.worker();
        self.house.must_tell(worker, ToHub::Leave { channel: self.channel.clone(), leave });
        if let Some((info, announced)) = left
            && announced.join_leave
        {
            self.announce(Event::Leave(info));
        }
    }

    fn announce(&self, event: Event) {
        for worker in self.people.workers() {
            let (channel, event) = (self.channel.clone(), event.clone());
            self.house.deliver(worker, ToHub::Announce { channel, event });
        }
    }

    fn recount(&mut self, census: Census) {
        self.people.recount(census.worker, &census.members);
        if let Some(top) = self.delivered.as_ref().map(|at| at.offset) {
            // Twice: what is missing now stays missing, since deliveries come in the same queue.
            for _ in 0..2 {
                let channel = self.channel.clone();
                self.house.must_tell(census.worker, ToHub::Stand { channel, top });
            }
        }
    }

    // Reading: one page at a time, in a task that outlives a restart of the room.

    fn read(&mut self, asked: Asked, ctx: &mut Context<Self>) {
        if self.reading.is_some() {
            return;
        }
        let Some(journal) = self.journal().cloned() else { return };
        self.reading = Some(asked);
        let range = match asked {
            Asked::Top => Range { limit: 0, ..PAGE },
            Asked::Gap => {
                let after = self.door.at().map_or(0, |at| at.offset);
                Range { direction: Direction::After(after), ..PAGE }
            }
            Asked::Missed(_) => self.missed_range(),
        };
        let (channel, room) = (self.channel.clone(), ctx.address());
        actix_rt::spawn(async move {
            let page = journal.read(&channel, range).await;
            // One at a time.
            #[allow(clippy::disallowed_methods)]
            room.do_send(PageRead { asked, page });
        });
    }

    /// From the one who missed most: its page warms the ring for the others.
    fn missed_range(&self) -> Range {
        let limits = self.house.recovery;
        let oldest = self.waiting.iter().filter_map(|ask| ask.recover.as_ref()).map(|at| at.offset);
        Range {
            direction: Direction::After(oldest.min().unwrap_or_default()),
            limit: limits.publications + 1,
            max_bytes: limits.bytes + 1,
        }
    }

    fn page_read(&mut self, read: PageRead, ctx: &mut Context<Self>) {
        self.reading = None;
        let page = match read.page {
            Ok(page) => page,
            Err(Unavailable(why)) => {
                log::warn!("a room could not read its journal: {why}");
                for ask in std::mem::take(&mut self.waiting) {
                    self.house.metrics.recovered_total.of("unknown").inc();
                    self.refuse(
                        &ask,
                        Refusal::INTERNAL.because("the journal can't be read; try again"),
                    );
                }
                return;
            }
        };
        match read.asked {
            Asked::Top | Asked::Gap => {
                let verdict = self.door.page(&page);
                if self.delivered.is_none() {
                    self.delivered = self.door.at().cloned();
                }
                self.follow(verdict, ctx);
            }
            Asked::Missed(_) => self.merge(&page),
        }
        self.attend(ctx);
    }

    /// Answers everybody whom this page serves.
    fn merge(&mut self, page: &Page) {
        let Some(at) = self.door.at().cloned() else { return };
        self.ring.warm(&at, page, &self.channel);
        let from = page.publications.first().map_or(page.top + 1, |p| p.offset);
        for ask in std::mem::take(&mut self.waiting) {
            let served = ask
                .recover
                .as_ref()
                .filter(|stood| stood.offset + 1 <= from || stood.offset >= page.top);
            match served {
                None => self.waiting.push(ask),
                Some(stood) => {
                    let gap = catch_up::merge(&at, &self.ring, stood, page, self.house.recovery);
                    self.answer(*ask, gap);
                }
            }
        }
    }

    // Going to sleep.

    fn is_idle(&self) -> bool {
        self.people.is_empty()
            && self.waiting.is_empty()
            && self.appends_under_way == 0
            && self.reading.is_none()
    }

    fn wake_later(&self) {
        self.house.must_tell(self.home, ToHub::WakeRoom { channel: self.channel.clone() });
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let was_busy = std::mem::take(&mut self.busy);
        if !was_busy {
            self.ring.clear();
        }
        if self.is_idle() && !was_busy && self.house.closing(&self.channel, self.life) {
            self.closing = true;
            fail_point!("room.closing");
            ctx.notify(End);
            return;
        }
        if let Some(top) = self.delivered.as_ref().map(|at| at.offset) {
            let words = if std::mem::take(&mut self.compare) { 2 } else { 1 };
            for worker in self.people.workers() {
                for _ in 0..words {
                    let channel = self.channel.clone();
                    self.house.must_tell(worker, ToHub::Stand { channel, top });
                }
            }
        }
        self.wake_later();
    }
}

/// To a member that understands deltas the first goes whole and each further one as a delta.
fn recovered_forms(missed: Vec<Arc<Publication>>, delta: bool) -> Vec<RecoveredPublication> {
    let mut previous: Option<Arc<Publication>> = None;
    missed
        .into_iter()
        .map(|publication| {
            let before = previous.replace(publication.clone());
            let delta = before.filter(|_| delta && publication.delta).and_then(|before| {
                crate::protocol::delta::fossil(before.data.bytes(), publication.data.bytes())
            });
            RecoveredPublication { publication, delta }
        })
        .collect()
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wake_later();
        if self.rules.storage != Storage::None {
            self.read(Asked::Top, ctx);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.house.gone(&self.channel, self.life);
    }
}

impl Supervised for Room {
    /// Its people come from the hubs; it goes on from what the hubs were given last.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.people = People::default();
        self.ring.clear();
        self.door = Door::standing(self.delivered.clone());
        self.reading = None;
        self.appends_under_way = 0;
        for worker in 0..self.house.workers().len() {
            let channel = self.channel.clone();
            self.house.must_tell(worker, ToHub::Count { channel });
        }
        if self.closing {
            ctx.notify(End);
        }
        self.wake_later();
        if self.rules.storage != Storage::None {
            let asked = if self.delivered.is_some() { Asked::Gap } else { Asked::Top };
            self.read(asked, ctx);
        }
    }
}

impl Handler<Request> for Room {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        match request {
            Request::Subscribe(ask) => self.subscribe(ask, ctx),
            Request::Leave(leave) => self.leave(leave),
            Request::Publish(publish) => self.publish(*publish),
            // Who asks may have gone away meanwhile.
            Request::Presence(answer) => drop(answer.send(self.people.presence())),
            Request::PresenceStats(answer) => drop(answer.send(self.people.stats())),
            Request::Census(census) => self.recount(census),
            Request::Tick => self.tick(ctx),
        }
    }
}

impl Handler<Committed> for Room {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        self.committed(committed, ctx);
    }
}

impl Handler<PageRead> for Room {
    type Result = ();

    fn handle(&mut self, read: PageRead, ctx: &mut Self::Context) {
        self.page_read(read, ctx);
    }
}

impl Handler<End> for Room {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        self.closing = false;
        if self.is_idle() && !self.busy {
            ctx.stop();
        } else {
            self.house.keep(&self.channel, self.life);
            self.wake_later();
        }
    }
}
