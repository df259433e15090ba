//! PostgreSQL: how it is reached, proven durable and migrated, and the thread that its connections live on.
//!
//! A connection that can't prove that its commits reach the disk is never handed out. Its address holds a
//! password: it is shown by [`Options::place`] only, and no error repeats it.

use std::{fmt, time::Duration};

use tokio_postgres::config::{Config, Host};

mod facts;
mod link;
mod migrate;

pub use super::engine::Engine;
pub use link::{Link, the_one};
pub use migrate::migrate;

/// Where the server is, and how long it may take.
#[derive(Clone)]
pub struct Options {
    /// Address, user, password, database.
    config: Config,
    /// A new connection stands after this time, or is given up.
    pub connect: Duration,
    /// A statement has an answer after this time, or is given up by the server.
    pub statement: Duration,
    /// Whether nothing is written there: a standby will do.
    read_only: bool,
}

/// A statement waits no longer for the locks of others: less than a publisher waits.
const LOCK: Duration = Duration::from_secs(2);

/// A transaction that its node has left open ends by itself after this time.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);

/// What was sent and is not heard of for so long ends the connection; and how often the server looks
/// whether its client is there while it works.
const NETWORK: Duration = Duration::from_secs(5);

/// How much longer than [`Options::statement`] a node waits for the server's own word on it.
const GRACE: Duration = Duration::from_secs(1);

impl Options {
    /// Reads an address as libpq writes it: `postgres://user:password@host/database` or `host=... dbname=...`.
    ///
    /// The error says what is expected and nothing of what came.
    pub fn parse(url: &str, connect: Duration, statement: Duration) -> Result<Self, BadAddress> {
        let mut config: Config = url.parse().map_err(|_| BadAddress)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadAddress);
        }
        let given = config.get_options().unwrap_or_default().to_owned();
        // Plans that were good while the tables were small must stay good: by index, row by row.
        let options = format!(
            "{given} -c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} \
             -c client_connection_check_interval={} -c enable_seqscan=off -c enable_hashjoin=off \
             -c enable_mergejoin=off -c jit=off -c default_transaction_isolation=read\\ committed",
            statement.as_millis(),
            LOCK.min(statement).as_millis(),
            IDLE_IN_TRANSACTION.as_millis(),
            NETWORK.as_millis(),
        );
        config
            .options(options.trim())
            .connect_timeout(connect)
            .tcp_user_timeout(NETWORK)
            .keepalives_idle(NETWORK);
        if config.get_application_name().is_none() {
            config.application_name("fanfare");
        }
        Ok(Self { config, connect, statement, read_only: false })
    }

    /// The same for who only reads: it need not keep what it acknowledges, and a standby will do.
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// How long a node waits for the answer to a statement.
    pub fn answer(&self) -> Duration {
        self.statement + GRACE
    }

    /// Server and database, without user and password: for people.
    pub fn place(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate().map(|(n, host)| {
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
            format!("{host}:{port}")
        });
        let hosts: Vec<_> = hosts.collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres at {}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

/// The address is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress;

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address like postgres://USER:PASSWORD@HOST:5432/DATABASE")
    }
}

/// Why a server can't be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// It would not keep what it acknowledges, or not as it was: the setting, what it has to be, what it is.
    Unfit { setting: &'static str, expected: &'static str, found: String },
    /// It is not there, does not let us in or does not answer; it may later.
    Unreachable(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit { setting, expected, found } => write!(
                f,
                "PostgreSQL would not keep what it acknowledges: {setting} has to be {expected}, it is {found}"
            ),
            Self::Unreachable(why) => write!(f, "PostgreSQL can't be used: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Options, BadAddress> {
        Options::parse(url, Duration::from_secs(2), Duration::from_secs(3))
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let options = parse("postgres://ana:hunter2@db.example:6000/chat").unwrap();
        assert_eq!(options.place(), "postgres at db.example:6000/chat");
        assert!(!format!("{options:?}").contains("hunter2"));
        assert_eq!(parse("host=/run/pg user=ana").unwrap().place(), "postgres at /run/pg:5432/ana");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in ["", "ana:hunter2@host", "postgres://ana:hunter2@", "hunter2=1"] {
            let refused = parse(bad).err().map(|bad| bad.to_string());
            assert!(refused.is_some_and(|why| !why.contains("hunter2")), "{bad}");
        }
    }

    #[test]
    fn options_of_the_address_stay() {
        let options = parse("postgres://ana@h/d?options=-c%20search_path%3Da").unwrap();
        let all = options.config.get_options().unwrap();
        assert!(all.starts_with("-c search_path=a -c statement_timeout=3000 "), "{all}");
        assert!(all.contains("lock_timeout=2000"), "{all}");
    }
}
