//! The cluster that a run breaks: nodes, PostgreSQL with a standby, Redis, NGINX, and proxies where a network can fail.
//!
//! Gone when the value is dropped, however the run ends.

mod dump;
mod node;
mod sql;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

pub use self::{
    dump::era,
    node::{Node, state},
    sql::Sql,
};
use super::{
    crowd::Doors,
    proxy::Proxy,
    record::{Counters, Nanos},
};
use crate::{
    load::Failure,
    platform::scratch::{Nginx, Postgres, Redis, nginx::ONE_MACHINE},
};

/// Who may connect to PostgreSQL: three nodes, the checker, and few enough for strangers to take the rest.
const CONNECTIONS: &str = "max_connections=60";
/// Nothing is trimmed while a run goes on, so that the journal can be read whole at its end.
const HISTORY: (&str, &str) = ("FANFARE_CHANNEL__WITHOUT_NAMESPACE__HISTORY_SIZE", "100000000");

/// All that runs, in the order in which it goes.
pub struct Field {
    /// In front of all nodes, where there are several.
    pub nginx: Option<Nginx>,
    pub nodes: Vec<Node>,
    pub redis_proxy: Option<Proxy>,
    pub redis: Option<Redis>,
    pub postgres_proxy: Proxy,
    pub postgres: Postgres,
    pub standby: Option<Postgres>,
    /// Primaries that died, oldest first: their journals are read at the end.
    pub retired: Vec<Postgres>,
    secret: String,
}

impl Field {
    /// Starts everything and waits until it is ready.
    pub fn start(nodes: u8) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure(e.to_string());
        let postgres = Postgres::start(&[CONNECTIONS]).map_err(failed)?;
        let postgres_proxy = Proxy::start(local(postgres.port())).map_err(failed)?;
        let redis = (nodes > 1).then(|| Redis::start(&[])).transpose().map_err(failed)?;
        let redis_proxy = redis.as_ref().map(|redis| Proxy::start(local(redis.port())));
        let redis_proxy = redis_proxy.transpose().map_err(failed)?;
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let url = format!("postgres://fanfare@{}/postgres", postgres_proxy.address);
        let personal = "FANFARE_CLIENT__SUBSCRIBE_TO_USER_PERSONAL_CHANNEL__ENABLED";
        let mut settings = vec![
            ("FANFARE_POSTGRES__URL", url),
            ("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", secret.clone()),
            ("FANFARE_HTTP_API__KEY", uuid::Uuid::new_v4().simple().to_string()),
            (HISTORY.0, HISTORY.1.to_owned()),
            (personal, "true".to_owned()),
        ];
        if let Some(proxy) = &redis_proxy {
            settings.push(("FANFARE_REDIS__URL", format!("redis://{}", proxy.address)));
        }
        let prepared = (0..nodes).map(|number| Node::prepare(number, &settings));
        let mut field = Self {
            nginx: None,
            nodes: prepared.collect::<Result<_, _>>()?,
            redis_proxy,
            redis,
            postgres_proxy,
            postgres,
            standby: None,
            retired: Vec::new(),
            secret,
        };
        for node in &mut field.nodes {
            node.launch().and_then(|()| node.wait_until_ready()).map_err(failed)?;
        }
        if nodes > 1 {
            let addresses: Vec<_> = field.nodes.iter().map(|node| node.address).collect();
            field.nginx = Some(Nginx::start(&addresses, ONE_MACHINE).map_err(failed)?);
        }
        Ok(field)
    }

    /// A copy of the primary that follows it, made now if there is none.
    pub fn standby(&mut self) -> io::Result<&Postgres> {
        let standby = match self.standby.take() {
            Some(standby) => standby,
            None => Postgres::follow(&self.postgres)?,
        };
        Ok(self.standby.insert(standby))
    }

    /// Where clients come in.
    pub fn doors(&self) -> Doors {
        Doors {
            nodes: self.nodes.iter().map(|node| node.address).collect(),
            nginx: self.nginx.as_ref().map(|nginx| local(nginx.port())),
            secret: self.secret.clone(),
        }
    }

    /// A session with the primary itself, past the proxy.
    pub fn sql(&self) -> io::Result<Sql> {
        Sql::connect(local(self.postgres.port()))
    }

    /// What each node that answers has counted.
    pub fn counters(&self, at: Nanos) -> Vec<Counters> {
        let all = self.nodes.iter().filter_map(Node::counters);
        all.map(|counters| Counters { at, ..counters }).collect()
    }

    /// Starts nodes again that do not run. They are not ready yet.
    pub fn raise_the_dead(&mut self) -> io::Result<()> {
        for node in &mut self.nodes {
            if node.pid().is_none() || node.ended().is_some() {
                node.launch()?;
            }
        }
        Ok(())
    }
}

/// An address of this machine.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
