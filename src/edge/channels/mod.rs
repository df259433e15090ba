//! What people's open dashboards are told without asking: prices in `prices:<token id>`, and in `dashboard:#<user>` their own
//! holdings, forecasts and strategies.
//!
//! Each node computes for its own members and delivers to them alone, and only what somebody watches. Whoever comes in
//! is told how things stand; from then on a part is told when it has changed, at most once a second.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix::ArbiterHandle;
use futures_util::{FutureExt, StreamExt, stream};

mod parts;
mod tickers;
mod watched;

use parts::{Kind, part};
use tickers::Tickers;
use watched::Watched;

use crate::{
    domain::{
        moment::Moment,
        portfolio::token::PriceBoard,
        reading::{Reading, Which},
    },
    fail_point_async,
    ids::{Channel, UserId},
    platform::metrics::Metrics,
    protocol::{Payload, Publication},
    realtime::{
        bridge::Arrived,
        namespace::{DASHBOARD, Namespaces, PRICES},
        room::{audience::Audience, house::House},
    },
    supervisor::turns::{self, Work},
};

/// How often it looks who has come in.
const TURN: Duration = Duration::from_millis(100);

/// How often it looks what has changed, and how often a part is told at most.
const PACE: Duration = Duration::from_secs(1);

/// People whose parts are computed at the same time.
const TOGETHER: usize = 32;

/// How often a panic is complained of, whoever's data it is about.
const COMPLAINS: Duration = Duration::from_secs(30);

/// What the work needs.
pub struct Sources {
    pub reading: Arc<Reading>,
    /// The last known prices.
    pub prices: Box<dyn Fn() -> Arc<PriceBoard> + Send + Sync>,
    /// Hears with each look who watches.
    pub watches: Box<dyn Fn(&UserId) + Send + Sync>,
    pub house: Arc<House>,
    pub namespaces: Arc<Namespaces>,
    pub metrics: Arc<Metrics>,
}

/// Channels into which somebody came since the last turn: at most one entry a room.
struct Doorbell {
    namespaces: Arc<Namespaces>,
    rung: Mutex<HashSet<Channel>>,
}

impl Audience for Doorbell {
    fn entered(&self, channel: &Channel) {
        let Ok(namespace) = self.namespaces.resolve(channel) else { return };
        if namespace.name == PRICES || namespace.name == DASHBOARD {
            self.rung.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.clone());
        }
    }
}

/// The work of telling: who watches what, and what they were told.
pub struct Screens {
    sources: Sources,
    doorbell: Arc<Doorbell>,
    tickers: Tickers,
    watched: HashMap<Channel, Watched>,
    looked: Instant,
    /// Of the prices that were applied last.
    version: i64,
    /// When a panic was complained of last.
    complained: Option<Instant>,
}

impl Screens {
    /// Starts on a thread, and hears from the house who comes in.
    pub fn start(sources: Sources, arbiter: &ArbiterHandle) {
        let doorbell =
            Arc::new(Doorbell { namespaces: sources.namespaces.clone(), rung: Mutex::default() });
        sources.house.show_to(doorbell.clone());
        turns::start(arbiter, move || Self {
            sources,
            doorbell,
            tickers: Tickers::default(),
            watched: HashMap::new(),
            looked: Instant::now(),
            version: 0,
            complained: None,
        });
    }

