//! Frames from peers that mean harm: refused or read, but never a panic.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::messages;
use crate::protocol::{Command, Encoding, Payload, Request};

const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];

fn read(encoding: Encoding, frame: impl Into<Bytes>) -> Vec<Option<Command>> {
    encoding.commands(frame.into()).map(Result::ok).collect()
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let frame = format!(r#"{{"id":1,"publish":{{"channel":"c","data":{deep}}}}}"#);
    let published = read(Encoding::Json, frame).remove(0).unwrap();
    let data = Payload::json(deep.clone().into());
    assert_eq!(published.request, Request::Publish { channel: "c".into(), data });
    let unknown_fields = [
        format!(r#"{{"id":1,"later":{deep}}}"#),
        format!(r#"{{"id":1,"subscribe":{{"tf":{}}}}}"#, r#"{"nodes":["#.repeat(100_000)),
        deep.clone(),
        "[".repeat(200_000),
        r#"{"connect":"#.repeat(100_000),
    ];
    for frame in unknown_fields {
        assert_eq!(read(Encoding::Json, frame).len(), 1);
    }
    assert!(Payload::inspect(deep.into()).is_json());
    // Start-group tags of an unknown field, each inside the one before it.
    let groups = [&b"\xa0\x9c\x01"[..], &vec![0xa3; 20_000]].concat();
    assert_eq!(read(Encoding::Protobuf, groups), [None]);
    // A filter inside a filter and so on is not looked into.
    let mut filter = Vec::new();
    for _ in 0..2_000 {
        let mut outer = vec![0x32];
        prost::encoding::encode_varint(filter.len() as u64, &mut outer);
        outer.append(&mut filter);
        filter = outer;
    }
    let mut subscribe = vec![0x6a];
    prost::encoding::encode_varint(filter.len() as u64, &mut subscribe);
    subscribe.append(&mut filter);
    let mut command = vec![0x2a];
    prost::encoding::encode_varint(subscribe.len() as u64, &mut command);
    command.append(&mut subscribe);
    let mut frame = Vec::new();
    prost::encoding::encode_varint(command.len() as u64, &mut frame);
    frame.append(&mut command);
    let filtered = read(Encoding::Protobuf, frame).remove(0).unwrap();
    assert!(matches!(filtered.request, Request::Subscribe(it) if it.has_filter));
}

#[test]
fn huge_numbers_are_refused_or_carried() {
    let digits = "9".repeat(60_000);
    let refused = [
        format!(r#"{{"id":{digits}}}"#),
        r#"{"id":4294967296}"#.into(),
        r#"{"id":-1}"#.into(),
        r#"{"id":1e3}"#.into(),
        format!(r#"{{"id":1,"history":{{"limit":{digits}}}}}"#),
        r#"{"id":1,"subscribe":{"recover":true,"offset":18446744073709551616}}"#.into(),
    ];
    for frame in refused {
        assert_eq!(read(Encoding::Json, frame.clone()), [None], "{frame:.40}");
    }
    let frame = format!(r#"{{"id":1,"publish":{{"channel":"c","data":{digits}}}}}"#);
    assert!(read(Encoding::Json, frame)[0].is_some());
}

#[test]
fn lengths_beyond_the_frame_are_refused() {
    let lengths: [&[u8]; 5] = [
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\x01",
    ];
    for frame in lengths {
        assert_eq!(read(Encoding::Protobuf, Bytes::from_static(frame)), [None], "{frame:?}");
        // The same as the length of a publish and as the length of its data.
        for head in [&b"\x3a"[..], &b"\x3a\x10\x12"[..]] {
            let inner = [head, frame].concat();
            let whole = [&[inner.len() as u8][..], &inner].concat();
            assert_eq!(read(Encoding::Protobuf, whole), [None], "{frame:?}");
        }
    }
}

#[test]
fn a_small_part_of_a_large_frame_does_not_hold_on_to_it() {
    let padding = "x".repeat(60_000);
    let frame = format!(r#"{{"id":1,"publish":{{"channel":"c","data":[1]}},"pad":"{padding}"}}"#);
    let frame = Bytes::from(frame);
    let span = frame.as_ptr_range();
    let published = read(Encoding::Json, frame.clone()).remove(0).unwrap();
    let Request::Publish { data, .. } = published.request else { panic!("no publish") };
    assert!(!span.contains(&data.bytes().as_ptr()));
}

#[test]
fn the_data_of_a_publish_shares_the_memory_of_its_frame() {
    for encoding in BOTH {
        let data = Payload::json(Bytes::from(format!("\"{}\"", "x".repeat(500))));
        let request = Request::Publish { channel: "c".into(), data };
        let frame = encoding.command(&Command { id: 1, request }).unwrap();
        let span = frame.as_ptr_range();
        let published = read(encoding, frame.clone()).remove(0).unwrap();
        let Request::Publish { data, .. } = published.request else { panic!("no publish") };
        assert!(span.contains(&data.bytes().as_ptr()), "{encoding:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes(frame in vec(any::<u8>(), 0..200)) {
        for encoding in BOTH {
            read(encoding, frame.clone());
            encoding.replies(frame.clone().into()).for_each(drop);
        }
    }

    #[test]
    fn a_command_with_a_wrong_byte(
        command in messages::command(Encoding::Json),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        for encoding in BOTH {
            let mut frame = encoding.command(&command).unwrap().to_vec();
            let at = at.index(frame.len());
            frame[at] = byte;
            read(encoding, frame);
        }
    }

    #[test]
    fn a_reply_with_a_wrong_byte(
        reply in messages::reply(Encoding::Json),
        push in messages::push(Encoding::Json),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        for encoding in BOTH {
            for bytes in [encoding.reply(&reply).unwrap(), encoding.push(&push).unwrap()] {
                let mut frame = bytes.to_vec();
                let at = at.index(frame.len());
                frame[at] = byte;
                encoding.replies(frame.into()).for_each(drop);
            }
        }
    }
}
