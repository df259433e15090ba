//! A master, a replica and three sentinels that put the replica in its place within seconds.

use std::{io, time::Duration};

use super::Redis;

/// What the sentinels call the master.
const NAME: &str = "fanfare";

/// Until all know each other: they say hello every two seconds.
const MEETS_WITHIN: Duration = Duration::from_secs(30);

/// How long a promotion may take.
const PROMOTES_WITHIN: Duration = Duration::from_secs(30);

/// Two servers and who watches them.
#[derive(Debug)]
pub struct Sentinels {
    servers: [Redis; 2],
    sentinels: Vec<Redis>,
}

impl Sentinels {
    /// Starts all five, the two servers with more settings; waits until each sentinel knows all others.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        let master = Redis::start(settings)?;
        let of = format!("replicaof 127.0.0.1 {}", master.port());
        let replica = Redis::start(&[settings, &[&of, "repl-diskless-sync-delay 0"]].concat())?;
        replica.until(MEETS_WITHIN, &["INFO", "replication"], |info| {
            info.iter().any(|text| text.contains("master_link_status:up"))
        })?;
        let watch = [
            format!("sentinel monitor {NAME} 127.0.0.1 {} 2", master.port()),
            format!("sentinel down-after-milliseconds {NAME} 500"),
            format!("sentinel failover-timeout {NAME} 3000"),
        ];
        let watch: Vec<&str> = watch.iter().map(String::as_str).collect();
        let sentinel = |_| Redis::serve(&watch, None, Some("--sentinel"));
        let sentinels = (0..3).map(sentinel).collect::<io::Result<Vec<_>>>()?;
        for sentinel in &sentinels {
            sentinel.until(MEETS_WITHIN, &["SENTINEL", "MASTER", NAME], |answer| {
                value(answer, "num-other-sentinels") == Some("2")
                    && value(answer, "num-slaves") == Some("1")
            })?;
        }
        Ok(Self { servers: [master, replica], sentinels })
    }

    /// What the sentinels call the master.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The ports of the sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(Redis::port).collect()
    }

    /// Both servers: the first was the master at the start.
    pub fn servers(&mut self) -> &mut [Redis; 2] {
        &mut self.servers
    }

    /// The port of the master, as the sentinels that are left have agreed.
    pub fn master(&self) -> io::Result<u16> {
        let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        let mut answers = self.sentinels.iter().filter_map(|sentinel| sentinel.ask(&words).ok());
        let port = answers.next().and_then(|answer| answer.get(1)?.parse().ok());
        port.ok_or_else(|| io::Error::other("no sentinel knows the master"))
    }

    /// Waits until every sentinel names the other server, after the one on `old` has gone, and it takes writes.
    pub fn promoted(&self, old: u16) -> io::Result<u16> {
        let other = self.servers.iter().find(|server| server.port() != old);
        let other = other.ok_or_else(|| io::Error::other("there is no other server"))?;
        let port = other.port().to_string();
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
            sentinel.until(PROMOTES_WITHIN, &words, |answer| answer.get(1) == Some(&port))?;
        }
        other.until(PROMOTES_WITHIN, &["ROLE"], |role| {
            role.first().is_some_and(|r| r == "master")
        })?;
        Ok(other.port())
    }
}

/// The value after a name in an answer of names and values.
fn value<'a>(answer: &'a [String], name: &str) -> Option<&'a str> {
    answer.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str())
}
