//! A server for tests that says what the test wants.

use std::time::Duration;

use actix_codec::Framed;
use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Message, hash_key};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::Url;

pub type Socket = Framed<TcpStream, Codec>;

/// Lets one client in on the HTTP side.
pub async fn accept(listener: &TcpListener) -> Socket {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = String::from_utf8(hash_key(key.as_bytes()).to_vec()).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
    Framed::new(socket, Codec::new())
}

pub async fn heard(socket: &mut Socket) -> String {
    match socket.next().await {
        Some(Ok(Frame::Text(text))) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("expected a text, got {other:?}"),
    }
}

pub async fn says(socket: &mut Socket, text: &str) {
    socket.send(Message::Text(text.to_owned().into())).await.unwrap();
}

/// Answers `connect`, which must bring this token.
pub async fn let_in(socket: &mut Socket, token: &str) {
    let connect = heard(socket).await;
    assert!(connect.contains(&format!("\"token\":\"{token}\"")), "{connect}");
    says(socket, r#"{"id":1,"connect":{"client":"c","version":"v","ping":25,"pong":true}}"#).await;
}

/// Runs a server and a client to the end of both, within 5 s.
pub fn between<S: Future<Output = ()>, C: Future<Output = ()>>(
    server: impl FnOnce(TcpListener) -> S,
    client: impl FnOnce(Url) -> C,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::of_server(listener.local_addr().unwrap());
        let both = futures_util::future::join(server(listener), client(url));
        timeout(Duration::from_secs(5), both).await.expect("both come to an end");
    });
}

pub async fn closes(socket: &mut Socket, code: u16, reason: &str) {
    let code = CloseCode::Other(code);
    let reason = CloseReason { code, description: Some(reason.into()) };
    socket.send(Message::Close(Some(reason))).await.unwrap();
}
