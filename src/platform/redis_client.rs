//! Redis: which installation it is, where its servers are, and how one of them is reached.
//!
//! Standalone, Sentinel and Cluster look the same from above: a list of [`Shard`]s, each a server that
//! takes connections. The address holds a password: it is shown by [`Options::place`] only.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisConnectionInfo, TlsCertificates, aio::MultiplexedConnection, cmd, io::tcp::TcpSettings,
};
use tokio::time::timeout;

mod address;
mod slots;

pub use address::BadAddress;
use address::{Address, Kind};
pub use slots::{SLOTS, Slots, slot};

/// What was sent and is not acknowledged by the other machine for so long ends the connection.
const NETWORK: Duration = Duration::from_secs(5);

/// Where Redis is, and how long it may take.
#[derive(Clone)]
pub struct Options {
    kind: Kind,
    /// Certificates that are trusted, PEM; none: those of the system.
    authorities: Option<Vec<u8>>,
    /// A new connection stands after this time, or is given up.
    pub connect: Duration,
    /// A command is answered after this time, or its connection is given up.
    pub answer: Duration,
}

/// One server, and which channels are its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shard {
    pub host: String,
    pub port: u16,
    /// None: all channels, since it is the only one.
    pub slots: Option<Slots>,
}

/// Redis is not there, or does not let us in; it may later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreachable(pub String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<redis::RedisError> for Unreachable {
    fn from(why: redis::RedisError) -> Self {
        Self(why.to_string())
    }
}

impl Options {
    /// Reads an address, see [`BadAddress`] for its forms.
    ///
    /// The error says what is expected and nothing of what came.
    pub fn parse(
        url: &str,
        authorities: Option<Vec<u8>>,
        connect: Duration,
        answer: Duration,
    ) -> Result<Self, BadAddress> {
        let kind = Kind::parse(url)?;
        if kind.any().tls {
            // Once a process; whoever was first chose the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self { kind, authorities, connect, answer })
    }

    /// Servers, without user and password: for people.
    pub fn place(&self) -> String {
        self.kind.to_string()
    }

    /// Whether channels belong to shards: then they are published and subscribed by the sharded commands.
    pub fn is_sharded(&self) -> bool {
        matches!(self.kind, Kind::Cluster(_))
    }

    /// Whether the servers may become others while the old ones still answer.
    pub fn moves(&self) -> bool {
        !matches!(self.kind, Kind::Single(_))
    }

    /// The servers as they are now, in the order of their slots.
    pub async fn shards(&self) -> Result<Vec<Shard>, Unreachable> {
        match &self.kind {
            Kind::Single(Address { host, port, .. }) => {
                Ok(vec![Shard { host: host.clone(), port: *port, slots: None }])
            }
            Kind::Sentinel { sentinels, service } => {
                self.first_to_answer(sentinels, |sentinel| self.master(sentinel, service)).await
            }
            Kind::Cluster(seeds) => self.first_to_answer(seeds, |seed| self.cluster(seed)).await,
        }
    }

    async fn first_to_answer<'a, F: Future<Output = Result<Vec<Shard>, Unreachable>>>(
        &'a self,
        addresses: &'a [Address],
        ask: impl Fn(&'a Address) -> F,
    ) -> Result<Vec<Shard>, Unreachable> {
        let mut last = Unreachable("no server is named".into());
        for address in addresses {
            match ask(address).await {
                Ok(shards) => return Ok(shards),
                Err(why) => last = Unreachable(format!("{}:{}: {why}", address.host, address.port)),
            }
        }
        Err(last)
    }

    async fn master(&self, sentinel: &Address, service: &str) -> Result<Vec<Shard>, Unreachable> {
        let mut connection = self.open(sentinel, None, |_| ()).await?;
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let master: Option<(String, u16)> = ask.query_async(&mut connection).await?;
        let Some((host, port)) = master else {
            return Err(Unreachable(format!("the sentinel knows no service {service:?}")));
        };
        Ok(vec![Shard { host, port, slots: None }])
    }

    async fn cluster(&self, seed: &Address) -> Result<Vec<Shard>, Unreachable> {
        let mut connection = self.open(seed, None, |_| ()).await?;
        let table = cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
        slots::read(&table, &seed.host)
            .ok_or_else(|| Unreachable("not all slots of the cluster have a server".into()))
    }

    /// A connection to one server. `pushed` is called on the runtime's thread for all that the server says unasked.
    pub async fn connect(
        &self,
        shard: &Shard,
        pushed: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, Unreachable> {
        let known = self.kind.any();
        let address = Address { host: shard.host.clone(), port: shard.port, ..known.clone() };
        let mut connection = self.open(&address, Some(known.database), pushed).await?;
        // A sentinel may name a server that is no master any more.
        if let Kind::Sentinel { .. } = self.kind {
            let role: redis::Value = cmd("ROLE").query_async(&mut connection).await?;
            let is_master = matches!(&role, redis::Value::Array(it)
                if matches!(it.first(), Some(redis::Value::BulkString(name)) if name == b"master"));
            if !is_master {
                return Err(Unreachable("it is no master".into()));
            }
        }
        Ok(connection)
    }

    async fn open(
        &self,
        address: &Address,
        database: Option<i64>,
        pushed: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, Unreachable> {
        let (host, port) = (address.host.clone(), address.port);
        let place = match address.tls {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        };
        let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &address.user {
            login = login.set_username(user);
        }
        if let Some(password) = &address.password {
            login = login.set_password(password);
        }
        if let Some(database) = database.filter(|_| !self.is_sharded()) {
            login = login.set_db(database);
        }
        let network = TcpSettings::default().set_nodelay(true).set_user_timeout(NETWORK);
        let info =
            place.into_connection_info()?.set_redis_settings(login).set_tcp_settings(network);
        let client = match address.tls {
            true => {
                let root_cert = self.authorities.clone();
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })?
            }
            false => Client::open(info)?,
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect))
            .set_response_timeout(Some(self.answer))
            .set_push_sender(move |push| {
                pushed(push);
                Ok::<_, std::convert::Infallible>(())
            });
        // The crate's own deadline does not cover the greeting.
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        match timeout(self.connect, connecting).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Unreachable("no connection in time".into())),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}
