//! What `fanfare load` can be asked for.

use std::path::PathBuf;

use clap::ValueEnum;

/// Puts a server under load with clients of its own, checks every delivery and says what it cost.
///
/// Each scenario's defaults are the conditions of the figures in docs/PERFORMANCE.md; see docs/LOAD.md for what each
/// measures and how. Exits 1 if one acknowledged message was lost, doubled or out of order, or the run failed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  fanfare load rooms --spawn
  fanfare load publish --spawn --json
  fanfare load fanout --spawn --connections 2000 --seconds 10
  fanfare load rooms --nodes 3 --fault redis-down
  fanfare load dashboard --spawn --people 1000 --compare-constant
  fanfare load rooms --url ws://127.0.0.1:8000/connection/websocket --secret S --connections 1000 --rate 100")]
pub struct Args {
    /// What to do to the server.
    pub scenario: Scenario,

    /// Load this running server, whatever implements the protocol (ws://host:port/connection/websocket).
    #[arg(long, value_name = "URL", conflicts_with = "spawn", help_heading = "Server")]
    pub url: Option<String>,
    /// Start a node of this binary on free ports with a fresh journal, measure it, stop it. The default without --url.
    #[arg(long, help_heading = "Server")]
    pub spawn: bool,
    /// Start so many nodes with a Redis, a PostgreSQL and an NGINX of their own [1; failover, chaos: 3].
    #[arg(long, value_name = "N", conflicts_with = "url", value_parser = clap::value_parser!(u32).range(1..=16), help_heading = "Server")]
    pub nodes: Option<u32>,
    /// Where the nodes that are started keep durable channels [one node: sqlite; several: postgres].
    #[arg(long, value_enum, conflicts_with = "url", help_heading = "Server")]
    pub journal: Option<Store>,
    /// The server's HMAC secret, to sign the clients' tokens with (HS256).
    #[arg(long, requires = "url", help_heading = "Server")]
    pub secret: Option<String>,
    /// The key of its server API. `devices` needs it.
    #[arg(long, requires = "url", help_heading = "Server")]
    pub api_key: Option<String>,
    /// Put all channels into this namespace.
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    pub namespace: Option<String>,
    /// The server's process on this machine, to read its CPU and memory from.
    #[arg(long, requires = "url", help_heading = "Server")]
    pub pid: Option<u32>,

