//! Who is where: what nodes write into Redis of their members, and what they make of it. Pure.
//!
//! A hash a channel has an entry for each member, with the run of the node that it is connected to. Nothing refreshes
//! an entry: it counts as long as its run lives. A set a run has the channels in which it has members, so that what a
//! dead run leaves behind is found; and a set has the runs, from which exactly one survivor removes a dead one.

use std::{collections::HashSet, sync::Arc};

use prost::Message;
use redis::{Cmd, Value, cmd};

use super::envelope::Info;
use crate::{
    ids::{Channel, NodeId},
    platform::redis_client::Slots,
    protocol::ClientInfo,
};

use super::names::Names;

/// A member of a channel, on whatever node.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub run: NodeId,
    pub info: Arc<ClientInfo>,
    /// Others hear of its leave.
    pub join_leave: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Written {
    #[prost(bytes = "vec", tag = "1")]
    run: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    info: Option<Info>,
    #[prost(bool, tag = "3")]
    join_leave: bool,
}

/// A command and the name whose server does it.
pub(super) struct Errand {
    pub key: String,
    pub command: Cmd,
}

fn errand(name: &str, key: String) -> Errand {
    let mut command = cmd(name);
    command.arg(&key);
    Errand { key, command }
}

impl Errand {
    fn with(mut self, argument: impl redis::ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }
}

/// Writes a member down.
pub(super) fn enter(names: &Names, channel: &Channel, entry: &Entry) -> [Errand; 2] {
    let written = Written {
        run: entry.run.as_bytes().to_vec(),
        info: Some(super::envelope::info(&entry.info)),
        join_leave: entry.join_leave,
    };
    [
        errand("SADD", names.channels_of(entry.run)).with(channel.as_str()),
        errand("HSET", names.members(channel))
            .with(&entry.info.client)
            .with(written.encode_to_vec()),
    ]
}

/// Strikes members out.
pub(super) fn leave(names: &Names, channel: &Channel, clients: &[&str]) -> Errand {
    errand("HDEL", names.members(channel)).with(clients)
}

/// This run has no members in the channel any more.
pub(super) fn empty(names: &Names, channel: &Channel, run: NodeId) -> Errand {
    errand("SREM", names.channels_of(run)).with(channel.as_str())
}

/// Asks who is in a channel; [`members`] reads the answer.
pub(super) fn ask(names: &Names, channel: &Channel) -> Errand {
    errand("HGETALL", names.members(channel))
}

/// This run may have members.
pub(super) fn arise(names: &Names, run: NodeId) -> Errand {
    errand("SADD", names.runs()).with(run.to_string())
}

/// Asks which runs have had members.
pub(super) fn runs(names: &Names) -> Errand {
    errand("SMEMBERS", names.runs())
}

/// Takes it on to clear up behind a dead run: the answer is 1 for one survivor, 0 for all others.
pub(super) fn bury(names: &Names, run: NodeId) -> Errand {
    errand("SREM", names.runs()).with(run.to_string())
}

/// Asks for the channels of a run.
pub(super) fn channels_of(names: &Names, run: NodeId) -> Errand {
    errand("SMEMBERS", names.channels_of(run))
}

/// Forgets the channels of a run.
pub(super) fn forget(names: &Names, run: NodeId) -> Errand {
    errand("DEL", names.channels_of(run))
}

/// Marks the data of a server, unless somebody has.
pub(super) fn mark(names: &Names, slots: Option<&Slots>, random: NodeId) -> Errand {
    errand("SET", names.mark(slots)).with(random.to_string()).with("NX")
}

/// Asks for that mark.
pub(super) fn marked(names: &Names, slots: Option<&Slots>) -> Errand {
    errand("GET", names.mark(slots))
}

/// Reads who is in a channel. What can't be read is of a version to come, and left out.
pub(super) fn members(answer: Value) -> Vec<Entry> {
    let values: Vec<Value> = match answer {
        Value::Map(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
        _ => return Vec::new(),
    };
    let read = |value| {
        let Value::BulkString(bytes) = value else { return None };
        let written = Written::decode(&*bytes).ok()?;
        let info = Arc::new(written.info?.into());
        Some(Entry { run: NodeId::from_bytes(&written.run)?, info, join_leave: written.join_leave })
    };
    values.into_iter().filter_map(read).collect()
}

/// Reads a set of names.
pub(super) fn names_in(answer: Value) -> HashSet<String> {
    redis::from_redis_value(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_it_was_written_and_strangers_are_left_out() {
        let info = ClientInfo { user: "ana".into(), client: "c1".into(), ..ClientInfo::default() };
        let entry = Entry { run: NodeId::new(), info: Arc::new(info), join_leave: true };
        let names = Names::new("test");
        let [_, written] = enter(&names, &Channel::trusted("news"), &entry);
        let bytes = written.command.args_iter().filter_map(|arg| match arg {
            redis::Arg::Simple(bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        let bytes: Vec<Vec<u8>> = bytes.collect();
        assert_eq!(&bytes[..3], &[b"HSET".to_vec(), b"test:p:news".to_vec(), b"c1".to_vec()]);
        let field = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let answer = Value::Map(vec![
            (field(b"c1"), field(&bytes[3])),
            (field(b"c2"), field(b"from the future")),
            (field(b"c3"), Value::Nil),
        ]);
        assert_eq!(members(answer), [entry]);
        assert_eq!(members(Value::Nil), []);
    }
}
