//! NGINX with the very file that people put in front of their nodes, `nginx/fanfare.conf`, its places filled in.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, getrlimit},
        signal::Signal,
        statvfs::{Statvfs, statvfs},
    },
    unistd::Pid,
};

use super::{
    Certificate, free_port,
    leash::{Leash, program},
};

/// The file.
const FILE: &str = include_str!("../../../nginx/fanfare.conf");

/// A node as it stands there.
const NODE: &str = "server 127.0.0.1:8000 ";

/// How long a start may take.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Files that a worker has open beside its connections.
const SPARE_FILES: u64 = 100;

/// Where files lie in memory, and how much has to be free there: more than all that is kept.
const MEMORY: (&str, u64) = ("/dev/shm", 1 << 30);

/// Served without TLS as well.
pub const PLAIN: (&str, &str) =
    ("if ($fanfare_plain) { return 308 https://$host$request_uri; }", "");

/// Thousands of clients come from one address, and without TLS: a load.
pub const ONE_MACHINE: &[(&str, &str)] = &[
    PLAIN,
    ("limit_conn fanfare_sockets 2000;", "limit_conn fanfare_sockets 65000;"),
    ("rate=50r/s;", "rate=50000r/s;"),
    ("burst=500 nodelay;", "burst=50000 nodelay;"),
    ("access.log fanfare;", "access.log fanfare buffer=64k flush=5s;"),
];

/// A running NGINX. It ends, and its folder goes, with this value or with the process.
#[derive(Debug)]
pub struct Nginx {
    port: u16,
    tls_port: u16,
    certificate: Certificate,
    leash: Leash,
}

impl Nginx {
    /// Starts it in front of these nodes. `edits`: what stands in the file, once, and what takes its place.
    pub fn start(nodes: &[SocketAddr], edits: &[(&str, &str)]) -> io::Result<Self> {
        let leash = Leash::within(&in_memory(), "NGINX", Signal::SIGTERM)?;
        let certificate = Certificate::make(leash.folder())?;
        let mut nginx = Self { port: free_port()?, tls_port: free_port()?, certificate, leash };
        let file = nginx.file(nodes, edits)?;
        std::fs::write(nginx.folder().join("nginx.conf"), file)?;
        nginx.restart()?;
        Ok(nginx)
    }

    fn file(&self, nodes: &[SocketAddr], edits: &[(&str, &str)]) -> io::Result<String> {
        let folder = self.folder().display();
        let (_, files) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let line = FILE.lines().find(|line| line.trim_start().starts_with(NODE)).unwrap_or(NODE);
        let lines: Vec<_> =
            nodes.iter().map(|node| line.replace("127.0.0.1:8000", &node.to_string())).collect();
        let places = [
            ("pid /run/nginx.pid;", format!("pid {folder}/nginx.pid;")),
            ("error_log /var/log/nginx/error.log warn;", "error_log stderr warn;".to_owned()),
            (
                "access_log /var/log/nginx/access.log fanfare buffer=64k flush=5s;",
                format!("access_log {folder}/access.log fanfare;"),
            ),
            ("worker_processes auto;", "worker_processes 4;".to_owned()),
            ("worker_rlimit_nofile 66000;", format!("worker_rlimit_nofile {};", files.min(66_000))),
            (
                "worker_connections 65536;",
                format!("worker_connections {};", files.min(66_000).saturating_sub(SPARE_FILES)),
            ),
            ("http {", format!("http {{\n{}", temporary(&folder.to_string()))),
            (
                "proxy_cache_path /var/lib/nginx/fanfare",
                format!("proxy_cache_path {folder}/answers"),
            ),
            ("listen 80 ", format!("listen 127.0.0.1:{} ", self.port)),
            ("listen 443 ", format!("listen 127.0.0.1:{} ", self.tls_port)),
            (
                "/etc/ssl/fanfare/certificate.pem",
                self.certificate.certificate.display().to_string(),
            ),
            ("/etc/ssl/fanfare/key.pem", self.certificate.key.display().to_string()),
            (line, lines.join("\n")),
        ];
        let edits = edits.iter().map(|(old, new)| (*old, (*new).to_owned()));
        places.into_iter().chain(edits).try_fold(FILE.to_owned(), |file, (old, new)| {
            match file.matches(old).count() {
                1 => Ok(file.replace(old, &new)),
                n => Err(io::Error::other(format!("\"{old}\" stands {n} times in fanfare.conf"))),
            }
        })
    }

    /// What `nginx -t` says of the file: the error has its words, warnings included.
    pub fn check(&self) -> io::Result<()> {
        let ran =
            Command::new(program("nginx", "nginx")?).args(self.arguments()).arg("-t").output()?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        match ran.status.success() && !said.contains("[warn]") {
            true => Ok(()),
            false => Err(io::Error::other(said)),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let folder = self.folder().display();
        let arguments = ["-p", &folder.to_string(), "-c", &format!("{folder}/nginx.conf")];
        // Else it opens the log of the distribution first.
        let log = ["-e", "stderr", "-g", "daemon off;"];
        arguments.into_iter().chain(log).map(str::to_owned).collect()
    }

    /// The port on 127.0.0.1 without TLS: sends clients to the other one, unless [`PLAIN`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port on 127.0.0.1 with TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Whom its clients have to trust.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The folder that holds `nginx.conf`, `access.log` and `log`.
    pub fn folder(&self) -> &Path {
        self.leash.folder()
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        self.leash.log()
    }

    /// Its master process; the workers are the children.
    pub fn pid(&self) -> io::Result<Pid> {
        self.leash.pid()
    }

    /// Ends it at once; connections break.
    pub fn stop(&mut self) -> io::Result<()> {
        self.leash.end(Signal::SIGTERM)
    }

    /// `kill -9`, the workers too.
    pub fn kill(&mut self) -> io::Result<()> {
        self.leash.signal(Signal::SIGKILL)?;
        self.leash.end(Signal::SIGKILL)
    }

    /// Starts it again on the same ports; waits until it takes connections.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        let nginx = program("nginx", "nginx")?.display().to_string();
        self.leash.start(std::iter::once(nginx).chain(self.arguments()), |_| ())?;
        let port = self.port;
        self.leash.wait(STARTS_WITHIN, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
    }
}

/// Where answers are kept, as fanfare.conf asks for: in memory, if there is room.
fn in_memory() -> PathBuf {
    let (memory, needs) = MEMORY;
    let free = |at: Statvfs| at.blocks_available() * at.fragment_size();
    match statvfs(memory) {
        Ok(at) if free(at) >= needs => memory.into(),
        _ => std::env::temp_dir(),
    }
}

/// Where bodies go that don't fit into memory: else into folders of the distribution, which belong to somebody else.
fn temporary(folder: &str) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    kinds.map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n")).concat()
}
