//! The server's processes that a run measures: one, or the nodes of a cluster.

use super::{Failure, process::Process};

/// Processes of this machine; none where the server is elsewhere.
#[derive(Clone, Default, Debug)]
pub struct Servers(Vec<Measured>);

#[derive(Clone, Copy, Debug)]
struct Measured {
    process: Process,
    /// Its memory before the first connection, in bytes.
    rss_before: u64,
    /// Its processor time when it was killed: nobody can be asked any more.
    ended: Option<f64>,
}

impl Servers {
    /// These processes, whose memory counts from now on.
    pub fn new(processes: &[Process]) -> Result<Self, Failure> {
        let measured = |process: &Process| {
            let rss_before = process.rss_bytes()?;
            Ok(Measured { process: *process, rss_before, ended: None })
        };
        processes.iter().map(measured).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is something to measure.
    pub fn are_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// A process is about to be killed.
    pub fn ending(&mut self, number: usize) -> Result<(), Failure> {
        if let Some(measured) = self.0.get_mut(number) {
            measured.ended = Some(measured.process.cpu_seconds()?);
        }
        Ok(())
    }

    /// User and system time of each so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<Vec<f64>, Failure> {
        let cpu = |measured: &Measured| match measured.ended {
            Some(seconds) => Ok(seconds),
            None => measured.process.cpu_seconds(),
        };
        self.0.iter().map(cpu).collect()
    }

    /// How much the memory of each has grown since before the first connection, in bytes.
    pub fn growth(&self) -> Result<Vec<u64>, Failure> {
        let growth = |measured: &Measured| match measured.ended {
            Some(_) => Ok(0),
            None => Ok(measured.process.rss_bytes()?.saturating_sub(measured.rss_before)),
        };
        self.0.iter().map(growth).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_killed_keeps_what_it_took_and_is_not_asked_again() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let processes = [std::process::id(), child.id()].map(|pid| Process { pid });
        let mut servers = Servers::new(&processes).unwrap();
        assert!(servers.are_known());
        servers.ending(1).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(servers.cpu_seconds().unwrap().len(), 2);
        assert_eq!(servers.growth().unwrap()[1], 0);
        assert!(Servers::new(&processes).is_err(), "one is gone");
        assert!(!Servers::default().are_known());
    }
}
