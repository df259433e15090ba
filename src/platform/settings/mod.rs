//! What can be set: one struct a section, each field with its doc and its default; passed in, never global.
//!
//! Layers, the later ones win: built in (written down in `config/default.toml`), a file, variables
//! `FANFARE_...`, flags. See [`load`].

mod cache;
mod channel;
mod client;
mod cluster;
mod database;
mod forecast;
mod http;
mod journal;
mod kinds;
mod layers;
mod postgres;
mod prices;
mod print;
mod problem;
mod process;
mod rate_limit;
mod redis;
mod section;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub use cache::CacheLevels;
pub use channel::{Channels, DataFormat, NamedNamespace, Namespace, RecoveryMode};
pub use client::{Client, PersonalChannel};
pub use cluster::Cluster;
pub use database::ReadReplica;
pub use forecast::Forecasting;
pub use http::{HttpApi, HttpServer, Operator, WebSocket};
pub use journal::Journal;
pub use kinds::{Secret, Size, parse_duration, show_duration};
pub use layers::{Flag, Loaded, Sources, load};
pub use postgres::Postgres;
pub use prices::{PriceProvider, PriceSource};
pub use print::{default_file, effective};
pub use problem::{BadSettings, Origin, Problem};
pub use process::{Log, Shutdown};
pub use rate_limit::RateLimit;
pub use redis::Redis;
pub use token::{SubscriptionToken, Token};

use std::path::{Path, PathBuf};

use section::{Wrong, section};

section! {
    /// Everything that can be set.
    #[check(check_together)]
    pub struct Settings {
        /// The directory of the journal, of the secrets generated for development and of the lock
        /// that keeps a second node out. Created if it is not there.
        pub data_dir: String = "./data".into(),
        /// Where clients and backends come in.
        pub http_server: HttpServer = HttpServer::default(),
        /// Where operators look.
        pub operator: Operator = Operator::default(),
        /// Connections of clients.
        pub client: Client = Client::default(),
        /// WebSocket frames.
        pub websocket: WebSocket = WebSocket::default(),
        /// Channels and their namespaces.
        pub channel: Channels = Channels::default(),
        /// The server API.
        pub http_api: HttpApi = HttpApi::default(),
        /// Where durable channels are kept.
        pub journal: Journal = Journal::default(),
        /// Where several nodes keep them together.
        pub postgres: Postgres = Postgres::default(),
        /// Who takes reads of people's data off it.
        pub database: ReadReplica = ReadReplica::default(),
        /// How nodes hear each other.
        pub redis: Redis = Redis::default(),
        /// What of people's data is kept closer than the database.
        pub cache: CacheLevels = CacheLevels::default(),
        /// What nodes that share them owe each other.
        pub cluster: Cluster = Cluster::default(),
        /// Where prices come from.
        pub prices: PriceSource = PriceSource::default(),
        /// What is computed before anybody asks.
        pub forecast: Forecasting = Forecasting::default(),
        /// The way out.
        pub shutdown: Shutdown = Shutdown::default(),
        /// Log lines.
        pub log: Log = Log::default(),
    }
}

/// The setting that signs tokens.
pub const TOKEN_SECRET: &str = "client.token.hmac_secret_key";
/// The setting that opens the server API.
pub const API_KEY: &str = "http_api.key";

impl Settings {
    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        Path::new(&self.data_dir)
    }

    /// The journal's file.
    pub fn journal_path(&self) -> PathBuf {
        match self.journal.path.as_str() {
            "" => self.data_dir().join("fanfare.db"),
            path => path.into(),
        }
    }

    /// Where durable channels are kept, for people: a file, or a server without its password.
    pub fn journal_place(&self) -> String {
        match self.postgres.options() {
            Some(Ok(options)) => options.place(),
            _ => self.journal_path().display().to_string(),
        }
    }

    /// What this node is called: as it is set, else host and port.
    pub fn node_name(&self) -> String {
        match self.cluster.node_name.as_str() {
            "" => {
                let host = nix::unistd::gethostname().unwrap_or_default();
                format!("{}:{}", host.to_string_lossy(), self.http_server.port)
            }
            name => name.to_owned(),
        }
    }

    /// Which secrets nobody has set, so that a node takes generated ones: keys of settings.
    pub fn generated_needed(&self) -> Vec<&'static str> {
        let token = (!self.client.token.has_key()).then_some(TOKEN_SECRET);
        let api = self.http_api.all_keys().next().is_none() && !self.http_api.insecure;
        token.into_iter().chain(api.then_some(API_KEY)).collect()
    }

    /// Finds secrets that may not be generated ones, and are.
    fn check_secrets(&self, wrong: &mut Wrong) {
        let lacking = self.generated_needed();
        wrong.unless(
            self.http_server.address.to_canonical().is_loopback() || lacking.is_empty(),
            "http_server.address",
            format!(
                "a loopback address, or beside it {}: generated ones are for development",
                lacking.join(" and ")
            ),
        );
        wrong.unless(
            self.postgres.url.is_empty() || lacking.is_empty(),
            "postgres.url",
            format!("nothing, or beside it {}: each node generates others", lacking.join(" and ")),
        );
        wrong.unless(
            self.redis.url.is_empty() || lacking.is_empty(),
            "redis.url",
            format!("nothing, or beside it {}: each node generates others", lacking.join(" and ")),
        );
    }

    /// The keys that subscription tokens are verified with.
    pub fn subscription_token_keys(&self) -> &Token {
        let own = &self.client.subscription_token;
        if own.enabled { &own.keys } else { &self.client.token }
    }
}

/// What one section can't see alone.
fn check_together(settings: &Settings, wrong: &mut Wrong) {
    wrong.unless(!settings.data_dir.is_empty(), "data_dir", "the path of a directory");
    let (public, operator) = (&settings.http_server, &settings.operator);
    wrong.unless(
        !operator.enabled || operator.port == 0 || operator.port != public.port,
        "operator.port",
        "another port than http_server.port",
    );
    wrong.unless(
        settings.database.replica_url.is_empty() || !settings.postgres.url.is_empty(),
        "database.replica_url",
        "nothing, or beside it postgres.url: a file has nobody that follows it",
    );
    // Each node would keep a journal of its own, and never hear what stands in those of others.
    let durable = settings.channel.durable_namespaces();
    wrong.unless(
        settings.redis.url.is_empty() || !settings.postgres.url.is_empty() || durable.is_empty(),
        "redis.url",
        format!(
            "nothing, or beside it postgres.url, or no durable channels: {} have `durable = true`",
            durable.join(", ")
        ),
    );
    let personal = &settings.client.subscribe_to_user_personal_channel;
    let name = &personal.personal_channel_namespace;
    wrong.unless(
        name.is_empty() || settings.channel.namespaces.iter().any(|known| known.name == *name),
        "client.subscribe_to_user_personal_channel.personal_channel_namespace",
        "the name of one of channel.namespaces, or nothing",
    );
    wrong.unless(
        settings.websocket.message_size_limit <= settings.client.queue_max_size.bytes(),
        "websocket.message_size_limit",
        format!("at most client.queue_max_size ({})", settings.client.queue_max_size),
    );
}
