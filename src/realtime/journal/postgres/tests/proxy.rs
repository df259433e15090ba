//! Stands between a journal and its server, and swallows an answer or cuts the line when a test says so.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[derive(Default)]
struct Faults {
    swallow: AtomicBool,
    cut: AtomicBool,
}

/// Listens on a port of its own until the process ends.
pub struct Proxy {
    server: u16,
    port: u16,
    faults: Arc<Faults>,
}

impl Proxy {
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let faults = Arc::new(Faults::default());
        let its = faults.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if its.cut.load(Ordering::SeqCst) {
                    continue;
                }
                let up = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).expect("the server");
                let other = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                let (up, down) = ((other(&client), other(&up)), (up, client));
                let (upwards, downwards) = (its.clone(), its.clone());
                thread::spawn(move || carry(up.0, up.1, &upwards, false));
                thread::spawn(move || carry(down.0, down.1, &downwards, true));
            }
        });
        Self { server, port, faults }
    }

    /// The address of the same database, through here.
    pub fn address(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.server), &format!(":{}/", self.port))
    }

    /// The next bytes that the server sends are lost, and the connection with them.
    pub fn swallow_the_next_answer(&self) {
        self.faults.swallow.store(true, Ordering::SeqCst);
    }

    /// Nothing gets through any more, and nobody new either.
    pub fn cut(&self, cut: bool) {
        self.faults.cut.store(cut, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, faults: &Faults, answers: bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let swallowed = answers && faults.swallow.swap(false, Ordering::SeqCst);
        let cut = faults.cut.load(Ordering::SeqCst);
        if swallowed || cut || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
