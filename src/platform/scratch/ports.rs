//! Ports that nobody has, for servers that come back on them.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the range from which outgoing connections draw theirs, so that nobody takes the port of a server
/// that is stopped for a while.
const PORTS: std::ops::Range<u16> = 12_000..20_000;

/// A port of loopback that is free now; another one at each call.
pub fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that start side by side begin at different places.
    let start = (std::process::id().wrapping_mul(97) % PORTS.len() as u32) as u16;
    let step = || start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let port = || PORTS.start + step() % PORTS.len() as u16;
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found = std::iter::repeat_with(port).take(PORTS.len()).find(free);
    found.ok_or_else(|| io::Error::other("no port of loopback is free"))
}
