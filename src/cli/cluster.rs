//! `fanfare cluster`: several nodes on this machine with all that they stand on, for a person to try.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, exit::say, settings};
use crate::load::spawn::{Cluster, Plan};

/// Try a cluster: nodes with a Redis, a PostgreSQL and an NGINX of their own, on free ports of this machine.
///
/// The programs of all three have to be installed. Everything is temporary and ends with Ctrl-C.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=16))]
    nodes: u32,
}

pub(super) fn run(args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let failed = |failure: crate::load::Failure| Failure::Failed(failure.0);
    let plan = Plan::to_try(args.nodes as usize, settings.config.clone());
    let cluster = Cluster::start(plan).map_err(failed)?;
    until_told_to_stop(|| say(Screen::of(&cluster)))?;
    say("Stopping all of it.")?;
    cluster.stop().map_err(failed)
}

/// Says that it is up, and waits for Ctrl-C or SIGTERM.
fn until_told_to_stop(up: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::Failed(format!("can't wait for Ctrl-C: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(failed)?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        up()?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

/// What to open, and the lines to copy.
struct Screen {
    program: PathBuf,
    proxy: Vec<SocketAddr>,
    /// Clients' and operators' ports.
    nodes: Vec<(SocketAddr, SocketAddr)>,
    token_secret: String,
    api_key: String,
}

impl Screen {
    fn of(cluster: &Cluster) -> Self {
        Self {
            program: std::env::current_exe().unwrap_or_else(|_| "fanfare".into()),
            proxy: cluster.doors(),
            nodes: cluster.nodes().iter().map(|node| (node.address, node.operator)).collect(),
            token_secret: cluster.secrets.token.clone(),
            api_key: cluster.secrets.api_key.clone(),
        }
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display();
        writeln!(
            f,
            "{} nodes are up, with a Redis, a PostgreSQL and an NGINX.\n",
            self.nodes.len()
        )?;
        for proxy in &self.proxy {
            writeln!(
                f,
                "  clients    ws://{proxy}/connection/websocket   by NGINX, to any of the nodes"
            )?;
            writeln!(f, "  backends   http://{proxy}/api")?;
        }
        for (number, (address, operator)) in (1..).zip(&self.nodes) {
            writeln!(f, "  node {number}     ws://{address}/connection/websocket")?;
            writeln!(f, "             http://{operator}/ready  /live  /metrics  /version")?;
        }
        writeln!(f, "\nIn other terminals, after this line (secrets of this try):\n")?;
        writeln!(
            f,
            "  export FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY={} FANFARE_HTTP_API__KEY={}\n",
            self.token_secret, self.api_key
        )?;
        if let [(first, _), .., (last, _)] = &self.nodes[..] {
            writeln!(f, "  {program} sub --url ws://{last} hello")?;
            writeln!(f, "  {program} pub --url ws://{first} hello '{{\"text\": \"hi\"}}'")?;
        }
        if let Some(proxy) = self.proxy.first() {
            writeln!(
                f,
                "  curl -H \"X-API-Key: $FANFARE_HTTP_API__KEY\" -d '{{\"channel\": \"hello\", \"data\": {{\"text\": \
                 \"from a backend\"}}}}' http://{proxy}/api/publish"
            )?;
        }
        writeln!(f, "  {program} token --user ana          for the SDK of your app")?;
        write!(f, "\nCtrl-C stops all of it.")
    }
}