    /// Connections, each its own user [idle, rooms, storm: 15000; fanout: 10000;
    /// with --nodes idle: 100000; rooms: 3000; fanout: 1000; failover: 3000 a node].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub connections: Option<u32>,
    /// Members of a room [100].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub room_size: Option<u32>,
    /// Users in `devices` [1500].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub users: Option<u32>,
    /// Connections of each user in `devices` [10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub devices: Option<u32>,
    /// Publishes a second in all, or `max`: as fast as the window lets [rooms: 1020; devices: 1000; others: max;
    /// with --nodes rooms, failover: 100; fanout: 10].
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// Bytes of a message, words and base64 together [200; idle: 4096].
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=super::payload::LONGEST as i64), help_heading = "Load")]
    pub payload: Option<u32>,
    /// Who publishes [publish, storm: 64 connections; fanout: 1; rooms: one a room; devices: 16 API connections].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub publishers: Option<u32>,
    /// Publishes of one publisher under way at a time; in `idle` and `fanout`: until all members have them
    /// [publish, storm: 8; idle: 4; fanout, rooms: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub window: Option<u32>,
    /// The measured part; in `idle` the rest before each measurement [30; fanout, publish: 20].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub seconds: Option<u32>,
    /// Messages that each connection misses in `storm` [20].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub missed: Option<u32>,
    /// Connections that may be between dialling and their subscription at a time.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub handshakes: u32,
    /// How clients and server write.
    #[arg(long, value_enum, default_value_t = Words::Json, help_heading = "Load")]
    pub encoding: Words,

    /// What breaks in the measured part of `rooms`; takes --nodes.
    #[arg(long, value_enum, requires = "nodes", help_heading = "Load")]
    pub fault: Option<Fault>,

    /// People in `dashboard`, those whom `fanfare seed` draws [1000]. Their database is filled once and kept.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Dashboard")]
    pub people: Option<u32>,
    /// Measure from the start of the nodes on, everybody arriving within 30 s; else from when all have seen theirs.
    #[arg(long, help_heading = "Dashboard")]
    pub cold: bool,
    /// How many of the people watch their holdings over a socket, too.
    #[arg(long, value_name = "W", default_value_t = 0, help_heading = "Dashboard")]
    pub watchers: u32,
    /// Let somebody with 14,400 transactions be among them, who looks and buys all the time.
    #[arg(long, help_heading = "Dashboard")]
    pub veteran: bool,
    /// How long people think between two looks, in seconds on average.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = think, help_heading = "Dashboard")]
    pub think: f64,
    /// Of a thousand visits, on how many something is bought first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000), help_heading = "Dashboard")]
    pub buys: u32,
    /// Compare with a server that returns the same bytes constant: how many each could return a second on one core.
    #[arg(long, help_heading = "Dashboard")]
    pub compare_constant: bool,
    /// Let clients come through NGINX to one node, too; with --journal postgres it has a Redis as well.
    #[arg(long, conflicts_with = "url", help_heading = "Dashboard")]
    pub proxy: bool,
    /// Keep filled databases in this folder [~/.cache/fanfare].
    #[arg(long, value_name = "DIR", conflicts_with = "url", help_heading = "Dashboard")]
    pub cache: Option<PathBuf>,
    /// Play the people of this seed in `dashboard` [1]; draw this plan in `chaos` [a random one, which is printed].
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<u64>,

    /// Numbers of the first user, for the child processes of `idle`.
    #[arg(long, hide = true, default_value_t = 0)]
    pub first: u32,
    /// More addresses of the server, taken in turn with that of the URL.
    #[arg(long, hide = true, value_name = "HOST:PORT")]
    pub door: Vec<std::net::SocketAddr>,
    /// What the names of this run begin with.
    #[arg(long, hide = true)]
    pub run: Option<String>,
    /// Do these faults in `chaos`, one after the other, instead of those that the seed draws.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', help_heading = "Chaos")]
    pub faults: Vec<String>,
    /// Keep the raw records of `chaos` in this folder.
    #[arg(long, value_name = "DIR", help_heading = "Chaos")]
    pub keep: Option<PathBuf>,
    /// Allow so many times the promised latencies in `chaos`: for a machine that is slower than the promise assumes.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Chaos")]
    pub slack: u32,

    /// A file of settings for the node that is started.
    #[arg(skip)]
    pub node_config: Option<PathBuf>,

    /// Print one JSON object instead of the summary.
    #[arg(long)]
    pub json: bool,
}

/// The scenarios.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Memory of connections at rest, and what is given back after a burst.
    Idle,
    /// One big room, against a bare loop of writes to as many sockets.
    Fanout,
    /// Many rooms with a member of each publishing.
    Rooms,
    /// Users with several devices, reached through the server API in their personal channels.
    Devices,
    /// Acknowledged durable publishes, one subscriber a room.
    Publish,
    /// Everybody drops at once, misses messages, comes back and recovers.
    Storm,
    /// A node is killed under traffic; its clients come back to the others.
    Failover,
    /// A child process of `idle` with several nodes.
    #[value(hide = true)]
    IdlePart,
    /// Parts of a cluster die while people talk; every promise is checked.
    Chaos,
    /// Seeded people look at their dashboards over HTTP; every answer is checked.
    Dashboard,
    /// The child process of `fanout`.
    #[value(hide = true)]
    BareWrite,
    /// The child process of `dashboard`.
    #[value(hide = true)]
    Constant,
}

impl Scenario {
    /// As written on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Fanout => "fanout",
            Self::Rooms => "rooms",
            Self::Devices => "devices",
            Self::Publish => "publish",
            Self::Storm => "storm",
            Self::Failover => "failover",
            Self::IdlePart => "idle-part",
            Self::Chaos => "chaos",
            Self::BareWrite => "bare-write",
            Self::Dashboard => "dashboard",
            Self::Constant => "constant",
        }
    }
}

impl Args {
    /// How many nodes are started; 1 where none is.
    pub fn nodes(&self) -> usize {
        let default = if self.scenario == Scenario::Failover { 3 } else { 1 };
        self.nodes.map_or(default, |n| n as usize)
    }
}

/// Journals of nodes that are started.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// What may break.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Redis is killed, and comes back when all that was sent meanwhile has arrived.
    RedisDown,
}

/// The encodings.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Words {
    Json,
    Protobuf,
}

fn think(text: &str) -> Result<f64, String> {
    let think = text.parse().ok().filter(|think| (0.0..=3600.0).contains(think));
    think.ok_or_else(|| "expected seconds, 0 to 3600".into())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        _ if text == "max" => Ok(f64::INFINITY),
        Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(rate),
        _ => Err("expected publishes a second, 0.001 to 10000000, or max".into()),
    }
}
