//! What another process of this machine costs: its processor time and memory, as the kernel counts them in `/proc`.

use std::fs;

use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{SysconfVar, sysconf},
};

use super::Failure;

/// A process on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    pub pid: u32,
}

impl Process {
    /// User and system time of all its threads so far, in seconds; the kernel counts in hundredths.
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        let ticks = cpu_ticks(&self.read("stat")?);
        ticks.map(|ticks| ticks as f64 / per_second as f64).ok_or_else(|| self.unreadable("stat"))
    }

    /// Memory that it has in RAM, in bytes.
    pub fn rss_bytes(&self) -> Result<u64, Failure> {
        rss(&self.read("status")?).ok_or_else(|| self.unreadable("status"))
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_to_string(&path)
            .map_err(|e| Failure(format!("can't read {path} of the server's process: {e}")))
    }

    fn unreadable(&self, file: &str) -> Failure {
        Failure(format!("/proc/{}/{file} does not say what it should", self.pid))
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`; the second field is a name in brackets that may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Files that are open beside the connections: the poller, pipes, the standard streams, API connections.
const SPARE_FILES: u64 = 64;

/// Raises this process's soft limit of open files to the hard one (children inherit it) and checks that so many
/// connections fit.
pub fn make_room_for(connections: usize) -> Result<(), Failure> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|e| Failure(format!("can't learn how many files may be open: {e}")))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .map_err(|e| Failure(format!("can't raise the limit of open files to {hard}: {e}")))?;
    if connections as u64 + SPARE_FILES > hard {
        return Err(Failure(format!(
            "{connections} connections need as many open files, and this process may have {hard}: \
             ask for fewer (--connections) or raise the hard limit (ulimit -Hn)"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_whatever_the_process_is_called() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 130 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(380));
        assert_eq!(cpu_ticks("42 (x) S 1"), None);
        assert_eq!(rss("Name:\tx\nVmRSS:\t    2048 kB\nVmData: 1 kB\n"), Some(2048 * 1024));
        assert_eq!(rss("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_can_be_measured_and_one_that_is_gone_says_so() {
        let this = Process { pid: std::process::id() };
        assert!(this.rss_bytes().unwrap() > 100_000);
        assert!(this.cpu_seconds().unwrap() >= 0.0);
        assert!(Process { pid: u32::MAX }.rss_bytes().unwrap_err().0.contains("4294967295"));
    }

    #[test]
    fn more_connections_than_files_are_refused_before_they_are_dialled() {
        assert!(make_room_for(usize::MAX / 2).unwrap_err().0.contains("ulimit"));
    }
}
