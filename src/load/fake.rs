//! A server that is just good enough to be loaded in a test, and can be told to break its promises.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json, value::RawValue};

use super::frame::{self, Opcode};

pub const SECRET: &str = "the fake server's secret";
pub const API_KEY: &str = "the fake server's key";

/// What it does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    /// The second member never gets the third message of its room.
    Lose,
    /// It gets it twice.
    Double,
    /// It gets it after the fourth.
    Swap,
    /// It gets it altered.
    Alter,
    /// Who comes back is told that recovery is impossible.
    Forget,
    /// The first WebSocket is sent away with 503.
    BusyOnce,
    /// Each third connection is closed with 3008 after its second message.
    CutSlow,
    /// Each third connection's subscription ends with 2500 after its second message.
    Unsubscribe,
    /// The first subscribe of each connection is refused as temporary.
    SubscribeLater,
    /// Messages come in fragments.
    Fragment,
}

#[derive(Default)]
struct State {
    channels: HashMap<String, Channel>,
    connections: u64,
    pongs: u64,
}

#[derive(Default)]
struct Channel {
    log: Vec<String>,
    members: Vec<(u64, TcpStream)>,
    /// Held back by [`Fault::Swap`].
    held: Option<String>,
}

/// A running fake; its threads end with the test's process.
pub struct FakeServer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl FakeServer {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || Peer::serve(stream, fault, &state));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/connection/websocket", self.address)
    }

    pub fn pongs(&self) -> u64 {
        self.state.lock().unwrap().pongs
    }
}

struct Peer<'a> {
    number: u64,
    stream: TcpStream,
    fault: Fault,
    state: &'a Mutex<State>,
    user: String,
    asked: bool,
}

