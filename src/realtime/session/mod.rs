//! One device at one socket: what it says, what it hears, and when it has to go.

use std::rc::Rc;

use bytes::Bytes;
use tokio::net::TcpStream;

mod answers;
mod barrier;
mod connect;
mod connection;
mod entering;
mod limiting;
mod on_command;
mod on_notice;
mod on_time;
mod publish;
mod queries;
mod refresh;
mod subscribe;

mod deadlines;
mod driver;
mod flusher;
mod frames;
mod line;
mod outbox;
mod queues;
mod window;

pub mod act;
pub mod elsewhere;
pub mod everywhere;
pub mod host;
pub mod user;

#[cfg(feature = "fuzzing")]
pub use frames::fuzz;
pub use publish::{in_format, refusal_of};
pub use queries::{range, read_history};

use crate::protocol::Encoding;
use actix_http::ws::Codec;
use actix_web_actors::ws::WebsocketContext;

/// A socket whose handshake is done.
pub struct Accepted<P> {
    pub io: TcpStream,
    /// What was read behind the handshake.
    pub leftover: Bytes,
    pub encoding: Encoding,
    /// The peer wants WebSocket pings instead of messages.
    pub native_ping: bool,
    /// Held as long as the connection lives.
    pub permit: P,
    /// Held until `connect` was answered.
    pub handshake: Box<dyn std::any::Any>,
}

/// Starts the session of a socket as a task of its own, on this thread.
pub fn start<P: Unpin + 'static>(host: &Rc<host::Host>, accepted: Accepted<P>) {
    let Accepted { io, leftover, encoding, native_ping, permit, handshake } = accepted;
    let line = line::Line::new(io, host.roster.next_id(), encoding, host.clone());
    host.roster.enter(line.id(), line.clone());
    let most = host.node.settings.websocket.message_size_limit;
    let frames = frames::Frames::new(line.clone(), leftover, most);
    let connection =
        connection::Connection::new(host.clone(), line.clone(), frames, native_ping, handshake);
    // The context's own reader gets nothing to read: it would read without bound. See `frames`.
    let nothing = futures_util::stream::empty();
    let actor = WebsocketContext::with_codec(connection, nothing, Codec::new());
    actix_rt::spawn(driver::Driver::new(line, Box::pin(actor), permit));
}
