//! The table: every metric of the node, with its kind, its label and its help text.

use prometheus::{Histogram, IntCounter, IntGauge, Registry};

use super::family::{Family, Made};

/// Seconds; fine below 50 ms, where deliveries and acknowledgements are to be.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1,
    0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Seconds that something is old: lives are minutes.
const AGES: &[f64] =
    &[0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1200.0];
/// Things in a batch or a queue.
const COUNTS: &[f64] =
    &[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0];

/// Actors that are restarted after a panic; a connection is closed instead.
const RESTARTED: Label = Label::Fixed(
    "actor",
    &[
        "room",
        "hub",
        "user",
        "journal_writer",
        "retention",
        "feed",
        "bridge",
        "prices",
        "screens",
        "forecasts",
    ],
);

/// Actors that messages may pile up in.
const BUSY: Label = Label::Fixed("actor", &["room", "hub", "user", "journal_writer"]);

/// Limits that a user or a device may meet, as the settings call them.
const LIMITS: &[&str] =
    &["user_connect", "user_command", "user_publish", "device_command", "device_publish"];

/// Levels of the cache.
const CACHE_LEVELS: &[&str] = &["page", "memory", "redis"];

/// The values of labels that are known only when the node starts.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Codes of refusals that we say.
    pub refusals: Vec<u32>,
    /// Codes of closes that we say.
    pub closes: Vec<u16>,
    /// Worker threads, numbered from 0.
    pub workers: usize,
}

/// One metric.
#[derive(Debug)]
pub struct Row {
    /// Without the prefix `fanfare_`; also the name of its field in [`Metrics`].
    pub name: &'static str,
    pub shape: Shape,
    pub help: &'static str,
}

