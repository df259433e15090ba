//! What one side writes the other reads, whatever is in it.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};

use super::messages;
use crate::protocol::{Command, Encoding, ServerMessage};

/// Joins messages to a frame as both sides do.
fn joined(encoding: Encoding, messages: impl IntoIterator<Item = Bytes>) -> Bytes {
    let mut frame = BytesMut::new();
    for message in messages {
        if encoding == Encoding::Json && !frame.is_empty() {
            frame.put_u8(b'\n');
        }
        frame.put(message);
    }
    frame.freeze()
}

fn commands_come_back(encoding: Encoding, sent: Vec<Command>) -> Result<(), TestCaseError> {
    let frame = joined(encoding, sent.iter().map(|it| encoding.command(it).unwrap()));
    let read: Vec<_> = encoding.commands(frame).map(Result::unwrap).collect();
    prop_assert_eq!(read, sent);
    Ok(())
}

fn messages_come_back(encoding: Encoding, sent: Vec<ServerMessage>) -> Result<(), TestCaseError> {
    let write = |message: &ServerMessage| match message {
        ServerMessage::Reply(reply) => encoding.reply(reply).unwrap(),
        ServerMessage::Push(push) => encoding.push(push).unwrap(),
        ServerMessage::Ping => encoding.ping(),
    };
    let frame = joined(encoding, sent.iter().map(write));
    let read: Vec<_> = encoding.replies(frame).map(Result::unwrap).collect();
    prop_assert_eq!(read, sent);
    Ok(())
}

fn server_messages(encoding: Encoding) -> impl Strategy<Value = Vec<ServerMessage>> {
    let one = prop_oneof![
        messages::reply(encoding).prop_map(ServerMessage::Reply),
        messages::push(encoding).prop_map(ServerMessage::Push),
        Just(ServerMessage::Ping),
    ];
    vec(one, 1..4)
}

proptest! {
    #[test]
    fn commands_in_json(sent in vec(messages::command(Encoding::Json), 1..4)) {
        commands_come_back(Encoding::Json, sent)?;
    }

    #[test]
    fn commands_in_protobuf(sent in vec(messages::command(Encoding::Protobuf), 1..4)) {
        commands_come_back(Encoding::Protobuf, sent)?;
    }

    #[test]
    fn replies_and_pushes_in_json(sent in server_messages(Encoding::Json)) {
        messages_come_back(Encoding::Json, sent)?;
    }

    #[test]
    fn replies_and_pushes_in_protobuf(sent in server_messages(Encoding::Protobuf)) {
        messages_come_back(Encoding::Protobuf, sent)?;
    }
}
