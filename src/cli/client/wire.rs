//! A small client of the real protocol: one WebSocket, JSON, one question at a time.

use std::{collections::VecDeque, fmt, time::Duration};

use actix_codec::{Framed, FramedParts};
use actix_http::ws::{Codec, Frame, Message};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};

use super::{handshake, url::Url};
use crate::protocol::{
    Close, Command, Encoding, Outcome, Push, Refusal, Reply, Request, ServerMessage,
    command::ConnectRequest, reply::ConnectResult,
};

/// A connection that the server has let in.
pub(crate) struct Wire {
    framed: Framed<TcpStream, Codec>,
    last_id: u32,
    /// Pushes that came while an answer was awaited.
    pushes: VecDeque<Push>,
    /// Silence of the server longer than this means that it is gone.
    patience: Duration,
}

/// Why a connection is of no use, or no longer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server can't be reached, or fell silent.
    Lost(String),
    /// The server answered the HTTP request with something else than a WebSocket.
    NoSocket { status: u16, text: String },
    /// It refused a command.
    Refused(Refusal),
    /// It closed the connection.
    Closed(Close),
    /// What it says is not the protocol.
    Strange(String),
}

/// SDKs wait so long for an answer, and so much longer than the interval for a ping.
const ANSWER: Duration = Duration::from_secs(5);
const PING_SLACK: Duration = Duration::from_secs(10);
/// A server's frame holds at most what it lets wait for one client, and that is far less.
const LONGEST_FRAME: usize = 64 << 20;

impl Wire {
    /// Connects, with a token unless it is empty.
    pub async fn open(url: &Url, token: &str) -> Result<Self, Trouble> {
        let socket = timeout(ANSWER, TcpStream::connect(&url.authority));
        let mut socket = socket.await.map_err(|_| silent(url))?.map_err(|error| {
            Trouble::Lost(format!("{url}: {error}; is `fanfare serve` running there?"))
        })?;
        let left = timeout(ANSWER, handshake::ask(&mut socket, url));
        let left = left.await.map_err(|_| silent(url))??;
        let codec = Codec::new().client_mode().max_size(LONGEST_FRAME);
        let mut wire = Self {
            framed: Framed::from_parts(FramedParts::with_read_buf(socket, codec, left)),
            last_id: 0,
            pushes: VecDeque::new(),
            patience: ANSWER,
        };
        let request = ConnectRequest {
            token: token.into(),
            name: "fanfare".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..ConnectRequest::default()
        };
        match wire.ask(Request::Connect(Box::new(request))).await? {
            Outcome::Connect(result) => wire.patience = patience(&result),
            other => return Err(strange(&other)),
        }
        Ok(wire)
    }

    /// Sends a command and waits for its answer; a refusal is trouble.
    pub async fn ask(&mut self, request: Request) -> Result<Outcome, Trouble> {
        self.last_id += 1;
        let id = self.last_id;
        let command = Encoding::Json.command(&Command { id, request });
        let command = command.map_err(|_| Trouble::Strange("the data is no JSON".into()))?;
        self.send(command).await?;
        let answer = async {
            loop {
                for message in self.read().await? {
                    match message {
                        ServerMessage::Reply(reply) if reply.id == id => return Ok(reply),
                        ServerMessage::Reply(other) => return Err(strange(&other)),
                        ServerMessage::Push(push) => self.pushes.push_back(push),
                        ServerMessage::Ping => self.pong().await?,
                    }
                }
            }
        };
        let answer = timeout(ANSWER, answer).await.unwrap_or_else(|_| {
            Err(Trouble::Lost(format!("no answer in {} s", ANSWER.as_secs())))
        })?;
        match answer {
            Reply { outcome: Outcome::Refused(refusal), .. } => Err(Trouble::Refused(refusal)),
            Reply { outcome, .. } => Ok(outcome),
        }
    }

    /// The next push, whenever it comes; answers pings meanwhile.
    pub async fn next_push(&mut self) -> Result<Push, Trouble> {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return Ok(push);
            }
            let messages = timeout(self.patience, self.read()).await;
            let messages = messages.map_err(|_| Trouble::Lost("the server fell silent".into()))?;
            for message in messages? {
                match message {
                    ServerMessage::Push(push) => self.pushes.push_back(push),
                    ServerMessage::Ping => self.pong().await?,
                    ServerMessage::Reply(other) => return Err(strange(&other)),
                }
            }
        }
    }

    async fn pong(&mut self) -> Result<(), Trouble> {
        self.send(Encoding::Json.ping()).await
    }

    async fn send(&mut self, words: Bytes) -> Result<(), Trouble> {
        let text = String::from_utf8(words.into())
            .map_err(|_| Trouble::Strange("the data is no JSON: that is UTF-8".into()))?;
        self.framed
            .send(Message::Text(text.into()))
            .await
            .map_err(|error| Trouble::Lost(format!("can't write to the server: {error}")))
    }

    /// The messages of the next frame that has any.
    async fn read(&mut self) -> Result<Vec<ServerMessage>, Trouble> {
        loop {
            let frame = self.framed.next().await;
            match frame.ok_or_else(|| Trouble::Lost("the server hung up".into()))? {
                Ok(Frame::Text(text)) => {
                    let messages = Encoding::Json.replies(text).collect::<Result<_, _>>();
                    return messages.map_err(|bad| strange(&bad));
                }
                Ok(Frame::Close(reason)) => return Err(closed(reason)),
                Ok(Frame::Ping(words)) => {
                    let pong = self.framed.send(Message::Pong(words)).await;
                    pong.map_err(|error| Trouble::Lost(error.to_string()))?;
                }
                Ok(Frame::Pong(_)) => {}
                Ok(other) => return Err(strange(&other)),
                Err(error) => return Err(Trouble::Lost(error.to_string())),
            }
        }
    }
}

impl Trouble {
    /// Whether the same may work later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::NoSocket { status, .. } => matches!(status, 429 | 500..),
            Self::Refused(refusal) => refusal.temporary,
            Self::Closed(close) => close.comes_back(),
            Self::Strange(_) => false,
        }
    }
}

fn patience(result: &ConnectResult) -> Duration {
    match result.ping {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds.into()) + PING_SLACK,
    }
}

fn silent(url: &Url) -> Trouble {
    Trouble::Lost(format!("{url}: no answer in {} s", ANSWER.as_secs()))
}

fn strange(what: &impl fmt::Debug) -> Trouble {
    Trouble::Strange(format!("not expected from a server: {what:?}"))
}

fn closed(reason: Option<actix_http::ws::CloseReason>) -> Trouble {
    match reason {
        Some(reason) => Trouble::Closed(Close {
            code: reason.code.into(),
            reason: reason.description.unwrap_or_default().into(),
        }),
        None => Trouble::Lost("the server closed without a reason".into()),
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) | Self::Strange(why) => f.write_str(why),
            Self::NoSocket { status, text } => {
                write!(f, "expected a WebSocket, the server answered {status} {text}")
            }
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Closed(close) => write!(f, "the server closed the connection: {close}"),
        }
    }
}

#[cfg(test)]
mod tests;
