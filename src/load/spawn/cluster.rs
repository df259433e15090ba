//! Nodes with a PostgreSQL, a Redis and an NGINX of their own, as far as they need them; gone at the end of the run.

use std::{
    fmt::Write,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use super::{Node, Plan, Secrets};
use crate::{
    load::{Failure, args::Store, process::Process},
    platform::scratch::{Nginx, Postgres, Redis, nginx::ONE_MACHINE},
};

/// The setting that leads nodes to Redis.
const REDIS: &str = "FANFARE_REDIS__URL";
/// The one that leads them to PostgreSQL.
const POSTGRES: &str = "FANFARE_POSTGRES__URL";
/// The one that lets NGINX speak for its clients.
const PROXIES: &str = "FANFARE_HTTP_SERVER__TRUSTED_PROXIES";
/// The one that subscribes users to channels of their own.
const PERSONAL: &str = "FANFARE_CLIENT__SUBSCRIBE_TO_USER_PERSONAL_CHANNEL__ENABLED";

/// Everything that was started; dropped in this order.
pub struct Cluster {
    /// A node that was killed stays, for its last words.
    nodes: Vec<Node>,
    killed: Vec<usize>,
    nginx: Option<Nginx>,
    redis: Option<Redis>,
    _postgres: Option<Postgres>,
    pub secrets: Secrets,
    pub plan: Plan,
}

impl Cluster {
    /// Starts what the plan needs and waits until all of it is ready.
    pub fn start(plan: Plan) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure(e.to_string());
        let secrets = Secrets::draw();
        let mut settings = vec![(PERSONAL, plan.personal.to_string())];
        let postgres = match plan.journal {
            Store::Postgres => Some(Postgres::on(plan.seeded.as_deref(), &[]).map_err(failed)?),
            Store::Sqlite => None,
        };
        let data = plan.seeded.as_deref().filter(|_| postgres.is_none());
        if let Some(postgres) = &postgres {
            settings.push((POSTGRES, postgres.url("postgres")));
        }
        let redis = match plan.redis {
            true => Some(Redis::start(&[]).map_err(failed)?),
            false => None,
        };
        if let Some(redis) = &redis {
            settings.push((REDIS, redis.url()));
        }
        if plan.proxy {
            settings.push((PROXIES, r#"["127.0.0.1"]"#.to_owned()));
        }
        let node = |_| Node::start(plan.config.as_deref(), data, &secrets, &settings);
        let nodes = (0..plan.nodes).map(node).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
        let nginx = match plan.proxy {
            true => Some(Nginx::start(&addresses, ONE_MACHINE).map_err(failed)?),
            false => None,
        };
        Ok(Self { nodes, killed: Vec::new(), nginx, redis, _postgres: postgres, secrets, plan })
    }

    /// Where clients come in: the proxy, or the nodes in turn.
    pub fn doors(&self) -> Vec<SocketAddr> {
        match &self.nginx {
            Some(nginx) => vec![(Ipv4Addr::LOCALHOST, nginx.port()).into()],
            None => self.nodes.iter().map(|node| node.address).collect(),
        }
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes' processes.
    pub fn processes(&self) -> Vec<Process> {
        self.nodes.iter().map(Node::process).collect()
    }

    /// The node with the most connections, and how many those are.
    pub fn fullest(&self) -> Result<(usize, usize), Failure> {
        let counts = self.nodes.iter().map(Node::connections).collect::<Result<Vec<_>, _>>()?;
        let fullest = counts.into_iter().enumerate().max_by_key(|(_, count)| *count);
        fullest.ok_or_else(|| Failure("there is no node".into()))
    }

    /// `kill -9` for a node.
    pub fn kill(&mut self, node: usize) -> Result<(), Failure> {
        self.killed.push(node);
        self.nodes[node].kill()
    }

    /// The Redis of these nodes.
    pub fn redis(&mut self) -> Result<&mut Redis, Failure> {
        self.redis.as_mut().ok_or_else(|| Failure("there is no Redis without --nodes".into()))
    }

    /// Asks the nodes to go, and says so if one did not go well.
    pub fn stop(mut self) -> Result<(), Failure> {
        for (number, node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if !self.killed.contains(&number) {
                node.stop()?;
            }
        }
        Ok(())
    }

    /// What the nodes said in the end, for a run that went wrong.
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let _ = write!(words, "\nnode {}: {}", number + 1, node.last_words());
        }
        words
    }
}
