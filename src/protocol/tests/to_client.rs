//! Replies and pushes as the official SDKs expect them, byte for byte.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::json;
use crate::{
    ids::Channel,
    protocol::{
        ClientInfo, Encoding, Epoch, Outcome, Payload, Position, Publication, Push, Refusal, Reply,
        push::{Event, Form},
        refusal::Unsubscribed,
        reply::{
            ConnectResult, HistoryResult, RecoveredPublication, RefreshResult, SubscribeResult,
        },
    },
};

fn info() -> Arc<ClientInfo> {
    Arc::new(ClientInfo {
        user: "ana".into(),
        client: "c-1".into(),
        conn_info: json(r#"{"name":"Ana"}"#),
        chan_info: Payload::default(),
    })
}

fn said(offset: u64, data: Payload) -> Arc<Publication> {
    Arc::new(Publication { data, offset, ..Default::default() })
}

fn written(outcome: Outcome) -> String {
    let reply = Encoding::Json.reply(&Reply { id: 4, outcome }).unwrap();
    String::from_utf8(reply.to_vec()).unwrap()
}

#[test]
fn replies_in_json_leave_out_zero_values_except_those_that_sdks_index() {
    let connected = ConnectResult {
        client: "u".into(),
        version: "1".into(),
        expires: true,
        ttl: 300,
        ping: 25,
        pong: true,
        subs: BTreeMap::from([("s".into(), SubscribeResult::default())]),
        ..Default::default()
    };
    let subscribed = SubscribeResult {
        recoverable: true,
        positioned: true,
        epoch: Epoch::new("ep"),
        offset: 7,
        ..Default::default()
    };
    let recovered = SubscribeResult {
        recovered: true,
        was_recovering: true,
        publications: vec![RecoveredPublication { publication: said(8, json("{}")), delta: None }],
        ..subscribed.clone()
    };
    let refused = Refusal::INTERNAL.because("the journal is full");
    let anonymous = (String::from("c"), Arc::new(ClientInfo::default()));
    let table = [
        (
            Outcome::Connect(Box::new(connected)),
            r#"{"id":4,"connect":{"client":"u","version":"1","expires":true,"ttl":300,"subs":{"s":{}},"ping":25,"pong":true}}"#,
        ),
        (
            Outcome::Subscribe(Box::new(subscribed)),
            r#"{"id":4,"subscribe":{"recoverable":true,"epoch":"ep","offset":7,"positioned":true}}"#,
        ),
        (
            Outcome::Subscribe(Box::new(recovered)),
            r#"{"id":4,"subscribe":{"recoverable":true,"epoch":"ep","publications":[{"data":{},"offset":8}],"recovered":true,"offset":7,"positioned":true,"was_recovering":true}}"#,
        ),
        (Outcome::Subscribe(Box::default()), r#"{"id":4,"subscribe":{}}"#),
        (Outcome::Unsubscribe, r#"{"id":4,"unsubscribe":{}}"#),
        (Outcome::Publish, r#"{"id":4,"publish":{}}"#),
        (Outcome::Presence(BTreeMap::new()), r#"{"id":4,"presence":{"presence":{}}}"#),
        (
            Outcome::Presence(BTreeMap::from([anonymous])),
            r#"{"id":4,"presence":{"presence":{"c":{"user":"","client":""}}}}"#,
        ),
        (
            Outcome::PresenceStats { num_clients: 0, num_users: 0 },
            r#"{"id":4,"presence_stats":{"num_clients":0,"num_users":0}}"#,
        ),
        (
            Outcome::History(HistoryResult::default()),
            r#"{"id":4,"history":{"publications":[],"epoch":"","offset":0}}"#,
        ),
        (
            Outcome::History(HistoryResult {
                publications: vec![said(1, json("1")), said(2, json("2"))],
                epoch: Epoch::new("ep"),
                offset: 2,
            }),
            r#"{"id":4,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"epoch":"ep","offset":2}}"#,
        ),
        (Outcome::Rpc { data: json("[]") }, r#"{"id":4,"rpc":{"data":[]}}"#),
        (Outcome::Refresh(RefreshResult::default()), r#"{"id":4,"refresh":{}}"#),
        (
            Outcome::SubRefresh { expires: true, ttl: 0 },
            r#"{"id":4,"sub_refresh":{"expires":true,"ttl":0}}"#,
        ),
        (
            Outcome::Refused(Refusal::PERMISSION_DENIED),
            r#"{"id":4,"error":{"code":103,"message":"permission denied"}}"#,
        ),
        (
            Outcome::Refused(refused),
            r#"{"id":4,"error":{"code":100,"message":"internal server error: the journal is full","temporary":true}}"#,
        ),
    ];
    for (outcome, expected) in table {
        assert_eq!(written(outcome), expected);
    }
}

fn pushed(event: Event) -> String {
    let push = Push { channel: Channel::trusted("c"), event };
    String::from_utf8(Encoding::Json.push(&push).unwrap().to_vec()).unwrap()
}

#[test]
fn pushes_in_json_carry_data_as_it_was_published() {
    let publication = Arc::new(Publication {
        data: json("{\"text\" : \"\\u00e9\",\n \"n\":1.0}"),
        info: Some(info()),
        offset: 1,
        tags: BTreeMap::from([("k".into(), "v\"".into())]),
        delta: true,
    });
    let epoch = Some(Epoch::new("ep"));
    let position = Some(Position { epoch: Epoch::new("ep"), offset: 3 });
    let plain =
        |data| Event::Publication { publication: said(0, data), epoch: None, form: Form::Plain };
    let table = [
        (
            Event::Publication { publication, epoch, form: Form::Plain },
            r#"{"push":{"channel":"c","pub":{"data":{"text" : "\u00e9", "n":1.0},"info":{"user":"ana","client":"c-1","conn_info":{"name":"Ana"}},"offset":1,"tags":{"k":"v\""},"epoch":"ep"}}}"#,
        ),
        (plain(json("0")), r#"{"push":{"channel":"c","pub":{"data":0}}}"#),
        (
            Event::Join(info()),
            r#"{"push":{"channel":"c","join":{"info":{"user":"ana","client":"c-1","conn_info":{"name":"Ana"}}}}}"#,
        ),
        (
            Event::Leave(Arc::default()),
            r#"{"push":{"channel":"c","leave":{"info":{"user":"","client":""}}}}"#,
        ),
        (
            Event::Unsubscribe(Unsubscribed::INSUFFICIENT_STATE),
            r#"{"push":{"channel":"c","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
        ),
        (
            Event::Subscribe { position, recoverable: true, positioned: true, data: json("{}") },
            r#"{"push":{"channel":"c","subscribe":{"recoverable":true,"epoch":"ep","offset":3,"positioned":true,"data":{}}}}"#,
        ),
        (
            Event::Refresh { expires: true, ttl: 60 },
            r#"{"push":{"channel":"c","refresh":{"expires":true,"ttl":60}}}"#,
        ),
    ];
    for (event, expected) in table {
        assert_eq!(pushed(event), expected);
    }
}

#[test]
fn members_with_deltas_read_json_data_out_of_a_string() {
    let event =
        |form| Event::Publication { publication: said(2, json(r#"{"a":"b"}"#)), epoch: None, form };
    let full = r#"{"push":{"channel":"c","pub":{"data":"{\"a\":\"b\"}","offset":2}}}"#;
    assert_eq!(pushed(event(Form::Full)), full);
    let delta = Bytes::from_static(b"9\n9:{\"a\":\"b\"}x;");
    assert_eq!(
        pushed(event(Form::Delta(delta))),
        r#"{"push":{"channel":"c","pub":{"data":"9\n9:{\"a\":\"b\"}x;","offset":2,"delta":true}}}"#
    );
    let cut_in_a_letter = Bytes::from_static(b"1\n1:\xc3x;");
    assert_eq!(
        pushed(event(Form::Delta(cut_in_a_letter))),
        full,
        "whole where a string can't hold it"
    );
}

#[test]
fn binary_data_goes_to_protobuf_clients_only() {
    let data = Payload::inspect(Bytes::from_static(b"\x01\xff"));
    for form in [Form::Plain, Form::Full] {
        let publication = said(1, data.clone());
        let event = Event::Publication { publication, epoch: None, form };
        let push = Push { channel: Channel::trusted("c"), event };
        assert!(Encoding::Json.push(&push).is_err());
        let bytes = Encoding::Protobuf.push(&push).unwrap();
        assert_eq!(bytes, &b"\x0d\x22\x0b\x12\x01c\x22\x06\x22\x02\x01\xff\x30\x01"[..]);
    }
    let reply = Reply { id: 1, outcome: Outcome::Rpc { data } };
    assert!(Encoding::Json.reply(&reply).is_err());
    let not_text = Payload::inspect(Bytes::from_static(b"\"\xff\""));
    assert!(!not_text.is_json(), "quotes around it make it no text");
}

#[test]
fn replies_in_protobuf_name_empty_results_too() {
    let bytes = |outcome| Encoding::Protobuf.reply(&Reply { id: 4, outcome }).unwrap();
    assert_eq!(bytes(Outcome::Publish), &b"\x04\x08\x04\x42\x00"[..]);
    assert_eq!(bytes(Outcome::Unsubscribe), &b"\x04\x08\x04\x3a\x00"[..]);
    assert_eq!(
        bytes(Outcome::Refused(Refusal::EXPIRED)),
        &b"\x0f\x08\x04\x12\x0b\x08\x6e\x12\x07expired"[..]
    );
}

#[test]
fn a_ping_is_the_empty_reply() {
    assert_eq!(Encoding::Json.ping(), "{}");
    assert_eq!(Encoding::Protobuf.ping(), &b"\0"[..]);
}
