//! A PostgreSQL server of one's own: durable as it comes, since fsync is on.
//!
//! As root it runs under the user `postgres` or `nobody`, since it refuses to run as root.

use std::{
    io,
    net::{Ipv4Addr, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::{
    sys::signal::Signal,
    unistd::{Pid, Uid, User},
};

use super::{copy_folder, free_port, leash::Leash};

/// Where distributions put the programs, beside what is in PATH; the newest version counts.
const DEBIAN: &str = "/usr/lib/postgresql";

/// How long the first start may take, with `initdb` before it.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// Makes the data before the first start.
const SCRIPT: &str = r#"
[ -d "$DIR/data" ] || "$BIN/initdb" --pgdata="$DIR/data" --username=fanfare --auth=trust --encoding=UTF8 \
    --locale=C --no-sync || exit 1
exec "$BIN/postgres" -D "$DIR/data" -p "$PORT" -k "$DIR" -c listen_addresses=127.0.0.1 "$@"
"#;

/// A running server. It ends, and its folder goes, with this value or with the process.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    settings: Vec<String>,
    leash: Leash,
}

impl Postgres {
    /// Starts a server with more settings, each `name=value`.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        Self::on(None, settings)
    }

    /// The same with a copy of a folder that another one [kept](Self::keep), if one is given.
    pub fn on(data: Option<&Path>, settings: &[&str]) -> io::Result<Self> {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        // An immediate shutdown: the one that takes the server's children along and asks nobody.
        let leash = Leash::new("PostgreSQL", Signal::SIGQUIT)?;
        let mut scratch = Self { port: free_port()?, settings, leash };
        if let Some(data) = data {
            copy_folder(data, &scratch.folder().join("data"))?;
        }
        scratch.restart()?;
        Ok(scratch)
    }

    /// Shuts it down as an operator would, so that its data are whole, and copies them to a place where nothing is yet.
    pub fn keep(&mut self, to: &Path) -> io::Result<()> {
        // Whoever starts on the copy is not disturbed by a vacuum, and its planner knows the tables.
        let mut vacuum = Command::new(programs()?.join("vacuumdb"));
        vacuum.args(["--all", "--analyze", "--quiet", "--host=127.0.0.1", "--username=fanfare"]);
        let vacuumed = vacuum.arg("--port").arg(self.port.to_string()).output()?;
        if !vacuumed.status.success() {
            let said = String::from_utf8_lossy(&vacuumed.stderr).into_owned();
            return Err(io::Error::other(format!("vacuumdb: {said}")));
        }
        self.leash.end(Signal::SIGINT)?;
        copy_folder(&self.folder().join("data"), to)
    }

    /// Starts a standby that follows `primary`, asynchronously.
    pub fn follow(primary: &Self) -> io::Result<Self> {
        let leash = Leash::new("PostgreSQL", Signal::SIGQUIT)?;
        let settings = primary.settings.clone();
        let mut standby = Self { port: free_port()?, settings, leash };
        let user = standby.own_folder()?;
        let mut copy = Command::new(programs()?.join("pg_basebackup"));
        copy.args(["--host=127.0.0.1", "--username=fanfare", "--checkpoint=fast", "--no-sync"])
            .args(["--write-recovery-conf", "--wal-method=stream", "--port"])
            .arg(primary.port.to_string())
            .arg("--pgdata")
            .arg(standby.folder().join("data"))
            .current_dir(standby.folder());
        if let Some(user) = user {
            copy.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let copied = copy.output()?;
        if !copied.status.success() {
            let said = String::from_utf8_lossy(&copied.stderr).into_owned();
            return Err(io::Error::other(format!("pg_basebackup: {said}")));
        }
        standby.restart()?;
        Ok(standby)
    }

    /// Whom it runs as, if not as who asked for it; the folder is then that user's.
    fn own_folder(&self) -> io::Result<Option<User>> {
        let user = Uid::effective().is_root().then(unprivileged).transpose()?;
        if let Some(user) = &user {
            chown(self.folder(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(user)
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
        self.leash.folder()
    }

    /// The postmaster.
    pub fn pid(&self) -> io::Result<Pid> {
        self.leash.pid()
    }

    /// Stops it at once, as a crash would: what was committed stays.
    pub fn stop(&mut self) -> io::Result<()> {
        self.leash.end(Signal::SIGQUIT)
    }

    /// It does nothing any more and keeps its connections, until [`resume`](Self::resume).
    pub fn pause(&self) -> io::Result<()> {
        self.leash.signal(Signal::SIGSTOP)
    }

    /// It goes on where it was paused.
    pub fn resume(&self) -> io::Result<()> {
        self.leash.signal(Signal::SIGCONT)
    }

    /// Starts it again on the same port and data; waits until it takes connections.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        let user = self.own_folder()?;
        let programs = programs()?;
        let (port, script) = (self.port, ["/bin/sh", "-c", SCRIPT, "postgres"]);
        let settings = self.settings.iter().flat_map(|setting| ["-c", setting]);
        self.leash.start(script.into_iter().chain(settings), |command| {
            command.env("BIN", programs).env("PORT", port.to_string());
            if let Some(user) = user {
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            }
        })?;
        let lock = self.folder().join("data/postmaster.pid");
        self.leash.wait(STARTS_WITHIN, || {
            // It writes such a line into its lock file when it takes connections.
            let ready = std::fs::read_to_string(&lock)
                .is_ok_and(|lines| lines.lines().any(|l| matches!(l.trim(), "ready" | "standby")));
            ready && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        })
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

#[cfg(test)]
pub(crate) mod shared {
    //! One server for all tests of a process, a schema for each.

    use std::{process::Command, sync::OnceLock};

    use super::{Postgres, programs};

    /// The server of this process.
    pub(crate) fn server() -> &'static Postgres {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER
            .get_or_init(|| Postgres::start(&["max_connections=300"]).expect("a PostgreSQL server"))
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
