//! A node of this binary, started for one run: free ports, a fresh journal in a temporary folder, stopped at the end.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Failure, http::Http, process::Process};

/// A running node.
pub struct Node {
    child: Child,
    /// Where its clients come in.
    pub address: SocketAddr,
    /// What its clients' tokens are signed with.
    pub secret: String,
    /// The key of its server API.
    pub api_key: String,
    folder: PathBuf,
}

/// A fresh node is ready long before.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// Longer than a node takes for its good-byes.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
const LOG: &str = "node.log";

impl Node {
    /// Starts `fanfare serve` and waits until it is ready. Settings in the environment reach it, so that they can be
    /// measured too. The folder is made in `TMPDIR`: durable publishes are as fast as that disk.
    ///
    /// `personal`: users are subscribed to channels of their own, which is a room more for each of them.
    pub fn start(run: &str, config: Option<&Path>, personal: bool) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure(format!("can't start a node: {e}"));
        let config = config.map(Path::canonicalize).transpose().map_err(failed)?;
        let folder = env::temp_dir().join(format!("fanfare-load-{run}-{}", std::process::id()));
        let [public, operator] = free_ports().map_err(failed)?;
        let [secret, api_key] = [(); 2].map(|()| uuid::Uuid::new_v4().simple().to_string());
        fs::create_dir_all(&folder).map_err(failed)?;
        let log = File::create(folder.join(LOG)).map_err(failed)?;
        let child = Command::new(env::current_exe().map_err(failed)?)
            .arg("serve")
            .args(config.iter().flat_map(|file| [OsStr::new("--config"), file.as_os_str()]))
            .current_dir(&folder)
            .env("FANFARE_DATA_DIR", folder.join("data"))
            .env("FANFARE_HTTP_SERVER__PORT", public.port().to_string())
            .env("FANFARE_OPERATOR__PORT", operator.port().to_string())
            .env("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY", &secret)
            .env("FANFARE_HTTP_API__KEY", &api_key)
            .env(
                "FANFARE_CLIENT__SUBSCRIBE_TO_USER_PERSONAL_CHANNEL__ENABLED",
                personal.to_string(),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn();
        let child = child.map_err(|e| {
            let _ = fs::remove_dir_all(&folder);
            failed(e)
        })?;
        let mut node = Self { child, address: public, secret, api_key, folder };
        node.wait_until_ready(operator)?;
        Ok(node)
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    /// The endpoint of its clients.
    pub fn url(&self) -> String {
        format!("ws://{}/connection/websocket", self.address)
    }

    /// Asks it to go, waits, and says so if it did not go well.
    pub fn stop(mut self) -> Result<(), Failure> {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, Signal::SIGTERM).map_err(|e| Failure(format!("can't stop the node: {e}")))?;
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(Failure(format!(
                        "the node ended with {status}; {}",
                        last_words(&self.folder)
                    )));
                }
                _ if Instant::now() > deadline => {
                    return Err(Failure(format!("the node did not stop within {STOP_DEADLINE:?}")));
                }
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn wait_until_ready(&mut self, operator: SocketAddr) -> Result<(), Failure> {
        let deadline = Instant::now() + START_DEADLINE;
        let mut http = Http::new(operator, &operator.to_string());
        loop {
            if http.get("/ready").is_ok_and(|response| response.status == 200) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failure(format!(
                    "the node ended with {status}; {}",
                    last_words(&self.folder)
                )));
            }
            if Instant::now() > deadline {
                return Err(Failure(format!(
                    "the node is not ready after {START_DEADLINE:?}; {}",
                    last_words(&self.folder)
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Two ports that nobody has right now.
fn free_ports() -> std::io::Result<[SocketAddr; 2]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, two) = (listen()?, listen()?);
    Ok([one.local_addr()?, two.local_addr()?])
}

/// The end of the node's log, for a message.
fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(5).collect();
    match lines.is_empty() {
        true => "it said nothing".into(),
        false => {
            format!("it said:\n  {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n  "))
        }
    }
}
