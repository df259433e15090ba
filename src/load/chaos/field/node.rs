//! A node of this binary that dies and comes back on the same ports and data.

use std::{
    env,
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    load::{Failure, chaos::record::Counters, http::Http},
    platform::scratch::free_port,
};

/// How long a start may take while the machine is busy with a load.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a drain may take.
const ENDS_WITHIN: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(10);
const LOG: &str = "node.log";

/// A node, running or not.
pub struct Node {
    pub number: u8,
    /// Where its clients come in.
    pub address: SocketAddr,
    operator: SocketAddr,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    child: Option<Child>,
}

impl Node {
    /// Folder, ports and settings; nothing runs yet. Settings of the environment reach it, so that a whole run can be
    /// done with a mutant.
    pub fn prepare(number: u8, settings: &[(&str, String)]) -> Result<Self, Failure> {
        let port = || io::Result::Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        let prepared = || -> io::Result<Self> {
            let folder = env::temp_dir().join(format!("fanfare-chaos-{}", uuid::Uuid::new_v4()));
            fs::create_dir_all(&folder)?;
            let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
            Ok(Self {
                number,
                address: port()?,
                operator: port()?,
                folder,
                settings: settings.iter().map(own).collect(),
                child: None,
            })
        };
        prepared().map_err(|e| Failure(format!("can't prepare a node: {e}")))
    }

    /// Starts the process; it may not be ready yet.
    pub fn launch(&mut self) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join(LOG))?;
        let child = Command::new(env::current_exe()?)
            .arg("serve")
            .current_dir(&self.folder)
            .env("FANFARE_DATA_DIR", self.folder.join("data"))
            .env("FANFARE_HTTP_SERVER__PORT", self.address.port().to_string())
            .env("FANFARE_OPERATOR__PORT", self.operator.port().to_string())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it takes clients.
    pub fn wait_until_ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if self.is_ready() {
                return Ok(());
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() > deadline {
                let how =
                    ended.map_or("is not ready".into(), |status| format!("ended with {status}"));
                return Err(io::Error::other(format!(
                    "node {} {how}; it said:\n{}",
                    self.number,
                    self.last_words()
                )));
            }
            thread::sleep(LOOK);
        }
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        let mut http = Http::new(self.operator, &self.operator.to_string());
        http.get("/ready").is_ok_and(|answer| answer.status == 200)
    }

    /// The process, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.pid().ok_or_else(|| io::Error::other("the node does not run"))?;
        Ok(kill(Pid::from_raw(pid as i32), signal)?)
    }

    /// Waits until the process has ended; returns the signal that ended it, or 0, and its code.
    pub fn wait_until_ended(&mut self) -> io::Result<(i32, i32)> {
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            if let Some(status) = self.ended() {
                self.child = None;
                return Ok((status.signal().unwrap_or(0), status.code().unwrap_or(0)));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("node {} does not end", self.number)));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Arms failpoints; false if the binary has none.
    pub fn arm(&self, plan: &str) -> bool {
        let mut http = Http::new(self.operator, &self.operator.to_string());
        http.post("/failpoints", "", plan.as_bytes()).is_ok_and(|answer| answer.status / 100 == 2)
    }

    /// What it counts; none while it does not answer.
    pub fn counters(&self) -> Option<Counters> {
        let mut http = Http::new(self.operator, &self.operator.to_string());
        let answer = http.get("/metrics").ok().filter(|answer| answer.status == 200)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Some(Counters {
            node: self.number,
            pid: self.pid()?,
            at: 0,
            order_broken: count(&text, "fanfare_order_broken_total"),
            member_behind: count(&text, "fanfare_member_behind_total"),
            learned_from_feed: count(&text, "fanfare_learned_from_feed_total"),
        })
    }

    /// All that it has said.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The sum of a counter over its labels; none if there is no such counter.
fn count(text: &str, name: &str) -> Option<u64> {
    let of = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.split_once('}')?.1,
            None => rest,
        };
        value.strip_prefix(' ')?.trim().parse::<f64>().ok()
    });
    of.map(|value| value as u64).reduce(|a, b| a + b)
}

/// The state of a process as the kernel shows it: `T` is stopped.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_their_labels() {
        let text =
            "# HELP a_total x\na_total{k=\"1\"} 2\na_total{k=\"2\"} 3\nb_total 7\na_total_more 9\n";
        assert_eq!(count(text, "a_total"), Some(5));
        assert_eq!(count(text, "b_total"), Some(7));
        assert_eq!(count(text, "c_total"), None);
    }

    #[test]
    fn a_process_shows_its_state() {
        assert!(state(std::process::id()).is_some());
        assert_eq!(state(u32::MAX), None);
    }
}
