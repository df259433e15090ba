//! A WebSocket client that does exactly what it is told, also what no client should do.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Type};

use super::{DEADLINE, http::read_head};

/// Opcodes of RFC 6455.
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// The handshake was answered with something else than 101.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
}

/// What a close frame said.
#[derive(Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: String,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Close(Close),
    /// The connection is gone, without a close frame or after it.
    End,
}

/// An open WebSocket.
pub struct Socket {
    stream: BufReader<TcpStream>,
    pub headers: BTreeMap<String, String>,
}

impl Socket {
    /// Opens `/connection/websocket` on this port of loopback.
    #[track_caller]
    pub fn open(port: u16) -> Self {
        Self::try_open(port, "/connection/websocket", "").expect("the handshake succeeds")
    }

    /// The same through a narrow pipe: as over a distance, the kernels hold some 100 KB of what was not read. Over
    /// loopback they would take megabytes.
    #[track_caller]
    pub fn open_narrow(port: u16) -> Self {
        let stream = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.set_tcp_mss(1400).expect("a size for segments");
        stream.set_recv_buffer_size(16 * 1024).expect("a size for the buffer");
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        stream.connect(&address.into()).expect("somebody listens");
        let opened = Self::shake_hands(stream.into(), "/connection/websocket", "");
        opened.expect("the handshake succeeds")
    }

    /// The same with a path and more header lines, each ending with `\r\n`.
    pub fn try_open(port: u16, path: &str, headers: &str) -> Result<Self, Refused> {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        Self::shake_hands(stream, path, headers)
    }

    /// The same from another address of loopback.
    pub fn try_open_from(from: [u8; 4], port: u16, headers: &str) -> Result<Self, Refused> {
        let stream = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.bind(&SocketAddr::from((from, 0)).into()).expect("an address of loopback");
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        stream.connect(&address.into()).expect("somebody listens");
        Self::shake_hands(stream.into(), "/connection/websocket", headers)
    }

    fn shake_hands(mut stream: TcpStream, path: &str, headers: &str) -> Result<Self, Refused> {
        let port = stream.peer_addr().expect("the server's address").port();
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the handshake is sent");
        let mut stream = BufReader::new(stream);
        match read_head(&mut stream) {
            Ok((101, headers)) => Ok(Self { stream, headers }),
            Ok((status, headers)) => Err(Refused { status, headers }),
            Err(error) => panic!("expected an answer to the handshake, got {error}"),
        }
    }

    /// The bare socket, of which nothing was read that was not taken.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.stream.buffer().is_empty(), "something came that nobody asked for");
        self.stream.into_inner()
    }

    /// Sends a text frame.
    pub fn text(&mut self, text: &str) {
        self.send(&frame(true, TEXT, text.as_bytes()));
    }

    /// Sends a binary frame.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.send(&frame(true, BINARY, bytes));
    }

    /// Sends bytes as they are. That the server is gone already is no error here: it shows when reading.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.try_send(bytes);
    }

    /// Sends bytes as they are, and says whether they went out.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// How long [`try_send`](Self::try_send) may wait for the server to read.
    pub fn give_up_sending_after(&mut self, patience: Duration) {
        self.stream.get_ref().set_write_timeout(Some(patience)).expect("a timeout");
    }

    /// The next frame of the server.
    #[track_caller]
    pub fn next(&mut self) -> Frame {
        match self.read() {
            Ok(frame) => frame,
            Err(e) if is_timeout(&e) => panic!("nothing came within {DEADLINE:?}"),
            Err(_) => Frame::End,
        }
    }

    /// Reads on until the server closes; everything before is dropped.
    #[track_caller]
    pub fn closed(&mut self) -> Close {
        let end = Instant::now() + DEADLINE * 3;
        loop {
            assert!(Instant::now() < end, "the server goes on talking instead of closing");
            match self.next() {
                Frame::Close(close) => return close,
                Frame::End => panic!("the connection ended without a close frame"),
                _ => {}
            }
        }
    }

    fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length)?;
                usize::try_from(u64::from_be_bytes(length)).expect("a length that fits")
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).expect("UTF-8");
        match head[0] & 0x0f {
            TEXT => Ok(Frame::Text(text(&payload))),
            BINARY => Ok(Frame::Binary(payload)),
            CLOSE if length >= 2 => Ok(Frame::Close(Close {
                code: u16::from_be_bytes([payload[0], payload[1]]),
                reason: text(&payload[2..]),
            })),
            CLOSE => Ok(Frame::Close(Close { code: 1005, reason: String::new() })),
            // Pings and pongs of WebSocket itself.
            _ => self.read(),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A frame of a client, masked.
pub fn frame(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = head(last, opcode, payload.len() as u64);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The first bytes of a masked frame that declares `length`, up to the mask.
pub fn head(last: bool, opcode: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![u8::from(last) << 7 | opcode];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}
