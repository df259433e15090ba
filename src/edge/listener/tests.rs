//! Raw clients against a listener on a free port: what they see, and what the session is handed.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Instant,
};

use super::*;
use crate::{
    edge::{
        address::Proxies,
        identity::Origins,
        limits::{Gate, Limits},
        socket::Accepted,
    },
    platform::metrics::{Labels, Metrics},
    protocol::Encoding,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server on a thread of its own, stopped when dropped.
struct Running {
    address: SocketAddr,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    accepted: mpsc::Receiver<Accepted>,
    started: Arc<AtomicUsize>,
    stop: Option<(actix_server::ServerHandle, actix_rt::System)>,
    thread: Option<thread::JoinHandle<()>>,
}

fn running(limits: Limits) -> Running {
    let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
    let gate = Gate::new(limits, metrics.clone());
    let proxies = Proxies::default();
    let door =
        Door { origins: Origins::new(&[]), proxies, gate: gate.clone(), metrics: metrics.clone() };
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, accepted) = mpsc::channel();
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let on_worker_start: OnWorkerStart = Arc::new(move |_| {
        count.fetch_add(1, Relaxed);
        let tell = tell.clone();
        Box::pin(async move { Rc::new(move |socket| tell.send(socket).unwrap()) as Accept })
    });
    let (ready, handle) = mpsc::channel();
    let thread = thread::spawn(move || {
        let system = actix_rt::System::new();
        system.block_on(async move {
            let listening = Listening {
                workers: 2,
                request_timeout: Duration::from_millis(300),
                keep_alive: Duration::from_secs(5),
            };
            let server = run(listener, listening, door.into(), |_| (), on_worker_start).unwrap();
            ready.send((server.handle(), actix_rt::System::current())).unwrap();
            server.await.unwrap();
        });
    });
    let stop = Some(handle.recv_timeout(PATIENCE).unwrap());
    Running { address, gate, metrics, accepted, started, stop, thread: Some(thread) }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((server, system)) = self.stop.take() {
            drop(server.stop(false));
            system.stop();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

const ROOM: Limits = Limits { connections: 100, handshakes: 100 };

fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: example.com\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

impl Running {
    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(bytes).unwrap();
        client
    }

    /// Everything that a client is told until the server closes.
    fn whole_answer(&self, bytes: &[u8]) -> String {
        let mut answer = String::new();
        self.send(bytes).read_to_string(&mut answer).unwrap();
        answer
    }

    /// Opens a socket; the client's end and the session's.
    fn open(&self, more: &str, behind: &[u8]) -> (TcpStream, Accepted) {
        let mut bytes = upgrade("/connection/websocket", more).into_bytes();
        bytes.extend_from_slice(behind);
        let mut client = self.send(&bytes);
        assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
        (client, self.accepted.recv_timeout(PATIENCE).unwrap())
    }
}

/// Reads up to the end of an answer's head, and not one byte more.
fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_client_is_handed_over_with_the_bytes_it_sent_ahead() {
    let server = running(ROOM);
    let (client, accepted) =
        server.open("sec-websocket-protocol: centrifuge-protobuf\r\n", b"first frame");
    assert_eq!(&accepted.leftover[..], b"first frame");
    assert_eq!(accepted.encoding, Encoding::Protobuf);
    assert_eq!(accepted.address, client.local_addr().unwrap().ip());
    assert!(accepted.io.nodelay().unwrap());
}

#[test]
fn what_a_client_sends_later_is_left_for_the_session() {
    let server = running(ROOM);
    let (mut client, accepted) = server.open("", b"");
    assert!(accepted.leftover.is_empty());
    client.write_all(b"later").unwrap();
    let mut io = accepted.io.into_std().unwrap();
    io.set_nonblocking(false).unwrap();
    let mut bytes = [0; 5];
    io.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"later");
}

#[test]
fn refused_upgrades_get_a_whole_answer_and_reach_no_session() {
    let server = running(ROOM);
    for (request, status) in [
        (upgrade("/elsewhere", ""), 404),
        (upgrade("/connection/websocket", "origin: https://evil.com\r\n"), 403),
        (upgrade("/connection/websocket", "").replace("GET", "POST"), 405),
        (upgrade("/connection/websocket", "").replace("version: 13", "version: 7"), 426),
        ("CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n".into(), 404),
    ] {
        let answer = server.whole_answer(format!("{request}and more").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
        assert!(answer.ends_with('\n'), "{answer}");
    }
    assert!(server.accepted.try_recv().is_err());
    assert_eq!(server.metrics.handshakes_refused_total.code(403).get(), 1);
    assert_eq!(server.gate.connections(), 0);
}

#[test]
fn requests_that_are_no_upgrade_go_to_the_app() {
    let server = running(ROOM);
    for (path, status) in [
        ("/connection/websocket", 426),
        ("/connection/http_stream", 404),
        ("/connection/sse", 404),
        ("/emulation", 404),
        ("/", 404),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = server.whole_answer(request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
}

#[test]
fn an_upgrade_behind_a_pipelined_request_comes_after_its_answer() {
    let server = running(ROOM);
    let pipelined =
        format!("GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n{}", upgrade("/connection/websocket", ""));
    let mut client = server.send(pipelined.as_bytes());
    assert!(head(&mut client).starts_with("HTTP/1.1 404 "));
    let mut body = [0; "no such path\n".len()];
    client.read_exact(&mut body).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
}

#[test]
fn a_full_node_says_503_until_somebody_has_left() {
    let server = running(Limits { connections: 1, handshakes: 9 });
    let (_client, accepted) = server.open("", b"");
    let answer = server.whole_answer(upgrade("/connection/websocket", "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    drop(accepted);
    server.open("", b"");
}

#[test]
fn too_many_handshakes_at_once_are_told_503_until_one_is_through() {
    let server = running(Limits { connections: 9, handshakes: 1 });
    let (_client, accepted) = server.open("", b"");
    let answer = server.whole_answer(upgrade("/connection/websocket", "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    drop(accepted.handshake);
    server.open("", b"");
}

#[test]
fn a_draining_node_sends_newcomers_away_and_keeps_who_is_in() {
    let server = running(ROOM);
    let (mut client, accepted) = server.open("", b"");
    server.gate.drain();
    let answer = server.whole_answer(upgrade("/connection/websocket", "").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    let mut io = accepted.io.into_std().unwrap();
    io.write_all(b"still here").unwrap();
    let mut bytes = [0; 10];
    client.read_exact(&mut bytes).unwrap();
}

#[test]
fn a_client_that_never_finishes_its_request_is_cut() {
    let server = running(ROOM);
    let begun = Instant::now();
    let answer = server.whole_answer(b"GET /connection/websocket HTTP/1.1\r\nhost: exam");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn each_worker_is_prepared_once_before_it_takes_anybody() {
    let server = running(ROOM);
    for _ in 0..4 {
        server.open("", b"");
    }
    assert_eq!(server.started.load(Relaxed), 2);
}

#[test]
fn paths_that_strangers_invent_make_no_series() {
    let server = running(ROOM);
    let lines = |text: Vec<u8>| text.iter().filter(|byte| **byte == b'\n').count();
    let before = lines(server.metrics.text().unwrap());
    for path in 0..20 {
        for method in ["GET", "POST", "INVENTED"] {
            let request =
                format!("{method} /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            server.whole_answer(request.as_bytes());
        }
    }
    assert_eq!(lines(server.metrics.text().unwrap()), before);
}
