//! What no client should send: each gets its code, and harms nobody else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Frame, Node, Socket, frame, sign};

/// A bystander who has to go on undisturbed.
struct Bystander(Client);

impl Bystander {
    fn of(node: &Node) -> Self {
        let mut client = Client::connect(node, "bystander");
        client.subscribe("bystanders");
        Self(client)
    }

    #[track_caller]
    fn unharmed(mut self) {
        self.0.publish("bystanders", json!("still here"));
        assert_eq!(self.0.push()["pub"]["data"], "still here");
    }
}

#[test]
fn what_is_no_command_is_closed_with_3501() {
    let node = Node::start();
    let bystander = Bystander::of(&node);
    let connect = json!({ "id": 1, "connect": { "token": sign(&json!({ "sub": "ana" })) } });
    let connected = |then: &str| format!("{connect}\n{then}");
    for said in [
        "".to_owned(),
        "\n".to_owned(),
        "garbage".to_owned(),
        "{\"id\":".to_owned(),
        "[]".to_owned(),
        "\u{0}\u{1}\u{2}".to_owned(),
        // A command before connect, also behind a good one of the same frame.
        json!({ "id": 1, "subscribe": { "channel": "room" } }).to_string(),
        json!({ "id": 1, "publish": { "channel": "room", "data": 1 } }).to_string(),
        // A pong that nobody asked for.
        "{}".to_owned(),
        connected("{}"),
        // Twice connected.
        connected(&json!({ "id": 2, "connect": {} }).to_string()),
        // A command without a number.
        connected(&json!({ "subscribe": { "channel": "room" } }).to_string()),
        connected(&json!({ "id": 2 }).to_string()),
        connected(&json!({ "id": -1, "subscribe": { "channel": "room" } }).to_string()),
        connected(
            &json!({ "id": 4_294_967_296_u64, "subscribe": { "channel": "room" } }).to_string(),
        ),
        // Nameless channels.
        connected(&json!({ "id": 2, "subscribe": {} }).to_string()),
        connected(&json!({ "id": 2, "publish": { "channel": "", "data": 1 } }).to_string()),
        // An unknown delta.
        connected(
            &json!({ "id": 2, "subscribe": { "channel": "room", "delta": "xdelta" } }).to_string(),
        ),
        connected(&json!({ "id": 2, "refresh": { "token": "" } }).to_string()),
        connected(&json!({ "id": 2, "sub_refresh": { "channel": "", "token": "x" } }).to_string()),
    ] {
        let mut socket = Socket::open(node.port);
        socket.text(&said);
        let close = socket.closed();
        assert_eq!((close.code, &*close.reason), (3501, "bad request"), "after {said:?}");
    }
    bystander.unharmed();
}

#[test]
fn what_is_no_protobuf_is_closed_with_3501() {
    let node = Node::start();
    let bystander = Bystander::of(&node);
    for said in [
        &b""[..],
        // More promised than there is.
        b"\x7f\x08\x01",
        // A length that never ends.
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        // A field of an impossible wire type.
        b"\x02\x0f\x00",
        // A pong that nobody asked for.
        b"\x00",
    ] {
        let headers = "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n";
        let mut socket = Socket::try_open(node.port, "/connection/websocket", headers).unwrap();
        assert_eq!(socket.headers["sec-websocket-protocol"], "centrifuge-protobuf");
        socket.binary(said);
        assert_eq!(socket.closed().code, 3501, "after {said:?}");
    }
    bystander.unharmed();
}

#[test]
fn frames_against_the_rules_of_websocket_end_the_connection() {
    let node = Node::start();
    let bystander = Bystander::of(&node);
    let unmasked = b"\x81\x02{}".to_vec();
    let reserved_bit = {
        let mut bytes = frame(true, 1, b"{}");
        bytes[0] |= 0x40;
        bytes
    };
    let long_ping = frame(true, 9, &[b'x'; 126]);
    let broken_ping = frame(false, 9, b"x");
    let unknown_opcode = frame(true, 3, b"{}");
    let nothing_to_continue = frame(true, 0, b"{}");
    let two_beginnings = [frame(false, 1, b"{"), frame(true, 1, b"{}")].concat();
    let no_text = frame(true, 1, b"\xff\xfe");
    for (what, bytes) in [
        ("a frame without a mask", unmasked),
        ("a reserved bit", reserved_bit),
        ("a ping of 126 bytes", long_ping),
        ("a ping in pieces", broken_ping),
        ("an unknown opcode", unknown_opcode),
        ("a continuation of nothing", nothing_to_continue),
        ("a second beginning", two_beginnings),
        ("text that is not UTF-8", no_text),
    ] {
        let mut socket = Socket::open(node.port);
        socket.send(&bytes);
        let end = loop {
            match socket.next() {
                Frame::Text(_) | Frame::Binary(_) => {}
                end => break end,
            }
        };
        // 1002 protocol error, 1007 not UTF-8; or our own word for what can't be read.
        match end {
            Frame::Close(close) => {
                assert!(matches!(close.code, 1002 | 1007 | 3501), "{what}: {close:?}")
            }
            end => assert_eq!(end, Frame::End, "{what}"),
        }
    }
    bystander.unharmed();
}

