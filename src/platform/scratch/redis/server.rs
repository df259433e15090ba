//! A single Redis server that keeps nothing on disk unless it is told to.

use std::{io, path::Path, time::Duration};

use nix::{sys::signal::Signal, unistd::Pid};

use super::words::ask;
use crate::platform::scratch::{
    Certificate, free_port,
    leash::{Leash, program},
};

/// How long a start may take.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// Before the settings of the caller, which may overrule it.
const SETTINGS: &str = "\
bind 127.0.0.1
save \"\"
appendonly no
";

/// A running server. It ends, and its folder goes, with this value or with the process.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    tls: Option<(u16, Certificate)>,
    leash: Leash,
    /// Beside the file of settings: what kind of server it is.
    mode: Option<&'static str>,
}

impl Redis {
    /// Starts a server with more settings, each a line as it stands in `redis.conf`:
    /// `user ana on >secret ~* &* +@all`, `client-output-buffer-limit pubsub 1mb 1mb 1`, `appendonly yes`.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        Self::serve(settings, None, None)
    }

    /// The same, which takes TLS on a second port.
    pub fn with_tls(settings: &[&str]) -> io::Result<Self> {
        Self::serve(settings, Some(free_port()?), None)
    }

    /// `mode`: an argument of `redis-server`.
    pub(super) fn serve(
        settings: &[&str],
        tls: Option<u16>,
        mode: Option<&'static str>,
    ) -> io::Result<Self> {
        let leash = Leash::new("Redis", Signal::SIGKILL)?;
        let tls = match tls {
            Some(port) => Some((port, Certificate::make(leash.folder())?)),
            None => None,
        };
        let mut redis = Self { port: free_port()?, tls, leash, mode };
        std::fs::write(redis.folder().join("redis.conf"), redis.file(settings))?;
        redis.launch()?;
        Ok(redis)
    }

    fn file(&self, settings: &[&str]) -> String {
        let mut file = format!("port {}\ndir {}\n", self.port, self.folder().display());
        if self.mode.is_none() {
            file += SETTINGS;
        }
        if let Some((port, made)) = &self.tls {
            file += &format!(
                "tls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\n",
                made.certificate.display(),
                made.key.display(),
                made.authority.display(),
            );
        }
        file + &settings.join("\n") + "\n"
    }

    fn launch(&mut self) -> io::Result<()> {
        let server = program("redis-server", "redis-server")?;
        let file = self.folder().join("redis.conf");
        let mode = self.mode.map(Path::new);
        self.leash.start([server.as_path(), &file].into_iter().chain(mode), |_| ())?;
        let port = self.port;
        self.leash.wait(STARTS_WITHIN, || match ask(port, &["PING"]) {
            Ok(_) => true,
            Err(e) => e.to_string().starts_with("NOAUTH"),
        })
    }

    /// The port on 127.0.0.1 that speaks without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `rediss://127.0.0.1:PORT`, and whom to trust, if it takes TLS.
    pub fn tls(&self) -> Option<(String, &Certificate)> {
        let (port, certificate) = self.tls.as_ref()?;
        Some((format!("rediss://127.0.0.1:{port}"), certificate))
    }

    /// The folder that holds `redis.conf` and `log`.
    pub fn folder(&self) -> &Path {
        self.leash.folder()
    }

    /// All that the server has said.
    pub fn log(&self) -> String {
        self.leash.log()
    }

    /// Its process.
    pub fn pid(&self) -> io::Result<Pid> {
        self.leash.pid()
    }

    /// Asks something as the user `default`. An array comes as its elements one after the other, nested ones flat.
    pub fn ask(&self, words: &[&str]) -> io::Result<Vec<String>> {
        ask(self.port, words)
    }

    /// Asks it to go: it closes its connections and keeps what its settings let it keep.
    pub fn stop(&mut self) -> io::Result<()> {
        self.leash.end(Signal::SIGTERM)
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> io::Result<()> {
        self.leash.end(Signal::SIGKILL)
    }

    /// It does nothing any more and keeps its connections, until [`resume`](Self::resume).
    pub fn pause(&self) -> io::Result<()> {
        self.leash.signal(Signal::SIGSTOP)
    }

    /// It goes on where it was paused.
    pub fn resume(&self) -> io::Result<()> {
        self.leash.signal(Signal::SIGCONT)
    }

    /// Starts it again on the same port, with the same settings; waits until it answers.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        self.launch()
    }

    /// Waits until it answers `words` so that `reached` is content.
    pub(super) fn until(
        &self,
        limit: Duration,
        words: &[&str],
        reached: impl Fn(&[String]) -> bool,
    ) -> io::Result<()> {
        self.leash.wait(limit, || ask(self.port, words).is_ok_and(|answer| reached(&answer)))
    }
}
