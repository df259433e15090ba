//! A server process on a leash: with a folder of its own, and gone when its owner drops it, or dies in whatever way.

use std::{
    ffi::OsStr,
    fs, io,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How often the start of a server is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A server that was asked to end has so long, then it is killed. A node's good-byes take 30 s at most.
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// Where servers are installed that people don't start by hand, beside what is in PATH.
const SYSTEM: &str = "/usr/sbin";

/// Runs the server, and ends it when its own standard input closes: when the owner drops it or is no more.
/// The owner is not asked to clean up, since tests have no last moment. A line says with which signal it ends and
/// whether the folder stays for the next start. In the end it takes along what is left of its process group.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
"$@" >>"$DIR/log" 2>&1 </dev/null &
server=$!
echo $server >"$DIR/pid"
read -r signal keep
children=$(cat /proc/$server/task/$server/children)
kill -${signal:-$LAST} $server
kill -CONT $children $server
wait $server
echo $? >"$DIR/status"
[ "$keep" ] || { cd / && rm -rf "$DIR"; }
kill -KILL 0
"#;

/// A process that may run, and its folder.
#[derive(Debug)]
pub struct Leash {
    /// What people call the server.
    name: &'static str,
    folder: PathBuf,
    /// Ends it when nobody is left to say how: in the way that takes its children along.
    last: Signal,
    script: Option<Child>,
}

impl Leash {
    /// A new folder, and nothing that runs. `last`: what ends the server when nobody is left to say how.
    pub fn new(name: &'static str, last: Signal) -> io::Result<Self> {
        Self::within(&std::env::temp_dir(), name, last)
    }

    /// The same with its folder in this one.
    pub fn within(place: &Path, name: &'static str, last: Signal) -> io::Result<Self> {
        let folder = format!("fanfare-{}-{}", name.to_lowercase(), uuid::Uuid::new_v4());
        let folder = place.join(folder);
        fs::create_dir(&folder)?;
        Ok(Self { name, folder, last, script: None })
    }

    /// Where the server's files are, and its `log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All that the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The last lines of it.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().rev().take(10).collect();
        match lines.is_empty() {
            true => "it said nothing".to_owned(),
            false => lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
        }
    }

    /// Starts the server; `refine` may give the command a user and variables.
    pub fn start<S: AsRef<OsStr>>(
        &mut self,
        command: impl IntoIterator<Item = S>,
        refine: impl FnOnce(&mut Command),
    ) -> io::Result<()> {
        self.end(self.last)?;
        for told in ["pid", "status"] {
            let _ = fs::remove_file(self.folder.join(told));
        }
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", SCRIPT, "leash"])
            .args(command)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DIR", &self.folder)
            .env("LAST", self.last.as_str().trim_start_matches("SIG"))
            .current_dir(&self.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        refine(&mut shell);
        self.script = Some(shell.spawn()?);
        Ok(())
    }

    /// Waits until the server is what `reached` looks for. Else the error has the end of its log.
    pub fn wait(&self, limit: Duration, reached: impl Fn() -> bool) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        while !reached() {
            let ended = self.pid().is_ok_and(|pid| !runs(pid));
            if ended || Instant::now() > deadline {
                let what = if ended { "ended" } else { "is not ready" };
                return Err(io::Error::other(format!(
                    "{} {what}: {}",
                    self.name,
                    self.last_words()
                )));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The server's process, if it was started.
    pub fn pid(&self) -> io::Result<Pid> {
        let text = fs::read_to_string(self.folder.join("pid"))?;
        let pid = text.trim().parse().map_err(|_| io::Error::other("not started yet"))?;
        Ok(Pid::from_raw(pid))
    }

    /// What the server exited with when it was last ended; 128 and more: by a signal.
    pub fn status(&self) -> Option<i32> {
        fs::read_to_string(self.folder.join("status")).ok()?.trim().parse().ok()
    }

    /// Sends a signal to the server, then to its children: who is stopped forks no more.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.pid()?;
        if signal == Signal::SIGKILL {
            kill(pid, Signal::SIGSTOP)?;
        }
        let children = children(pid);
        kill(pid, signal)?;
        for child in children {
            // It may have ended by itself meanwhile.
            let _ = kill(child, signal);
        }
        Ok(())
    }

    /// Ends the server with a signal and waits until it is gone; the folder stays.
    pub fn end(&mut self, signal: Signal) -> io::Result<()> {
        let Some(mut script) = self.script.take() else { return Ok(()) };
        let word = format!("{} keep\n", signal.as_str().trim_start_matches("SIG"));
        if let Some(mut words) = script.stdin.take() {
            words.write_all(word.as_bytes())?;
        }
        let deadline = Instant::now() + ENDS_WITHIN;
        while script.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::SIGKILL)?;
                script.wait()?;
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
        // Gone already, unless the script could not.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Finds a program, or says which Debian package brings it.
pub(super) fn program(name: &str, package: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain([PathBuf::from(SYSTEM)]);
    places.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file())).ok_or_else(
        || {
            io::Error::other(format!(
                "there is no {name}: install it (Debian: apt install {package})"
            ))
        },
    )
}

/// One that has ended and was not waited for does not run.
fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn children(pid: Pid) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}