/// Kind, label and buckets of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Gauge,
    Counter,
    Histogram(&'static [f64]),
    Counters(Label),
    Histograms(Label, &'static [f64]),
}

/// A label and where its values come from.
#[derive(Clone, Copy, Debug)]
pub enum Label {
    Fixed(&'static str, &'static [&'static str]),
    Refusals,
    Closes,
    Workers,
}

macro_rules! field {
    (Gauge) => { IntGauge };
    (Counter) => { IntCounter };
    (Histogram) => { Histogram };
    (Counters) => { Family<IntCounter> };
    (Histograms) => { Family<Histogram> };
}

macro_rules! metrics {
    ($($name:ident: $kind:ident $(($($arg:expr),+))?, $help:literal;)+) => {
        /// Every metric of the node; one field each, named like it.
        #[derive(Debug)]
        pub struct Metrics {
            /// Where all of them are registered, and those of HTTP and of the process.
            pub registry: Registry,
            $(#[doc = $help] pub $name: field!($kind),)+
        }

        /// The table.
        pub const ROWS: &[Row] = &[$(Row {
            name: stringify!($name), shape: Shape::$kind $(($($arg),+))?, help: $help,
        }),+];

        impl Metrics {
            /// Makes and registers all of them. Fails only if two have the same name.
            pub fn new(labels: &Labels) -> prometheus::Result<Self> {
                let registry = Registry::new();
                #[cfg(target_os = "linux")]
                registry.register(Box::new(
                    prometheus::process_collector::ProcessCollector::for_self(),
                ))?;
                let mut rows = ROWS.iter();
                $(let $name = add(rows.next(), labels, &registry)?;)+
                Ok(Self { registry, $($name),+ })
            }
        }
    };
}

fn add<T: Made>(row: Option<&Row>, labels: &Labels, to: &Registry) -> prometheus::Result<T> {
    let row = row.ok_or_else(|| prometheus::Error::Msg("a metric without a row".into()))?;
    let (made, collector) = T::make(row, labels)?;
    to.register(collector)?;
    Ok(made)
}

metrics! {
    connections: Gauge, "Sockets that were let in and are not closed yet.";
    handshakes: Gauge, "WebSocket handshakes under way.";
    subscriptions: Gauge, "Subscriptions of connections to channels.";
    rooms: Gauge, "Channels that are awake on this node.";
    users: Gauge, "Users with a connection on this node.";
    handshakes_refused_total: Counters(Label::Fixed("status", &["400", "403", "404", "405", "426", "503"])),
        "Upgrade requests that were answered with an HTTP error, by status.";
    messages_in_total: Counter, "Commands that clients sent.";
    messages_out_total: Counter, "Replies and pushes put into the outboxes of connections.";
    bytes_in_total: Counter, "Bytes of frames read from sockets.";
    bytes_out_total: Counter, "Bytes of frames written to sockets.";
    publish_ack_seconds: Histogram(SECONDS), "From a publish command or API call to its acknowledgement.";
    fan_out_seconds: Histogram(SECONDS), "From the commit of a message to the moment when a worker's last member has it in its outbox.";
    journal_batch_size: Histogram(COUNTS), "Publications in one commit of the journal.";
    journal_commit_seconds: Histogram(SECONDS), "How long a commit of the journal took.";
    journal_failures_total: Counters(Label::Fixed("outcome", &["refused", "unknown"])),
        "Batches that the journal did not commit, or of which it could not say.";
    outbox_bytes: Gauge, "Bytes that wait for sockets to take them, all connections together.";
    slow_readers_cut_total: Counter, "Connections closed because their reader was too slow.";
    restarts_total: Counters(RESTARTED), "Restarts after a panic, by actor.";
    mailbox_depth: Histograms(BUSY, COUNTS), "Messages that wait for an actor, looked at four times a second.";
    event_loop_lag_seconds: Histograms(Label::Workers, SECONDS), "How late a timer was served, by worker thread.";
    refused_total: Counters(Label::Refusals), "Commands and API calls refused, by code.";
    rate_limited_total: Counters(Label::Fixed("limit", LIMITS)),
        "Connects, commands and publishes refused since a user or a device made too many: `client.rate_limit`.";
    rate_limit_charges_total: Counters(Label::Fixed("outcome", &["answered", "unanswered"])),
        "What users took of their limits here, told to the other nodes through Redis; unanswered: this node went on by what it knew.";
    user_connections_unsure_total: Counter, "Connections let in though Redis did not say how many their users have: `client.user_connection_limit`.";
    closed_total: Counters(Label::Closes), "Connections closed by the server, by code.";
    recovered_total: Counters(Label::Fixed("outcome", &["whole", "not_recovered", "unknown"])),
        "Subscribes that asked to recover: got all that they missed, were told that they can't, or were told to try again.";
    order_broken_total: Counter, "Deliveries that did not follow their member's position. Must stay 0.";
    member_behind_total: Counter, "Members whose position stayed behind their room's for a round. Must stay 0.";
    positions_from_nowhere_total: Counter, "Positions that clients named and the journal does not have.";
    bridge_links_up: Gauge, "Redis servers that messages go to and come from at the moment.";
    bridge_channels: Gauge, "Channels in which this node listens to other nodes.";
    bridge_sent_total: Counter, "Messages given to Redis for other nodes.";
    bridge_received_total: Counter, "Messages of other nodes that came through Redis.";
    bridge_shed_total: Counters(Label::Fixed("what", &["durable", "ephemeral", "unsaid"])),
        "Messages that did not go to Redis: durable or ephemeral ones since too much waited, or any since it was not there.";
    bridge_broken_total: Counter, "Connections to Redis that broke.";
    learned_from_feed_total: Counter, "Messages that a room learned from the journal's feed and not in another way.";
    watched_prices: Gauge, "Channels of prices that somebody on this node is in.";
    watched_dashboards: Gauge, "Channels of dashboards that somebody on this node is in.";
    screens_told_total: Counters(Label::Fixed("part", &["price", "holdings", "forecast", "strategy"])),
        "What was told to open dashboards on this node, by part.";
    peers: Gauge, "Other nodes that share the journal and live.";
    bridge_trusted: Gauge, "1 while every live node is heard on every shard of the bridge and hears all others; 0 while not, or without a bridge.";
    feed_lag_seconds: Histogram(SECONDS), "From the beginning of a look at the feed to the end of the next: how old what it tells may be.";
    price_rounds_total: Counters(Label::Fixed("outcome", &["answered", "unanswered", "not_kept"])),
        "Rounds in which this node asked for the prices of all: the provider answered, or not, or the database did not keep them.";
    price_calls_total: Counter, "Calls to the provider of prices.";
    prices_observed_total: Counter, "Prices that were believed and kept.";
    alerts_fired_total: Counter, "Alerts that fired at prices that this node wrote.";
    price_lies_total: Counters(Label::Fixed("why", &["no_number", "not_positive", "unasked", "jump"])),
        "Prices that were not believed: no number, nothing or less, of a token that nobody asked for, a thousandfold of the last.";
    cache_hits_total: Counters(Label::Fixed("level", CACHE_LEVELS)),
        "Parts of answers that a level of the cache had (page: whole answers, as they were sent), by level.";
    cache_misses_total: Counters(Label::Fixed("level", CACHE_LEVELS)), "The same that a level did not have.";
    cache_loads_total: Counters(Label::Fixed("outcome", &["done", "failed"])),
        "Times that parts of a person's data were read from the database since no level had them, or to refresh them.";
    cache_waits_total: Counters(Label::Fixed("whom", &["here", "elsewhere"])),
        "Requests that waited while another one, on this node or on another, loaded the same.";
    cache_expired_total: Counter, "Answers of parts whose time was over, while somebody refreshed them.";
    cache_age_seconds: Histogram(AGES), "How old the oldest part of an answer was: since it was read from the database.";
    cache_redis_failures_total: Counter, "Questions of the cache that Redis did not answer in time, or refused.";
    cache_memory_bytes: Gauge, "What the memory level of the cache holds.";
    cache_page_bytes: Gauge, "What the level of whole answers holds.";
    cache_generations_asked: Histogram(COUNTS), "Persons in one question to the database for their present generations.";
    replica_reads_total: Counters(Label::Fixed("from", &["replica", "primary_behind", "primary_failed"])),
        "Reads of parts of a person's data with `database.replica_url`: the replica's, or the primary's since the replica showed another state, or since it did not answer or was left alone after that.";
    cache_outage_total: Counter, "Answers of the last that was known, since the database did not say what is right.";
    forecasts_computed_total: Counters(Label::Fixed("outcome", &["kept", "unchanged", "overtaken"])),
        "Forecasts computed before anybody asked: kept, or what was kept already, or their person changed something meanwhile.";
    forecasts_due: Gauge, "People who still waited for their forecasts to be computed when the last turn ended.";
    forecast_turn_seconds: Histogram(SECONDS), "How long a turn of computing forecasts took.";
    feed_failures_total: Counter, "Looks at the feed, and beats into it, that failed.";
}

impl Shape {
    /// Upper bounds of a histogram's buckets; none for other kinds.
    pub fn buckets(&self) -> &'static [f64] {
        match self {
            Self::Histogram(buckets) | Self::Histograms(_, buckets) => buckets,
            _ => &[],
        }
    }

    pub(super) fn label(&self, labels: &Labels) -> (&'static str, Vec<String>) {
        let of = match self {
            Self::Counters(label) | Self::Histograms(label, _) => *label,
            _ => Label::Fixed("", &[]),
        };
        let values = match of {
            Label::Fixed(_, values) => values.iter().map(|v| v.to_string()).collect(),
            Label::Refusals => labels.refusals.iter().map(u32::to_string).collect(),
            Label::Closes => labels.closes.iter().map(u16::to_string).collect(),
            Label::Workers => (0..labels.workers).map(|n| n.to_string()).collect(),
        };
        (of.name(), values)
    }

    /// For people: the kind, and the label with its values.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Gauge => ("gauge", String::new()),
            Self::Counter => ("counter", String::new()),
            Self::Histogram(_) => ("histogram", String::new()),
            Self::Counters(label) => ("counter", label.words()),
            Self::Histograms(label, _) => ("histogram", label.words()),
        }
    }
}

impl Label {
    fn name(&self) -> &'static str {
        match self {
            Self::Fixed(name, _) => name,
            Self::Refusals | Self::Closes => "code",
            Self::Workers => "worker",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Fixed(name, values) => format!("{name}: {}", values.join(", ")),
            Self::Refusals | Self::Closes => "code: the protocol's, else other".into(),
            Self::Workers => "worker: from 0".into(),
        }
    }
}