#[test]
fn a_command_may_come_one_byte_at_a_time() {
    let node = Node::start();
    let mut client = Client::on(Socket::open(node.port));
    let connect = json!({ "id": 1, "connect": { "token": sign(&json!({ "sub": "ana" })) } });
    for byte in frame(true, 1, connect.to_string().as_bytes()) {
        client.socket.send(&[byte]);
    }
    let reply = client.reply(1);
    assert!(reply["connect"]["client"].is_string(), "{reply}");
}

#[test]
fn a_command_may_come_in_several_frames_with_a_ping_between_them() {
    let node = Node::start();
    let mut client = Client::on(Socket::open(node.port));
    let connect =
        json!({ "id": 1, "connect": { "token": sign(&json!({ "sub": "ana" })) } }).to_string();
    let (first, rest) = connect.split_at(20);
    let (second, third) = rest.split_at(20);
    client.socket.send(&frame(false, 1, first.as_bytes()));
    client.socket.send(&frame(false, 0, second.as_bytes()));
    client.socket.send(&frame(true, 9, b"are you there?"));
    client.socket.send(&frame(true, 0, third.as_bytes()));
    let reply = client.reply(1);
    assert!(reply["connect"]["client"].is_string(), "{reply}");
}

#[test]
fn several_commands_of_a_frame_are_answered_in_order() {
    let node = Node::start();
    let mut client = Client::on(Socket::open(node.port));
    let commands = [
        json!({ "connect": { "token": sign(&json!({ "sub": "ana" })), "unknown": [1] }, "id": 12 }),
        json!({ "subscribe": { "channel": "a", "flag": 1 }, "id": 13 }),
        json!({ "subscribe": { "channel": "b" }, "id": 14, "unknown": {} }),
        json!({ "publish": { "channel": "a", "data": {} }, "id": 15 }),
    ];
    let frame = commands.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    client.socket.text(&format!("{frame}\n"));
    for (id, result) in [(12, "connect"), (13, "subscribe"), (14, "subscribe"), (15, "publish")] {
        let reply = client.next_reply().unwrap();
        assert_eq!(reply["id"], id);
        assert!(reply[result].is_object(), "{reply}");
    }
}

#[test]
fn after_a_refused_connect_nothing_else_is_done() {
    let node = Node::start();
    let mut client = Client::on(Socket::open(node.port));
    let expired = sign(&json!({ "sub": "ana", "exp": 1_000_000 }));
    let reply = client.call(json!({ "connect": { "token": expired } }));
    assert_eq!(reply["error"]["code"], 109);
    client.send(json!({ "subscribe": { "channel": "room" } }));
    assert_eq!(client.next_reply().unwrap_err().unwrap().code, 3501);
}

#[test]
fn a_flood_of_commands_is_slowed_down_and_costs_no_memory() {
    let node = Node::start();
    let mut flooder = Client::connect(&node, "flooder");
    let before = node.resident();
    // The answers are not read, so the node has to stop reading, and then sending stalls.
    flooder.socket.give_up_sending_after(Duration::from_secs(1));
    let command = json!({ "id": 7, "history": { "channel": "room", "limit": 1 } }).to_string();
    let burst = frame(true, 1, command.as_bytes()).repeat(100);
    let mut sent = 0;
    while sent < 512 << 20 && flooder.socket.try_send(&burst).is_ok() {
        sent += burst.len();
    }
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "the node grew by {grown} bytes while {sent} were sent to it");
    // The kernel's buffers alone may hold tens of MB on either side.
    assert!(sent < 256 << 20, "the node never stopped reading");
    Bystander::of(&node).unharmed();
}

#[test]
fn a_publish_by_rpc_that_is_none_is_told_what_was_expected_and_nothing_of_itself() {
    let node = Node::start();
    let mut client = Client::connect(&node, "ana");
    for (data, expected) in [
        (json!("secret"), "expected an object in {channel, data, idempotency_key}"),
        (json!({ "channel": ["secret"] }), "expected a string in"),
        (
            json!({ "channel": "a", "secret": 1 }),
            "expected one of `channel`, `data`, `idempotency_key` in",
        ),
        (
            json!({ "channel": "a", "data": 1, "idempotency_key": { "secret": 1 } }),
            "expected a string in",
        ),
        (json!({ "channel": "secret" }), "expected the field data in"),
    ] {
        let reply = client.call(json!({ "rpc": { "method": "publish", "data": data } }));
        assert_eq!(reply["error"]["code"], 107, "{data}: {reply}");
        let message = reply["error"]["message"].as_str().expect("a message");
        assert!(message.contains(expected), "{data}: {message}");
        assert!(!message.contains("secret"), "{data}: {message}");
    }
    client.publish("room", json!("still here"));
}
