//! A well-behaved client of the JSON protocol on a raw socket.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Close, Frame, Node, Socket, sign};

/// A connected client. Answers pings.
pub struct Client {
    pub socket: Socket,
    /// As the server named it.
    pub id: String,
    next: u32,
    replies: VecDeque<Value>,
    pushes: VecDeque<Value>,
}

impl Client {
    /// Opens a socket and connects as `user`.
    #[track_caller]
    pub fn connect(node: &Node, user: &str) -> Self {
        Self::connect_on(Socket::open(node.port), user)
    }

    /// The same on a socket that is open already.
    #[track_caller]
    pub fn connect_on(socket: Socket, user: &str) -> Self {
        let mut client = Self::on(socket);
        let reply = client.call(json!({ "connect": { "token": sign(&json!({ "sub": user })) } }));
        client.id = reply["connect"]["client"].as_str().expect("a client id").to_owned();
        client
    }

    /// Speaks on a socket that is open already, and has said nothing yet.
    pub fn on(socket: Socket) -> Self {
        Self {
            socket,
            id: String::new(),
            next: 1,
            replies: VecDeque::new(),
            pushes: VecDeque::new(),
        }
    }

    /// Sends a command and returns its number.
    pub fn send(&mut self, mut command: Value) -> u32 {
        let id = self.next;
        self.next += 1;
        command["id"] = id.into();
        self.socket.text(&command.to_string());
        id
    }

    /// Sends a command and waits for its reply.
    #[track_caller]
    pub fn call(&mut self, command: Value) -> Value {
        let id = self.send(command);
        self.reply(id)
    }

    /// Waits for the reply to a command.
    #[track_caller]
    pub fn reply(&mut self, id: u32) -> Value {
        loop {
            if let Some(at) = self.replies.iter().position(|reply| reply["id"] == id) {
                return self.replies.remove(at).expect("it was just found");
            }
            if let Err(close) = self.read() {
                panic!("expected the reply to command {id}, got {close:?}");
            }
        }
    }

    /// Enters a channel; returns the result.
    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) -> Value {
        let mut reply = self.call(json!({ "subscribe": { "channel": channel } }));
        assert!(reply["error"].is_null(), "expected to enter {channel}, got {reply}");
        reply["subscribe"].take()
    }

    /// Publishes and waits for the acknowledgement.
    #[track_caller]
    pub fn publish(&mut self, channel: &str, data: Value) {
        let reply = self.call(json!({ "publish": { "channel": channel, "data": data } }));
        assert!(reply["error"].is_null(), "expected an acknowledgement, got {reply}");
    }

    /// The next push: `{"channel": ..., "pub" | "join" | ...: ...}`.
    #[track_caller]
    pub fn push(&mut self) -> Value {
        self.next_push().unwrap_or_else(|close| panic!("expected a push, got {close:?}"))
    }

    /// The same, or the close if the server closed instead.
    #[track_caller]
    pub fn next_push(&mut self) -> Result<Value, Option<Close>> {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return Ok(push);
            }
            self.read()?;
        }
    }

    /// The pushes that were read while something else was waited for.
    pub fn pushes(&mut self) -> Vec<Value> {
        self.pushes.drain(..).collect()
    }

    /// The reply that has come next, whatever it answers; the close if the server closed instead.
    #[track_caller]
    pub fn next_reply(&mut self) -> Result<Value, Option<Close>> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Ok(reply);
            }
            self.read()?;
        }
    }

    /// Reads one frame. Errs when the server closed or, without a close frame, went.
    #[track_caller]
    fn read(&mut self) -> Result<(), Option<Close>> {
        let text = match self.socket.next() {
            Frame::Text(text) => text,
            Frame::Binary(_) => panic!("expected JSON, got a binary frame"),
            Frame::Close(close) => return Err(Some(close)),
            Frame::End => return Err(None),
        };
        for line in text.lines() {
            let mut said: Value = serde_json::from_str(line).expect("the server speaks JSON");
            if said["id"].as_u64().is_some_and(|id| id > 0) {
                self.replies.push_back(said);
            } else if said["push"].is_object() {
                self.pushes.push_back(said["push"].take());
            } else {
                assert_eq!(said, json!({}), "neither reply nor push nor ping");
                self.socket.text("{}");
            }
        }
        Ok(())
    }
}
