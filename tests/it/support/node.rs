//! A real node in a process and a folder of its own: started, killed, stopped, started again on the same port and data.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{Answer, request, until};

/// Signs the tokens of all tests.
pub const SECRET: &str = "the secret of these tests, 32 bytes or more";
/// Opens the server API in all tests.
pub const API_KEY: &str = "the API key of these tests, 32 bytes or more";

const BINARY: &str = env!("CARGO_BIN_EXE_fanfare");

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// Below the range from which outgoing connections draw theirs, so that nobody takes a port while its node is down.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

/// A node that ends, and whose folder goes, with this value.
pub struct Node {
    pub port: u16,
    pub operator_port: u16,
    dir: PathBuf,
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Node {
    /// A node with the namespaces of `tests/node.toml`.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more settings, each a variable without its `FANFARE_`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let mut node = Self::prepared(settings);
        node.launch();
        node
    }

    /// Folder, ports and settings, and no process yet.
    pub fn prepared(settings: &[(&str, &str)]) -> Self {
        let (port, operator_port) = (free_port(), free_port());
        let dir = std::env::temp_dir().join(format!("fanfare-it-{}-{port}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder for the node");
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node.toml");
        let mut env = vec![
            ("FANFARE_CONFIG".to_owned(), config.to_owned()),
            ("FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY".to_owned(), SECRET.to_owned()),
            ("FANFARE_HTTP_API__KEY".to_owned(), API_KEY.to_owned()),
        ];
        #[cfg(feature = "failpoints")]
        env.extend(super::mutant::variable());
        env.extend(
            settings.iter().map(|(name, value)| (format!("FANFARE_{name}"), (*value).into())),
        );
        Self { port, operator_port, dir, env, child: None }
    }

    /// The command that runs `fanfare` with this node's folder, ports and settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.surrounded(Command::new(BINARY));
        command.args(arguments);
        command
    }

    fn surrounded(&self, mut command: Command) -> Command {
        command
            .current_dir(&self.dir)
            .env_clear()
            .env("FANFARE_DATA_DIR", self.data_dir())
            .env("FANFARE_HTTP_SERVER__PORT", self.port.to_string())
            .env("FANFARE_OPERATOR__PORT", self.operator_port.to_string())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Starts the process and waits until it says that it is ready.
    #[track_caller]
    pub fn launch(&mut self) {
        self.launch_as(self.command(&["serve"]));
    }

    /// The same after a line of shell, which may set what a process inherits.
    #[track_caller]
    pub fn launch_after(&mut self, shell: &str) {
        let mut command = self.surrounded(Command::new("sh"));
        command.args(["-c", &format!("{shell}; exec \"$0\" serve"), BINARY]);
        self.launch_as(command);
    }

    #[track_caller]
    fn launch_as(&mut self, mut command: Command) {
        let log = fs::File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a log file");
        let errors = log.try_clone().expect("a second handle of the log file");
        let child = command.stdout(log).stderr(errors).spawn();
        self.child = Some(child.expect("the binary can be started"));
        until("the node is ready", STARTS_WITHIN, || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the node ended with {ended:?}:\n{}", self.log());
            (self.ready()?.status == 200).then_some(())
        });
    }

    /// What `/ready` answers; none while nobody listens.
    pub fn ready(&self) -> Option<Answer> {
        request(self.operator_port, "GET /ready HTTP/1.1", "").ok()
    }

    /// SIGKILL: as if the power went.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the node was started");
        kill(Pid::from_raw(child.id() as i32), signal).expect("the node still runs");
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("the node was started");
        let status = until("the node ended", ENDS_WITHIN, || child.try_wait().ok().flatten());
        self.child = None;
        status
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node was started").id()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let pid = self.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        let kib = line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
        kib.expect("a number") * 1024
    }

    /// Calls a method of the server API. A 408 says that nothing was read, so the call is made again: a node that was
    /// stopped for longer than a request may take counts its first request's time from before the pause.
    #[track_caller]
    pub fn api(&self, method: &str, body: &Value) -> Value {
        let head = format!(
            "POST /api/{method} HTTP/1.1\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json"
        );
        let call = || request(self.port, &head, &body.to_string()).expect("an answer of the API");
        let answer =
            (0..3).map(|_| call()).find(|answer| answer.status != 408).unwrap_or_else(call);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Journal, generated secrets and lock.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// All that the node has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the node said:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Runs to its end; returns the exit code, standard output and standard error.
#[track_caller]
pub fn run(mut command: Command) -> (Option<i32>, String, String) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: &mut dyn Read| {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text).unwrap_or_default()
    };
    let reading =
        std::thread::spawn(move || err.as_mut().map(|pipe| read(pipe)).unwrap_or_default());
    let out = out.as_mut().map(|pipe| read(pipe)).unwrap_or_default();
    let status = until("the command ended", ENDS_WITHIN, || child.try_wait().ok().flatten());
    (status.code(), out, reading.join().unwrap_or_default())
}

fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + start.wrapping_add(step) % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).expect("ports end below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
