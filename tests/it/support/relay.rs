//! A way to a server that can be made longer: what goes through waits on it, in either direction.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// So long that nobody waits for it: the relay is over.
const OVER: u64 = u64::MAX;

/// Goes on until this value is dropped.
pub struct Relay {
    port: u16,
    /// Milliseconds.
    delay: Arc<AtomicU64>,
}

impl Relay {
    /// To a port on 127.0.0.1, without any delay yet.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let delay = Arc::new(AtomicU64::new(0));
        let mine = listener.local_addr().expect("its address").port();
        let on = delay.clone();
        thread::spawn(move || {
            for came in listener.incoming().map_while(Result::ok) {
                if on.load(SeqCst) == OVER {
                    return;
                }
                // Nobody behind it: this one hears so, as without a relay.
                let Ok(there) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&came, &there), (&there, &came)] {
                    let _ = from.set_nodelay(true);
                    let ends = from.try_clone().and_then(|from| Ok((from, to.try_clone()?)));
                    let (Ok((from, to)), delay) = (ends, on.clone()) else { break };
                    thread::spawn(move || pass_on(from, to, &delay));
                }
            }
        });
        Self { port: mine, delay }
    }

    /// Where it is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What goes through from now on waits so long.
    pub fn delay(&self, by: Duration) {
        self.delay.store(by.as_millis() as u64, SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.delay.store(OVER, SeqCst);
        // It looks when somebody comes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, delay: &AtomicU64) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(many @ 1..) = from.read(&mut bytes) {
        match delay.load(SeqCst) {
            OVER => break,
            millis => thread::sleep(Duration::from_millis(millis)),
        }
        if to.write_all(&bytes[..many]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
