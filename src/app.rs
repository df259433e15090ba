//! The only place where parts meet: settings, stores, actors, listeners; and backwards, the shutdown.

use std::{
    fmt, io,
    net::TcpListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Arbiter, System};
use tokio::time::{sleep, timeout};

use crate::{
    domain::store::Store,
    edge::{
        address::Proxies,
        api,
        backend::NodeBackend,
        identity::{ApiKeys, Origins},
        limits::{Gate, Limits},
        listener::{self, Listening},
        ops, portfolio,
        socket::Door,
    },
    fail_point,
    ids::NodeId,
    platform::{
        metrics::{Labels, Metrics},
        settings::{RecoveryMode, Settings},
        tokens::Verifier,
        watchdog::{self, Pulse},
    },
    protocol::{Close, Refusal},
    realtime::{
        barred::{BarStore, Barred},
        bridge::BridgeHandle,
        journal::{
            memory::MemoryJournal,
            sqlite::Alongside,
            writer::{JournalHandle, Observer},
        },
        namespace::{Namespaces, Storage},
        rates::Rates,
        room::{
            self,
            house::{House, Journals, Rules, Worker},
            hub::{self, Hub},
            roster::Roster,
        },
        session::{
            self, Accepted,
            elsewhere::Elsewhere,
            host::{Host, Node},
            user::Users,
        },
    },
    supervisor,
    work::{feed::FeedHandle, keys::Forgetting, retention::Retention},
};

mod bridge;
mod caches;
mod cluster;
mod ears;
mod forecasts;
mod journals;
mod prices;
mod signals;
mod telling;

use journals::Stores;
use signals::Signals;
use telling::tell;

/// How long a request's head may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Where the node listens. Bound by the caller, so that a test can take free ports.
pub struct Listeners {
    pub public: TcpListener,
    pub operator: Option<TcpListener>,
}

/// Why a node could not start, or ended badly.
#[derive(Debug)]
pub struct Failed {
    /// What was expected, what came and what to do.
    pub why: String,
    /// A store is set so that it can't keep its promise: starting again won't help.
    pub unfit: bool,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Failed {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), unfit: false }
    }

    fn to(doing: &str) -> impl FnOnce(io::Error) -> Self {
        move |why| Self::because(format!("could not {doing}: {why}"))
    }
}

/// Runs a node until a signal ends it. `started` is called once, when it takes connections.
pub fn run(settings: Settings, listeners: Listeners, started: impl FnOnce()) -> Result<(), Failed> {
    System::new().block_on(async move {
        let house = Parts::assemble(settings)?;
        house.serve(listeners, started).await
    })
}

/// Everything that is alive between start and shutdown.
struct Parts {
    node: Arc<Node>,
    gate: Arc<Gate>,
    id: NodeId,
    workers: usize,
    journals: Vec<JournalHandle>,
    /// Through Redis, if there is one.
    bridge: Option<BridgeHandle>,
    /// Present if other nodes may share the journal.
    feed: Option<FeedHandle>,
    bars: Arc<dyn BarStore>,
    portfolios: Arc<Store>,
    alongside: Option<Alongside>,
    /// The thread of the journal writers; joined with the process.
    journal_thread: Arbiter,
}