    async fn work(&mut self) {
        let now = Instant::now();
        let rung = {
            let mut rung = self.doorbell.rung.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *rung)
        };
        for channel in rung {
            self.came(channel);
        }
        let board = (self.sources.prices)();
        self.tell_prices(&board);
        // A new price is told as soon as it is known here; what people write, with the next look.
        if board.version != self.version || now.duration_since(self.looked) >= PACE {
            self.looked = now;
            self.look(&board).await;
        }
        self.tell_people(&board, now).await;
    }

    fn came(&mut self, channel: Channel) {
        let namespaces = &self.sources.namespaces;
        match namespaces.resolve(&channel) {
            Ok(namespace) if namespace.name == PRICES => {
                let token = namespaces.within(&channel).parse();
                token.into_iter().for_each(|token| self.tickers.watch(token, channel.clone()));
            }
            Ok(namespace) if namespace.name == DASHBOARD => {
                let Some(user) = namespaces.user_of(&channel) else { return };
                self.watched.entry(channel).or_insert_with(|| Watched::new(user)).came();
            }
            _ => {}
        }
    }

    fn tell_prices(&mut self, board: &PriceBoard) {
        let house = self.sources.house.clone();
        for (channel, price) in self.tickers.news(board, |channel| house.is_awake(channel)) {
            self.sources.say(channel, &price);
            self.sources.metrics.screens_told_total.of("price").inc();
        }
        self.sources.metrics.watched_prices.set(self.tickers.len() as i64);
    }

    /// Forgets who is gone, and learns whose data or prices have changed.
    async fn look(&mut self, board: &PriceBoard) {
        let house = &self.sources.house;
        self.watched.retain(|channel, _| house.is_awake(channel));
        self.sources.metrics.watched_dashboards.set(self.watched.len() as i64);
        if std::mem::replace(&mut self.version, board.version) != board.version {
            self.watched.values_mut().for_each(Watched::prices_changed);
        }
        let at = Moment::now();
        self.watched.values_mut().for_each(|watched| watched.time_passes(at));
        self.watched.values().for_each(|watched| (self.sources.watches)(&watched.user));
        // One question for all of them.
        let reading = &self.sources.reading;
        let asked = self.watched.values_mut().map(|watched| async move {
            match reading.present(&watched.user).await {
                Ok(present) => watched.stands(present),
                Err(why) => log::debug!("how somebody's data stands is not known: {why}"),
            }
        });
        futures_util::future::join_all(asked).await;
    }

    async fn tell_people(&mut self, board: &PriceBoard, now: Instant) {
        let (sources, fallen) = (&self.sources, &Cell::new(false));
        let due = self.watched.iter_mut().filter_map(|(channel, watched)| {
            let kinds = watched.due(now, PACE);
            (!kinds.is_empty()).then_some((channel, watched, kinds))
        });
        stream::iter(due)
            .for_each_concurrent(TOGETHER, |(channel, watched, kinds)| async move {
                let tell = sources.tell(channel, watched, &kinds, board);
                // One person's broken data holds up nobody else.
                if AssertUnwindSafe(tell).catch_unwind().await.is_err() {
                    watched.fell(&kinds, Instant::now());
                    fallen.set(true);
                }
            })
            .await;
        let is_new = |at: Instant| now.duration_since(at) >= COMPLAINS;
        if fallen.get() && self.complained.is_none_or(is_new) {
            self.complained = Some(now);
            log::error!("what somebody's dashboard shows could not be computed: it panicked");
        }
    }
}

impl Work for Screens {
    const NAME: &'static str = "screens";

    fn first(&self) -> Duration {
        TURN
    }

    async fn turn(&mut self) -> Duration {
        self.work().await;
        TURN
    }
}

impl Sources {
    async fn tell(
        &self,
        channel: &Channel,
        watched: &mut Watched,
        kinds: &[Kind],
        board: &PriceBoard,
    ) {
        let wanted: Vec<Which> = kinds.iter().flat_map(|kind| kind.needs()).copied().collect();
        let read = async {
            let present = match watched.present() {
                Some(present) => present,
                None => {
                    let present = self.reading.present(&watched.user).await?;
                    watched.stands(present);
                    present
                }
            };
            self.reading.view_apart(&watched.user, &wanted, present).await
        };
        let view = match read.await {
            Ok(view) => view,
            // It stays due.
            Err(why) => {
                watched.fell(kinds, Instant::now());
                return log::debug!("what a dashboard shows can't be read: {why}");
            }
        };
        fail_point_async!("screens.read");
        // Reading took its time: the next message is counted from this one.
        let (at, now) = (Moment::now(), Instant::now());
        for kind in kinds {
            if let Some(why) = view.lacks(kind.needs()) {
                log::debug!("a part of a dashboard can't be read: {why}");
                watched.fell(&[*kind], now);
                continue;
            }
            match part(*kind, &view, board, at) {
                Ok((part, print)) => {
                    if *kind == Kind::Holdings {
                        let tokens = view.holdings().iter().map(|holding| holding.token.id);
                        watched.holds_until(board.next_stale(tokens, at));
                    }
                    if watched.tells(*kind, print, now) {
                        self.say(channel, &part);
                        self.metrics.screens_told_total.of(kind.name()).inc();
                    }
                }
                // It will be no other before something changes.
                Err(why) => {
                    watched.tells(*kind, 0, now);
                    log::debug!("a part of a dashboard can't be computed: {why}");
                }
            }
        }
    }

    /// To the members on this node. The others have their own.
    fn say(&self, channel: &Channel, what: &impl serde::Serialize) {
        let Ok(json) = serde_json::to_vec(what) else { return };
        let publication = Publication {
            data: Payload::json(json.into()),
            info: None,
            offset: 0,
            tags: Default::default(),
            delta: false,
        };
        let said = Arrived::Said { publication: Arc::new(publication), keep: true };
        self.house.arrived(channel, said);
    }
}
