//! A PostgreSQL server of one's own: in a temporary folder, on a free port of loopback, gone when its owner is.
//!
//! For tests and for `fanfare load --spawn`. The programs `initdb` and `postgres` have to be installed. As root
//! it runs under the user `postgres` or `nobody`, since it refuses to run as root.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use nix::unistd::{Uid, User};

/// Where distributions put the programs, beside what is in PATH; the newest version counts.
const DEBIAN: &str = "/usr/lib/postgresql";

/// How long the first start may take, with `initdb` before it.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// Below the range from which outgoing connections draw theirs, so that nobody takes the port of a server
/// that is stopped for a while.
const PORTS: std::ops::Range<u16> = 12_000..20_000;

/// How often the start is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Makes the server, and ends it when its own standard input closes: when its owner drops it, or dies in
/// whatever way. The owner is not asked to clean up, since tests have no last moment. Told to keep the
/// folder, it leaves it for the next start.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
[ -d "$DIR/data" ] || "$BIN/initdb" --pgdata="$DIR/data" --username=fanfare --auth=trust --encoding=UTF8 \
    --locale=C --no-sync >"$DIR/log" 2>&1 || exit 1
"$BIN/postgres" -D "$DIR/data" -p "$PORT" -k "$DIR" -c listen_addresses=127.0.0.1 "$@" >>"$DIR/log" 2>&1 </dev/null &
server=$!
read -r word
kill -QUIT $server
wait $server
[ "$word" = keep ] || { cd / && rm -rf "$DIR"; }
"#;

/// A running server. It ends, and its folder goes, with this value or with the process.
#[derive(Debug)]
pub struct Scratch {
    port: u16,
    folder: PathBuf,
    settings: Vec<String>,
    script: Option<Child>,
}

impl Scratch {
    /// Starts a server with more settings, each `name=value`. Durable as it comes: fsync is on.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        let port = free_port()?;
        let folder =
            std::env::temp_dir().join(format!("fanfare-postgres-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder)?;
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut scratch = Self { port, folder, settings, script: None };
        scratch.restart()?;
        Ok(scratch)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database; every server begins with one called `postgres`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://fanfare@127.0.0.1:{}/{database}", self.port)
    }

    /// The folder that holds `data` and `log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it at once, as a crash would: what was committed stays.
    pub fn stop(&mut self) -> io::Result<()> {
        let Some(mut script) = self.script.take() else { return Ok(()) };
        if let Some(mut words) = script.stdin.take() {
            words.write_all(b"keep\n")?;
        }
        script.wait().map(drop)
    }

    /// Starts it again on the same port and data; waits until it takes connections.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        let mut command = Command::new("/bin/sh");
        if Uid::effective().is_root() {
            let user = unprivileged()?;
            chown(&self.folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
            .args(["-c", SCRIPT, "scratch"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BIN", programs()?)
            .env("DIR", &self.folder)
            .env("PORT", self.port.to_string())
            .current_dir(&self.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let script = self.script.insert(command.spawn()?);
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            // It writes this line into its lock file when it takes connections.
            let ready = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))
                .is_ok_and(|lines| lines.lines().any(|line| line.trim() == "ready"));
            if ready && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if script.try_wait()?.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL did not start: {log}")));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
        // Gone already, unless the script could not.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn programs() -> io::Result<PathBuf> {
    let beside = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = debian.into_iter().rev().map(|(_, folder)| folder);
    debian.chain(std::env::split_paths(&path)).find(|folder| beside(folder)).ok_or_else(|| {
        io::Error::other(
            "no initdb and postgres: install PostgreSQL (Debian: apt install postgresql)",
        )
    })
}

fn unprivileged() -> io::Result<User> {
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok()?);
    found.ok_or_else(|| {
        io::Error::other("there is no user \"postgres\" or \"nobody\" to run PostgreSQL as")
    })
}

fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that start side by side begin at different places.
    let start = (std::process::id() % u32::from(PORTS.len() as u16)) as u16;
    let step = || start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let port = || PORTS.start + step() % PORTS.len() as u16;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found = std::iter::repeat_with(port).take(PORTS.len()).find(free);
    found.ok_or_else(|| io::Error::other("no port of loopback is free"))
}

#[cfg(test)]
pub(crate) mod shared {
    //! One server for all tests of a process, a schema for each.

    use std::{process::Command, sync::OnceLock};

    use super::{Scratch, programs};

    /// The server of this process.
    pub(crate) fn server() -> &'static Scratch {
        static SERVER: OnceLock<Scratch> = OnceLock::new();
        SERVER
            .get_or_init(|| Scratch::start(&["max_connections=300"]).expect("a PostgreSQL server"))
    }

    /// Runs SQL in it, as its superuser.
    pub(crate) fn sql(url: &str, text: &str) -> String {
        let psql = programs().expect("PostgreSQL is installed").join("psql");
        let ran = Command::new(psql).args([url, "-Atqc", text]).output().expect("psql runs");
        assert!(ran.status.success(), "{text}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// The address of a new, empty schema.
    pub(crate) fn schema() -> String {
        let (url, name) = (server().url("postgres"), format!("s{}", uuid::Uuid::new_v4().simple()));
        sql(&url, &format!("create schema {name}"));
        format!("{url}?options=-c%20search_path%3D{name}")
    }
}
