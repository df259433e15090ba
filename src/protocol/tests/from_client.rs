//! Commands as the official SDKs write them, byte for byte, and frames that are none.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::json;
use crate::protocol::{
    Command, Encoding, Epoch, Payload, Position, Request,
    command::{ConnectRequest, HistoryRequest, SubscribeRequest},
};

fn commands(encoding: Encoding, frame: &[u8]) -> Vec<Command> {
    encoding.commands(Bytes::copy_from_slice(frame)).map(|command| command.unwrap()).collect()
}

fn lines(frame: &str) -> Vec<Command> {
    commands(Encoding::Json, frame.as_bytes())
}

fn one(frame: &str) -> Command {
    let mut commands = lines(frame);
    assert_eq!(commands.len(), 1);
    commands.remove(0)
}

fn malformed(encoding: Encoding, frame: &[u8]) -> String {
    encoding
        .commands(Bytes::copy_from_slice(frame))
        .find_map(Result::err)
        .unwrap_or_else(|| panic!("{frame:?} was read"))
        .0
}

fn subscribe(channel: &str, flag: i64) -> Request {
    let channel = channel.into();
    Request::Subscribe(Box::new(SubscribeRequest { channel, flag, ..Default::default() }))
}

#[test]
fn js_connects_and_subscribes_in_one_frame() {
    let frame = r#"{"connect":{"token":"tok","data":{"d":1},"name":"js","headers":{"h":"v"}},"id":1}
{"subscribe":{"channel":"a","flag":1},"id":2}
{"subscribe":{"channel":"b","flag":1},"id":3}"#;
    let connect = ConnectRequest {
        token: "tok".into(),
        data: json(r#"{"d":1}"#),
        name: "js".into(),
        ..Default::default()
    };
    let expected = [
        Command { id: 1, request: Request::Connect(Box::new(connect)) },
        Command { id: 2, request: subscribe("a", 1) },
        Command { id: 3, request: subscribe("b", 1) },
    ];
    assert_eq!(lines(frame), expected);
    assert_eq!(lines(&format!("{frame}\n")), expected, "one newline at the end is allowed");
}

#[test]
fn python_writes_spaces_and_the_id_first() {
    let got = one(r#"{"id": 12, "connect": {"token": "tok", "name": "python"}}"#);
    let connect =
        ConnectRequest { token: "tok".into(), name: "python".into(), ..Default::default() };
    assert_eq!(got, Command { id: 12, request: Request::Connect(Box::new(connect)) });
}

#[test]
fn python_connects_in_protobuf() {
    let got = commands(Encoding::Protobuf, b"\x11\x08\x01\x22\x0d\x0a\x03tok\x22\x06python");
    let connect =
        ConnectRequest { token: "tok".into(), name: "python".into(), ..Default::default() };
    assert_eq!(got, [Command { id: 1, request: Request::Connect(Box::new(connect)) }]);
}

#[test]
fn each_command_is_read_from_json() {
    let seen = Position { epoch: Epoch::new("ep"), offset: 4 };
    let full = SubscribeRequest {
        channel: "c".into(),
        token: "t".into(),
        recover: Some(seen.clone()),
        data: json("[1, 2]"),
        positioned: true,
        recoverable: true,
        join_leave: true,
        delta: "fossil".into(),
        has_filter: true,
        flag: 3,
        kind: 1,
    };
    let since = Some(Position { epoch: Epoch::new("ep"), offset: 3 });
    let page = HistoryRequest { channel: "c1".into(), limit: 5, since, reverse: true };
    let bare = HistoryRequest { channel: "c1".into(), ..Default::default() };
    let start = HistoryRequest { since: Some(Position::default()), ..bare.clone() };
    let subs = BTreeMap::from([("s".to_string(), seen)]);
    let reconnect = ConnectRequest { subs, ..Default::default() };
    let channel = || "c".to_string();
    let table = [
        (
            r#"{"subscribe":{"channel":"c","token":"t","recover":true,"epoch":"ep","offset":4,"data":[1, 2],"positioned":true,"recoverable":true,"join_leave":true,"delta":"fossil","tf":{"op":"and"},"flag":3,"type":1},"id":7}"#,
            Request::Subscribe(Box::new(full)),
        ),
        (
            r#"{"connect":{"subs":{"s":{"recover":true,"epoch":"ep","offset":4},"t":{}}},"id":7}"#,
            Request::Connect(Box::new(reconnect)),
        ),
        (r#"{"unsubscribe":{"channel":"c"},"id":7}"#, Request::Unsubscribe { channel: channel() }),
        (
            r#"{"publish":{"channel":"c","data":{"x":1e400}},"id":7}"#,
            Request::Publish { channel: channel(), data: json(r#"{"x":1e400}"#) },
        ),
        (
            r#"{"publish":{"channel":"c","data":null},"id":7}"#,
            Request::Publish { channel: channel(), data: json("null") },
        ),
        (
            r#"{"publish":{"channel":"c"},"id":7}"#,
            Request::Publish { channel: channel(), data: Payload::default() },
        ),
        (r#"{"presence":{"channel":"c"},"id":7}"#, Request::Presence { channel: channel() }),
        (
            r#"{"presence_stats":{"channel":"c"},"id":7}"#,
            Request::PresenceStats { channel: channel() },
        ),
        (
            r#"{"history":{"channel":"c1","since":{"offset":3,"epoch":"ep"},"limit":5,"reverse":true},"id":7}"#,
            Request::History(page),
        ),
        (r#"{"history":{"channel":"c1","since":{}},"id":7}"#, Request::History(start)),
        (r#"{"history":{"channel":"c1","since":null},"id":7}"#, Request::History(bare)),
        (
            r#"{"rpc":{"method":"m","data":"x"},"id":7}"#,
            Request::Rpc { method: "m".into(), data: json(r#""x""#) },
        ),
        (r#"{"refresh":{"token":"t"},"id":7}"#, Request::Refresh { token: "t".into() }),
        (
            r#"{"sub_refresh":{"channel":"c","token":"t"},"id":7}"#,
            Request::SubRefresh { channel: channel(), token: "t".into() },
        ),
        (r#"{"ping":{},"id":7}"#, Request::Unknown),
        (r#"{"wave":{},"id":7}"#, Request::Unknown),
        (
            r#"{"presence":{"channel":null,"later":[{}]},"id":7,"more":{"a":[]}}"#,
            Request::Presence { channel: "".into() },
        ),
    ];
    for (frame, request) in table {
        assert_eq!(one(frame), Command { id: 7, request }, "{frame}");
    }
    assert_eq!(
        one(r#"{"send":{"data":{}}}"#),
        Command { id: 0, request: Request::Send { data: json("{}") } }
    );
    assert_eq!(one("{}"), Command { id: 0, request: Request::Pong });
    assert_eq!(one(r#"{"ping":{}}"#), Command { id: 0, request: Request::Unknown });
    let unasked = Command { id: 0, request: Request::Presence { channel: channel() } };
    assert_eq!(one(r#"{"presence":{"channel":"c"}}"#), unasked);
}

#[test]
fn the_first_of_several_commands_in_the_fixed_order_counts() {
    let names = [
        "connect",
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
        "rpc",
        "send",
        "refresh",
        "sub_refresh",
        "ping",
    ];
    for (index, name) in names.iter().enumerate() {
        let alone = one(&format!(r#"{{"id":1,"{name}":{{}}}}"#));
        let rest: Vec<_> = names[index..].iter().rev().map(|n| format!(r#""{n}":{{}}"#)).collect();
        assert_eq!(one(&format!(r#"{{"id":1,{}}}"#, rest.join(","))), alone, "{name}");
    }
}

#[test]
fn an_empty_protobuf_message_is_a_pong_and_frames_may_hold_several() {
    let pong = Command { id: 0, request: Request::Pong };
    let presence = Command { id: 2, request: Request::Presence { channel: "c".into() } };
    assert_eq!(commands(Encoding::Protobuf, b"\x00"), std::slice::from_ref(&pong));
    let got = commands(Encoding::Protobuf, b"\x00\x07\x08\x02\x42\x03\x0a\x01c\x00");
    assert_eq!(got, [pong.clone(), presence, pong]);
}

#[test]
fn a_bad_frame_is_refused_with_what_was_expected_and_none_of_its_content() {
    let table: [(&str, &str); 9] = [
        ("", "expected a message, got an empty frame"),
        ("\n", "expected a command as a JSON object, got a blank line"),
        ("{}\n\n{}", "expected a command as a JSON object, got a blank line"),
        ("{}\n \n", "expected a command as a JSON object, got a blank line"),
        (
            r#"{"id":1,"connect":{"token":"secret"#,
            "expected a command as a JSON object, got one that ends early, at column 34",
        ),
        (r#"{"id":1 "secret"}"#, "expected a command as JSON, got a syntax error at column 9"),
        (r#"{"id":"secret"}"#, "expected u32 in a command, got something else at column 14"),
        (
            r#"{"id":1,"id":2}"#,
            "expected each field once in a command, got something else at column 12",
        ),
        (
            r#"{"id":1,"connect":{"token":"secret","subs":["secret"]}}"#,
            "expected an object of positions by channel in a command, got something else at column 43",
        ),
    ];
    for (frame, expected) in table {
        assert_eq!(malformed(Encoding::Json, frame.as_bytes()), expected, "{frame}");
    }
    let not_text = malformed(Encoding::Json, b"{\"id\":1,\"refresh\":{\"token\":\"\xff\"}}");
    assert_eq!(not_text, "expected a command as JSON, got bytes that are not UTF-8 at byte 28");
    let empty = malformed(Encoding::Protobuf, b"");
    assert_eq!(empty, "expected a message, got an empty frame");
    let short = malformed(Encoding::Protobuf, b"\x11\x08\x01");
    assert_eq!(short, "expected a message of 17 bytes, got 2 bytes of frame");
    let garbage = malformed(Encoding::Protobuf, b"\x03\xff\xff\xff");
    assert!(garbage.starts_with("expected a command in Protobuf, got bytes that are none"));
}

#[test]
fn nothing_is_read_after_the_first_bad_command() {
    let mut commands = Encoding::Json.commands(Bytes::from_static(b"{}\nx\n{}"));
    assert!(commands.next().unwrap().is_ok());
    assert!(commands.next().unwrap().is_err());
    assert!(commands.next().is_none());
}
