//! Takes sockets over: answers an upgrade request itself and hands the bare socket to the session.
//!
//! Under `ws::start` actix keeps an HTTP dispatcher with two buffers beneath every WebSocket. Here its future
//! ends right after the handshake, and the session owns the socket and nothing else. What comes here has passed
//! no middleware: every check is in [`handshake`](super::handshake).

use std::{net::IpAddr, rc::Rc, sync::Arc, time::Duration};

use actix_codec::{Framed, FramedParts};
use actix_http::{Request, h1};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    address::Proxies,
    handshake::{Rejection, Welcome, judge},
    identity::Origins,
    limits::{ConnectionPermit, Gate, HandshakePermit},
};
use crate::{platform::metrics::Metrics, protocol::Encoding};

/// An answer is a few hundred bytes into an empty buffer: a client that does not take it is none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long, and for how many bytes, a refused client is listened to, so that unread input does not turn our
/// answer into a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;

/// A socket that was let in: the answer 101 is written, frames come next.
#[derive(Debug)]
pub struct Accepted {
    pub io: TcpStream,
    /// What the client sent behind its request: the beginning of its first frame, or nothing.
    pub leftover: Bytes,
    pub encoding: Encoding,
    /// The client wants WebSocket pings, and no pings of the protocol.
    pub native_ping: bool,
    /// Of the client, as far as a trusted proxy or the socket tells.
    pub address: IpAddr,
    /// Held until the connection has ended.
    pub permit: ConnectionPermit,
    /// Held until the connect command was answered.
    pub handshake: HandshakePermit,
}

/// Starts the session of a socket on the worker thread that it is called on; returns at once.
pub type Accept = Rc<dyn Fn(Accepted)>;

/// What is checked at the door.
#[derive(Debug)]
pub struct Door {
    pub origins: Origins,
    pub proxies: Proxies,
    pub gate: Arc<Gate>,
    pub metrics: Arc<Metrics>,
}

/// Answers one upgrade request. Ends as soon as the session has the socket.
pub(super) async fn take_over(
    (request, framed): (Request, Framed<TcpStream, h1::Codec>),
    door: Arc<Door>,
    accept: Accept,
) {
    let FramedParts { mut io, read_buf, write_buf, .. } = framed.into_parts();
    // Answers to requests that were pipelined before this one.
    if !write_buf.is_empty() && !written(&mut io, &write_buf).await {
        return;
    }
    let Ok(peer) = io.peer_addr() else { return };
    let address = door.proxies.client(peer.ip(), request.head().headers());
    let judged = judge(request.head(), &door.origins)
        .and_then(|welcome| Ok((welcome, door.gate.enter().map_err(Rejection::from)?)));
    drop(request);
    match judged {
        Ok((welcome, permits)) => let_in((io, address), &read_buf, welcome, permits, accept).await,
        Err(rejection) => {
            door.metrics.handshakes_refused_total.code(rejection.status.as_u16().into()).inc();
            log::debug!("{address}: an upgrade request was answered {}", rejection.status);
            refuse(io, rejection).await;
        }
    }
}

async fn let_in(
    (mut io, address): (TcpStream, IpAddr),
    read: &[u8],
    welcome: Welcome,
    (permit, handshake): (ConnectionPermit, HandshakePermit),
    accept: Accept,
) {
    if !written(&mut io, &welcome.answer()).await {
        return;
    }
    // A copy, so that the dispatcher's whole read buffer does not live on for a few bytes.
    let leftover = Bytes::copy_from_slice(read);
    let Welcome { encoding, native_ping, .. } = welcome;
    log::debug!("{address}: a socket was let in");
    accept(Accepted { io, leftover, encoding, native_ping, address, permit, handshake });
}

async fn refuse(mut io: TcpStream, rejection: Rejection) {
    if !written(&mut io, &rejection.answer()).await || io.shutdown().await.is_err() {
        return;
    }
    let mut rest = io.take(LINGER_BYTES as u64);
    let mut scrap = [0; 1024];
    let _ =
        timeout(LINGER, async { while rest.read(&mut scrap).await.is_ok_and(|n| n > 0) {} }).await;
}

async fn written(io: &mut TcpStream, bytes: &[u8]) -> bool {
    matches!(timeout(ANSWER_DEADLINE, io.write_all(bytes)).await, Ok(Ok(())))
}
