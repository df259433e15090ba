//! A node of this binary, started for one run: free ports, a fresh journal in a temporary folder, stopped at the end.

use std::{
    env, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use nix::sys::signal::Signal;

use super::Secrets;
use crate::{
    load::{Failure, http::Http, process::Process},
    platform::scratch::{Leash, copy_folder, free_port},
};

/// A running node.
pub struct Node {
    leash: Leash,
    process: Process,
    /// Where its clients come in.
    pub address: SocketAddr,
    /// Where its operators look.
    pub operator: SocketAddr,
}

/// A fresh node is ready long before.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A load is no abuse: the limits of users and devices are so high that nothing meets them, and not off, so that what
/// counts is measured with the rest.
const UNMET: &str = "1000000000";
const LIMIT: &str = "FANFARE_CLIENT__RATE_LIMIT__";
const UNMET_LIMITS: [&str; 10] = [
    "USER_CONNECT_RATE",
    "USER_CONNECT_BURST",
    "USER_COMMAND_RATE",
    "USER_COMMAND_BURST",
    "USER_PUBLISH_RATE",
    "USER_PUBLISH_BURST",
    "DEVICE_COMMAND_RATE",
    "DEVICE_COMMAND_BURST",
    "DEVICE_PUBLISH_RATE",
    "DEVICE_PUBLISH_BURST",
];

impl Node {
    /// Starts `fanfare serve` and waits until it is ready. Settings in the environment reach it, so that they can be
    /// measured too; those of `settings` go before them. The folder is made in `TMPDIR`: durable publishes into SQLite
    /// are as fast as that disk. It begins with a copy of `data`, if that is given.
    pub fn start(
        config: Option<&Path>,
        data: Option<&Path>,
        secrets: &Secrets,
        settings: &[(&str, String)],
    ) -> Result<Self, Failure> {
        Self::try_start(config, data, secrets, settings)
            .map_err(|e| Failure(format!("can't start a node: {e}")))
    }

    fn try_start(
        config: Option<&Path>,
        seeded: Option<&Path>,
        secrets: &Secrets,
        settings: &[(&str, String)],
    ) -> io::Result<Self> {
        let port = || Ok::<_, io::Error>(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        let (address, operator) = (port()?, port()?);
        let mut leash = Leash::new("node", Signal::SIGKILL)?;
        let data = leash.folder().join("data");
        if let Some(seeded) = seeded {
            copy_folder(seeded, &data)?;
        }
        let mut command = vec![env::current_exe()?.into_os_string(), "serve".into()];
        if let Some(file) = config {
            command.extend(["--config".into(), file.canonicalize()?.into_os_string()]);
        }
        leash.start(command, |command| {
            command
                .envs(UNMET_LIMITS.iter().map(|name| (format!("{LIMIT}{name}"), UNMET)))
                .envs(env::vars_os())
                .env("FANFARE_DATA_DIR", data)
                .env("FANFARE_HTTP_SERVER__PORT", address.port().to_string())
                .env("FANFARE_OPERATOR__PORT", operator.port().to_string())
                .env("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", &secrets.token)
                .env("FANFARE_HTTP_API__KEY", &secrets.api_key)
                .envs(settings.iter().map(|(name, value)| (name, value)));
        })?;
        leash.wait(START_DEADLINE, || {
            let mut http = Http::new(operator, &operator.to_string());
            http.get("/ready").is_ok_and(|response| response.status == 200)
        })?;
        let process = Process { pid: leash.pid()?.as_raw().unsigned_abs() };
        Ok(Self { leash, process, address, operator })
    }

    /// Its process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// How many connections it has, as it tells its operators.
    pub fn connections(&self) -> Result<usize, Failure> {
        let answer = Http::new(self.operator, &self.operator.to_string()).get("/metrics")?;
        let text = String::from_utf8_lossy(&answer.body);
        let told = text.lines().find_map(|line| line.strip_prefix("fanfare_connections "));
        told.and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| Failure("a node does not say how many connections it has".into()))
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.leash.end(Signal::SIGKILL).map_err(|e| Failure(format!("can't kill a node: {e}")))
    }

    /// Asks it to go, waits, and says so if it did not go well.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.leash.end(Signal::SIGTERM).map_err(|e| Failure(format!("can't stop a node: {e}")))?;
        match self.leash.status() {
            Some(0) => Ok(()),
            status => Err(Failure(format!(
                "a node ended with {}; {}",
                status.map_or("no status".to_owned(), |status| status.to_string()),
                self.leash.last_words()
            ))),
        }
    }

    /// The end of what it has said.
    pub fn last_words(&self) -> String {
        self.leash.last_words()
    }
}
