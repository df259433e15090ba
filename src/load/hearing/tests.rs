//! Replies as servers write them, in both encodings.

use super::*;

fn one(text: &str) -> Heard<'_> {
    let mut replies = replies(Encoding::Json, text.as_bytes());
    let heard = replies.next().unwrap().unwrap();
    assert!(replies.next().is_none());
    heard
}

fn said(offset: u64, data: &'static str) -> Message<'static> {
    Message { offset, data: data.as_bytes() }
}

#[test]
fn a_json_publication_is_found_whatever_stands_around_it() {
    let expected =
        Heard::Publication { channel: b"load-1", message: said(5, r#"{"p":1,"d":"a\"}"}"#) };
    for text in [
        r#"{"push":{"channel":"load-1","pub":{"data":{"p":1,"d":"a\"}"},"offset":5}}}"#,
        r#"{"push":{"pub":{"offset":5,"info":{"user":"u","client":"c","conn_info":[1,{"a":[]}]},"data":{"p":1,"d":"a\"}"}},"channel":"load-1"}}"#,
        r#"{ "push" : { "channel" : "load-1" , "pub" : { "tags" : null, "data" : {"p":1,"d":"a\"}"} , "offset" : 5 } } }"#,
    ] {
        assert_eq!(one(text), expected, "{text}");
    }
}

#[test]
fn json_replies_of_every_kind_the_tool_asks_for() {
    assert_eq!(one("{}"), Heard::Ping);
    assert_eq!(one(r#"{"id":7,"publish":{}}"#), Heard::Published { id: 7 });
    assert_eq!(one(r#"{"publish":{},"id":7}"#), Heard::Published { id: 7 });
    assert_eq!(one(r#"{"id":7,"presence":{"presence":{}}}"#), Heard::Other);
    assert_eq!(
        one(r#"{"push":{"channel":"a","join":{"info":{"user":"u","client":"c"}}}}"#),
        Heard::Other
    );
    assert_eq!(
        one(
            r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#
        ),
        Heard::Unsubscribed { code: 2500 }
    );
    let refusal = Refusal { code: 103, message: "permission \"denied\"".into(), temporary: false };
    assert_eq!(
        one(r#"{"id":2,"error":{"code":103,"message":"permission \"denied\""}}"#),
        Heard::Refused { id: 2, refusal }
    );
    let text = r#"{"id":1,"connect":{"client":"c","version":"1","ping":25,"pong":true,"subs":{"#
        .to_owned()
        + r##""#u":{"recoverable":true,"epoch":"g.0","positioned":true}}}}"##;
    let personal = Subscribed { epoch: b"g.0", ..Subscribed::default() };
    assert_eq!(one(&text), Heard::Connected { pong: true, subs: vec![(b"#u", personal)] });
}

#[test]
fn a_recovery_brings_what_was_missed() {
    let text = r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"g.1","publications":[{"data":1,"offset":4},{"data":"b","offset":5}],"recovered":true,"offset":3,"was_recovering":true}}"#;
    let expected = Subscribed {
        epoch: b"g.1",
        offset: 3,
        recovered: true,
        was_recovering: true,
        publications: vec![said(4, "1"), said(5, "\"b\"")],
    };
    assert_eq!(one(text), Heard::Subscribed(expected));
}

#[test]
fn a_json_frame_may_hold_several_replies_and_end_with_a_newline() {
    let frame = b"{\"id\":3,\"publish\":{}}\n{}\n";
    let heard: Vec<_> = replies(Encoding::Json, frame).map(Result::unwrap).collect();
    assert_eq!(heard, [Heard::Published { id: 3 }, Heard::Ping]);
}

#[test]
fn cut_off_json_is_unreadable_and_never_a_panic() {
    let text = br#"{"push":{"channel":"load-1","pub":{"data":{"p":1,"d":"a\"}"},"offset":5}}}"#;
    for cut in 1..text.len() {
        assert_eq!(replies(Encoding::Json, &text[..cut]).next(), Some(Err(Unreadable)), "{cut}");
    }
    for text in ["[]", "{\"id\":-1}", "{\"a\"}", "{\"id\":99999999999999999999}", "x"] {
        assert_eq!(
            replies(Encoding::Json, text.as_bytes()).next(),
            Some(Err(Unreadable)),
            "{text}"
        );
    }
}

/// A field that holds bytes.
fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, value.len() as u8];
    out.extend_from_slice(value);
    out
}

/// A field that holds a number below 128.
fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = vec![message.len() as u8];
    out.extend_from_slice(message);
    out
}

#[test]
fn protobuf_replies_of_every_kind_the_tool_asks_for() {
    let publication = [bytes(4, b"{}"), number(6, 5)].concat();
    let granted =
        [bytes(6, b"g.1"), bytes(7, &publication), number(8, 1), number(9, 4), number(12, 1)]
            .concat();
    let sub = [bytes(1, b"#u"), bytes(2, &bytes(6, b"g.0"))].concat();
    let messages = [
        vec![],
        bytes(4, &[bytes(2, b"load-1"), bytes(4, &publication)].concat()),
        [number(1, 7), bytes(8, b"")].concat(),
        [number(1, 2), bytes(2, &[number(1, 103), bytes(2, b"no"), number(3, 1)].concat())]
            .concat(),
        [number(1, 1), bytes(5, &[number(7, 25), number(8, 1), bytes(6, &sub)].concat())].concat(),
        [number(1, 2), bytes(6, &granted)].concat(),
        bytes(4, &bytes(7, &[vec![2 << 3, 0xc4, 0x13], bytes(3, b"insufficient state")].concat())),
    ];
    let frame: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
    let heard: Vec<_> = replies(Encoding::Protobuf, &frame).map(Result::unwrap).collect();
    let refusal = Refusal { code: 103, message: "no".into(), temporary: true };
    let personal = Subscribed { epoch: b"g.0", ..Subscribed::default() };
    let expected = [
        Heard::Ping,
        Heard::Publication { channel: b"load-1", message: said(5, "{}") },
        Heard::Published { id: 7 },
        Heard::Refused { id: 2, refusal },
        Heard::Connected { pong: true, subs: vec![(b"#u", personal)] },
        Heard::Subscribed(Subscribed {
            epoch: b"g.1",
            offset: 4,
            recovered: true,
            was_recovering: true,
            publications: vec![said(5, "{}")],
        }),
        Heard::Unsubscribed { code: 2500 },
    ];
    assert_eq!(heard, expected);
    for cut in 2..frame.len() {
        replies(Encoding::Protobuf, &frame[..cut]).for_each(drop);
    }
}