impl Parts {
    fn assemble(settings: Settings) -> Result<Self, Failed> {
        let settings = Arc::new(settings);
        let workers = match settings.http_server.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        };
        let metrics = metrics(workers)?;
        let client = &settings.client;
        let namespaces = Arc::new(Namespaces::new(
            &settings.channel,
            &client.subscribe_to_user_personal_channel,
        ));
        let bad_keys = |bad: crate::platform::tokens::BadKeys| {
            Failed::because(format!("{}: expected {}", bad.setting, bad.expected))
        };
        let retention = namespaces.retention_of();
        let Stores { journal: kept, bars, portfolios, alongside } =
            journals::open(&settings, retention.clone(), &metrics)?;
        let thread = Arbiter::new();
        let in_memory = Arc::new(MemoryJournal::new(retention));
        let durable = JournalHandle::start(kept, &thread.handle(), journals::observer(&metrics));
        let memory = JournalHandle::start(in_memory, &thread.handle(), Observer::default());
        for journal in [&durable, &memory] {
            Retention::start(journal, &thread.handle());
        }
        Forgetting::start(&portfolios, &thread.handle());
        let id = NodeId::new();
        let bridge = bridge::start(&settings, id, &metrics)?;
        let rules = namespaces.clone();
        let house = House::new(
            Box::new(move |channel| rules_of(&rules, channel)),
            Journals { durable: durable.clone(), memory: memory.clone() },
            bridge.clone(),
            metrics.clone(),
            room::Limits {
                publications: client.recovery_max_publication_limit,
                bytes: client.recovery_max_size.bytes(),
            },
            settings.journal.ring_size.bytes(),
        );
        let limits =
            Limits { connections: client.connection_limit, handshakes: client.handshake_limit };
        let gate = Gate::new(limits, metrics.clone());
        let elsewhere = bridge.clone().map(|bridge| Elsewhere::new(bridge, metrics.clone()));
        let node = Arc::new(Node {
            connections: Verifier::new(&client.token).map_err(bad_keys)?,
            subscriptions: Verifier::new(settings.subscription_token_keys()).map_err(bad_keys)?,
            users: Users::new(client.user_connection_limit, elsewhere),
            rates: Rates::new(&client.rate_limit, bridge.clone(), metrics.clone()),
            namespaces,
            barred: Barred::default(),
            house,
            metrics,
            recovering: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            settings,
        });
        Ok(Self {
            node,
            gate,
            id,
            workers,
            journals: vec![durable, memory],
            bridge,
            feed: None,
            bars,
            portfolios,
            alongside,
            journal_thread: thread,
        })
    }

    async fn serve(mut self, listeners: Listeners, started: impl FnOnce()) -> Result<(), Failed> {
        let mut signals = Signals::listen().map_err(Failed::to("listen for signals"))?;
        // Before any room is opened: what is committed from here on is in the feed, what was before in the journal.
        self.meet().await?;
        actix::spawn(self.node.users.clone().keep_counting());
        let draining = Arc::new(AtomicBool::new(false));
        let operator = match listeners.operator {
            None => None,
            Some(listener) => {
                let told = self.told(draining.clone());
                let server = ops::run(listener, told).map_err(Failed::to("serve the operators"))?;
                let handle = server.handle();
                actix::spawn(server);
                Some(handle)
            }
        };
        let desk = caches::desk(&self)?;
        let public =
            self.listen(listeners.public, desk).map_err(Failed::to("serve the public port"))?;
        let handle = public.handle();
        let public = actix::spawn(public);
        let everybody_is_in = async {
            while self.node.house.workers().len() < self.workers {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let failed = "not all worker threads have started in 10 s";
        timeout(Duration::from_secs(10), everybody_is_in)
            .await
            .map_err(|_| Failed::because(failed))?;
        started();
        let why = signals.next().await;
        log::info!("{why}: draining {} connections", self.gate.connections());
        draining.store(true, Ordering::Relaxed);
        let settings = &self.node.settings.shutdown;
        let whole = tokio::select! {
            drained = timeout(settings.deadline, self.drain()) => drained.is_ok(),
            again = signals.next() => {
                log::warn!("{again} again: not waiting any longer");
                false
            }
        };
        if !whole {
            log::warn!("{} connections were not closed in time", self.gate.connections());
        }
        if let Some(feed) = &self.feed {
            feed.leave().await;
        }
        for journal in &self.journals {
            if let Err(why) = journal.flush(settings.deadline).await {
                log::warn!("{}", why.0);
            }
        }
        // Last: its threads carry rooms and hubs.
        handle.stop(false).await;
        drop(public.await);
        if let Some(operator) = operator {
            operator.stop(false).await;
        }
        log::info!("stopped");
        Ok(())
    }

    /// The public port. Each worker thread starts its hub before it takes a connection; the last one
    /// opens the house.
    fn listen(
        &self,
        listener: TcpListener,
        desk: Arc<portfolio::Desk>,
    ) -> io::Result<actix_server::Server> {
        let client = &self.node.settings.client;
        let door = Door {
            origins: Origins::new(&client.allowed_origins),
            proxies: Proxies::new(&self.node.settings.http_server.trusted_proxies),
            gate: self.gate.clone(),
            metrics: self.node.metrics.clone(),
        };
        let keys = &self.node.settings.http_api;
        let api = Arc::new(api::Api {
            options: api::Options {
                keys: match keys.insecure {
                    true => ApiKeys::Anyone,
                    false => ApiKeys::Holders(
                        keys.all_keys().map(|key| key.expose().to_string()).collect(),
                    ),
                },
                body_limit: 10 * self.node.settings.websocket.message_size_limit,
                channel_max_length: self.node.settings.channel.max_length,
                timeout: Duration::from_secs(10),
                transport_errors: false,
            },
            backend: Arc::new(NodeBackend::new(self.node.clone(), self.id, self.others())),
            metrics: self.node.metrics.clone(),
        });
        let pulses: Vec<Pulse> = (0..self.workers).map(|_| Pulse::default()).collect();
        watchdog::watch(pulses.clone())?;
        let (node, count) = (self.node.clone(), self.workers);
        let reported: Arc<Mutex<Vec<(usize, Worker)>>> = Arc::default();
        let on_worker_start =
            move |index: usize| -> futures_core::future::LocalBoxFuture<'static, _> {
                let roster = Roster::new(index);
                let arbiter = Arbiter::current();
                let host = Host::new(node.clone(), roster.clone());
                let house = node.house.clone();
                let hub = start_hub(house, roster);
                actix::spawn(tell(host.clone(), pulses[index].clone()));
                let mut all = reported.lock().unwrap_or_else(PoisonError::into_inner);
                all.push((index, Worker::new(hub, arbiter.clone())));
                if all.len() == count {
                    all.sort_by_key(|(index, _)| *index);
                    let workers: Vec<Worker> = all.drain(..).map(|(_, worker)| worker).collect();
                    node.users.open(workers.iter().map(|w| w.arbiter().clone()).collect());
                    node.house.open(workers);
                }
                let accept: crate::edge::socket::Accept = std::rc::Rc::new(move |accepted| {
                    let accepted = Accepted {
                        io: accepted.io,
                        leftover: accepted.leftover,
                        encoding: accepted.encoding,
                        native_ping: accepted.native_ping,
                        permit: accepted.permit,
                        handshake: Box::new(accepted.handshake),
                    };
                    session::start(&host, accepted);
                });
                Box::pin(std::future::ready(accept))
            };
        let listening = Listening {
            workers: self.workers,
            request_timeout: REQUEST_TIMEOUT,
            keep_alive: KEEP_ALIVE,
        };
        let configure = move |app: &mut actix_web::web::ServiceConfig| {
            api::routes(app, api.clone());
            portfolio::routes(app, desk.clone());
        };
        listener::run(listener, listening, Arc::new(door), configure, Arc::new(on_worker_start))
    }

    /// Nobody new comes in; who is in is told to come back elsewhere, some at a time.
    async fn drain(&self) {
        let settings = &self.node.settings.shutdown;
        self.gate.drain();
        sleep(settings.ready_delay).await;
        let batch = settings.batch_size.div_ceil(self.workers);
        while self.gate.connections() > 0 {
            for worker in self.node.house.workers() {
                // A hub that is too full to hear it hears the next one.
                worker.drain(batch);
                fail_point!("drain.half");
            }
            sleep(settings.batch_pause.mul_f64(0.5 + rand::random::<f64>())).await;
        }
    }
}

/// The hub of this thread.
fn start_hub(house: Arc<House>, roster: std::rc::Rc<Roster>) -> actix::Addr<Hub> {
    supervisor::start_here("hub", hub::MAILBOX, move |_| Hub::new(house, roster))
}

fn metrics(workers: usize) -> Result<Arc<Metrics>, Failed> {
    let labels = Labels {
        refusals: Refusal::ALL.iter().map(|refusal| refusal.code).collect(),
        closes: Close::ALL.iter().map(|close| close.code).collect(),
        workers,
    };
    Metrics::new(&labels).map(Arc::new).map_err(|why| Failed::because(format!("metrics: {why}")))
}

/// What rooms need to know of a channel. One whose namespace is gone keeps nothing and shows nothing.
fn rules_of(namespaces: &Namespaces, channel: &crate::ids::Channel) -> Rules {
    match namespaces.resolve(channel) {
        Ok(namespace) => Rules {
            storage: namespace.storage(),
            cache: namespace.force_recovery_mode == RecoveryMode::Cache,
        },
        Err(_) => Rules { storage: Storage::None, cache: false },
    }
}