#[derive(serde::Deserialize)]
struct Publish<'a> {
    channel: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Peer<'_> {
    fn serve(mut stream: TcpStream, fault: Fault, state: &Mutex<State>) {
        let number = {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        let _ = stream.set_nodelay(true);
        let mut bytes = Vec::new();
        let Ok(head) = read_head(&mut stream, &mut bytes) else { return };
        let mut peer = Peer { number, stream, fault, state, user: String::new(), asked: false };
        let _ = match head.starts_with("POST /api/publish") {
            true => peer.api(head, bytes),
            false => peer.websocket(bytes),
        };
    }

    fn api(&mut self, mut head: String, mut bytes: Vec<u8>) -> io::Result<()> {
        loop {
            let header = |name: &str| {
                let line = head.lines().find(|line| line.starts_with(name));
                line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
            };
            let length: usize = header("Content-Length").unwrap().parse().unwrap();
            while bytes.len() < length {
                read_more(&mut self.stream, &mut bytes)?;
            }
            if header("X-API-Key").as_deref() == Some(API_KEY) {
                let publish: Publish<'_> = serde_json::from_slice(&bytes[..length]).unwrap();
                self.publish(&publish.channel, publish.data.get());
                let body = r#"{"result":{"offset":1,"epoch":"e"}}"#;
                write!(
                    self.stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            } else {
                self.stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")?;
            }
            bytes.drain(..length);
            head = read_head(&mut self.stream, &mut bytes)?;
        }
    }

    fn websocket(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        if self.fault == Fault::BusyOnce && self.number == 1 {
            return self.stream.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n\r\nbusy");
        }
        self.stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")?;
        loop {
            while let Some((opcode, payload, length)) = frame::unmask(&bytes) {
                bytes.drain(..length);
                if opcode == Opcode::Close {
                    return Ok(());
                }
                for line in payload.split(|byte| *byte == b'\n') {
                    self.command(line)?;
                }
            }
            read_more(&mut self.stream, &mut bytes)?;
        }
    }

    fn command(&mut self, line: &[u8]) -> io::Result<()> {
        let command: Value = serde_json::from_slice(line).unwrap();
        let id = &command["id"];
        if let Some(connect) = command.get("connect") {
            let key = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
            let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
            let Ok(token) =
                jsonwebtoken::decode::<Value>(connect["token"].as_str().unwrap(), &key, &rules)
            else {
                return self.close(3500, "invalid token");
            };
            self.user = token.claims["sub"].as_str().unwrap().to_owned();
            let personal = format!("#{}", self.user);
            let granted = self.join(&personal, connect["subs"].get(&personal));
            self.say(&format!(
                r#"{{"id":{id},"connect":{{"client":"c","version":"0","ping":25,"pong":true,"subs":{{"{personal}":{granted}}}}}}}"#
            ));
            self.say("{}");
        } else if let Some(subscribe) = command.get("subscribe") {
            if self.fault == Fault::SubscribeLater && !std::mem::replace(&mut self.asked, true) {
                self.say(&format!(
                    r#"{{"id":{id},"error":{{"code":111,"message":"too many requests","temporary":true}}}}"#
                ));
                return Ok(());
            }
            let recover = (subscribe["recover"] == true).then_some(subscribe);
            let granted = self.join(subscribe["channel"].as_str().unwrap(), recover);
            self.say(&format!(r#"{{"id":{id},"subscribe":{granted}}}"#));
        } else if command.get("publish").is_some() {
            #[derive(serde::Deserialize)]
            struct Command<'a> {
                #[serde(borrow)]
                publish: Publish<'a>,
            }
            let Command { publish } = serde_json::from_slice(line).unwrap();
            self.publish(&publish.channel, publish.data.get());
            self.say(&format!(r#"{{"publish":{{}},"id":{id}}}"#));
        } else if line == b"{}" {
            self.state.lock().unwrap().pongs += 1;
        } else {
            return self.close(3501, "bad request");
        }
        Ok(())
    }

    /// The subscribe result, by hand: the payloads are to pass byte for byte.
    fn join(&mut self, name: &str, recover: Option<&Value>) -> String {
        let mut state = self.state.lock().unwrap();
        let channel = state.channels.entry(name.to_owned()).or_default();
        channel.members.push((self.number, self.stream.try_clone().unwrap()));
        let top = channel.log.len();
        let Some(from) = recover.filter(|_| self.fault != Fault::Forget) else {
            return json!({"recoverable": true, "epoch": "e", "offset": top, "was_recovering": recover.is_some()})
                .to_string();
        };
        assert_eq!(from["epoch"], "e");
        let from = from["offset"].as_u64().unwrap_or(0);
        let missed: Vec<_> = (from as usize..top)
            .map(|i| format!(r#"{{"data":{},"offset":{}}}"#, channel.log[i], i + 1))
            .collect();
        format!(
            r#"{{"recoverable":true,"epoch":"e","offset":{from},"recovered":true,"was_recovering":true,"publications":[{}]}}"#,
            missed.join(",")
        )
    }

    fn publish(&mut self, name: &str, data: &str) {
        let mut state = self.state.lock().unwrap();
        let channel = state.channels.entry(name.to_owned()).or_default();
        channel.log.push(data.to_owned());
        let offset = channel.log.len();
        let push = |data: &str| {
            format!(
                r#"{{"push":{{"channel":"{name}","pub":{{"data":{data},"offset":{offset}}}}}}}"#
            )
        };
        let mut told = push(data);
        let mut unsubscribed = Vec::new();
        for (index, (number, member)) in channel.members.iter_mut().enumerate() {
            let chosen = index == 1;
            match (self.fault, offset) {
                (Fault::Lose, 3) if chosen => {}
                (Fault::Double, 3) if chosen => {
                    write(member, &told);
                    write(member, &told);
                }
                (Fault::Swap, 3) if chosen => channel.held = Some(told.clone()),
                (Fault::Swap, 4) if chosen => {
                    write(member, &told);
                    write(member, &channel.held.take().unwrap());
                }
                (Fault::Alter, 3) if chosen => {
                    let good = told.clone();
                    told = push(&data.replace("\"}", "!\"}"));
                    write(member, &told);
                    told = good;
                }
                (Fault::CutSlow, 2) if *number % 3 == 0 => {
                    write_frame(member, Opcode::Close, b"\x0b\xc0slow");
                    let _ = member.shutdown(std::net::Shutdown::Both);
                }
                (Fault::Unsubscribe, 2) if *number % 3 == 0 => {
                    let code = r#""unsubscribe":{"code":2500,"reason":"insufficient state"}"#;
                    write(member, &format!(r#"{{"push":{{"channel":"{name}",{code}}}}}"#));
                    unsubscribed.push(*number);
                }
                (Fault::Fragment, _) => {
                    let (a, b) = told.split_at(told.len() / 2);
                    let _ = member.write_all(&[&[0x01, a.len() as u8][..], a.as_bytes()].concat());
                    let _ = member.write_all(&[&[0x80, b.len() as u8][..], b.as_bytes()].concat());
                }
                _ => write(member, &told),
            }
        }
        channel.members.retain(|(number, _)| !unsubscribed.contains(number));
    }

    /// Writes under the lock, since others write to this socket too.
    fn say(&mut self, reply: &str) {
        let _state = self.state.lock().unwrap();
        write(&mut self.stream, reply);
    }

    fn close(&mut self, code: u16, reason: &str) -> io::Result<()> {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        write_frame(&mut self.stream, Opcode::Close, &payload);
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        for channel in self.state.lock().unwrap().channels.values_mut() {
            channel.members.retain(|(number, _)| *number != self.number);
        }
    }
}

fn write(stream: &mut TcpStream, text: &str) {
    write_frame(stream, Opcode::Text, text.as_bytes());
}

/// A peer that is gone is none of the fake's concern.
fn write_frame(stream: &mut TcpStream, opcode: Opcode, payload: &[u8]) {
    let mut out = Vec::new();
    frame::write_bare(opcode, payload, &mut out);
    let _ = stream.write_all(&out);
}

fn read_head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = bytes.drain(..end + 4).collect();
            return String::from_utf8(head).map_err(io::Error::other);
        }
        read_more(stream, bytes)?;
    }
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        n => {
            bytes.extend_from_slice(&chunk[..n]);
            Ok(())
        }
    }
}
