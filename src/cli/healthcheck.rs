//! `fanfare healthcheck`: asks a node of this machine whether it is ready; for containers, which have no curl.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{Failure, exit::say, settings};

/// Ask the node that these settings describe whether it is ready: /ready of its operator port.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare healthcheck && echo ready
  HEALTHCHECK CMD [\"fanfare\", \"healthcheck\"]      in a Dockerfile

Exit codes: 0 ready, 1 not ready or no answer within 3 s, 78 a bad setting.")]
pub(super) struct Args {}

/// How long connecting, asking and being answered may take, each.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than /ready has to say.
const LONGEST: u64 = 16 * 1024;

pub(super) fn run(_args: &Args, settings: &settings::Args) -> Result<(), Failure> {
    let operator = settings.load([])?.settings.operator;
    if !operator.enabled || operator.port == 0 {
        let why = "expected operator.enabled and a fixed operator.port: nobody can be asked";
        return Err(Failure::Failed(why.into()));
    }
    let address = reachable(operator.socket_address());
    let answer = ask(address).map_err(|why| {
        Failure::Failed(format!("no answer from http://{address}/ready within {PATIENCE:?}: {why}"))
    })?;
    match verdict(&answer) {
        Ok(()) => say("ready"),
        Err(why) => Err(Failure::Failed(why)),
    }
}

/// Who listens everywhere is found on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}

/// What an answer of HTTP comes to; its body has the reasons.
fn verdict(answer: &str) -> Result<(), String> {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match status {
        "200" => Ok(()),
        "" => Err("expected an answer of HTTP, got something else".into()),
        status => Err(format!("not ready: {status} {}", body.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_ready_and_a_refusal_tells_its_reasons() {
        assert_eq!(verdict("HTTP/1.1 200 OK\r\n\r\n{\"ready\":true}"), Ok(()));
        let refused = verdict("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n[\"draining\"]\n");
        assert_eq!(refused, Err("not ready: 503 [\"draining\"]".into()));
        assert!(verdict("").is_err() && verdict("SSH-2.0").is_err());
    }

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:8001", "127.0.0.1:8001"),
            ("[::]:8001", "[::1]:8001"),
            ("10.0.0.7:9", "10.0.0.7:9"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
