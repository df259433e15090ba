//! Commands as a Protobuf client of ours writes them.

use bytes::Bytes;

use super::{wire, write};
use crate::protocol::{
    Command, Position, Request,
    command::{ConnectRequest, HistoryRequest, SubscribeRequest},
};

/// One command after its length.
pub(in crate::protocol) fn command(command: &Command) -> Bytes {
    let mut to = wire::Command { id: command.id, ..Default::default() };
    match &command.request {
        Request::Connect(it) => to.connect = Some(connect(it)),
        Request::Subscribe(it) => to.subscribe = Some(subscribe(it)),
        Request::Unsubscribe { channel } => to.unsubscribe = Some(named(channel)),
        Request::Publish { channel, data } => {
            let (channel, data) = (channel.clone(), data.bytes().clone());
            to.publish = Some(wire::PublishRequest { channel, data });
        }
        Request::Presence { channel } => to.presence = Some(named(channel)),
        Request::PresenceStats { channel } => to.presence_stats = Some(named(channel)),
        Request::History(it) => to.history = Some(history(it)),
        Request::Rpc { method, data } => {
            let (method, data) = (method.clone(), data.bytes().clone());
            to.rpc = Some(wire::RpcRequest { data, method });
        }
        Request::Send { data } => to.send = Some(wire::SendRequest { data: data.bytes().clone() }),
        Request::Refresh { token } => {
            to.refresh = Some(wire::RefreshRequest { token: token.clone() });
        }
        Request::SubRefresh { channel, token } => {
            let (channel, token) = (channel.clone(), token.clone());
            to.sub_refresh = Some(wire::SubRefreshRequest { channel, token });
        }
        Request::Pong => {}
        Request::Unknown => to.ping = Some(wire::Empty {}),
    }
    write(&to)
}

fn named(channel: &str) -> wire::ChannelRequest {
    wire::ChannelRequest { channel: channel.into() }
}

fn connect(it: &ConnectRequest) -> wire::ConnectRequest {
    let seen = |(channel, at): (&String, &Position)| {
        let epoch = at.epoch.to_string();
        (channel.clone(), wire::Seen { recover: true, epoch, offset: at.offset })
    };
    wire::ConnectRequest {
        token: it.token.clone(),
        data: it.data.bytes().clone(),
        subs: it.subs.iter().map(seen).collect(),
        name: it.name.clone(),
        version: it.version.clone(),
    }
}

fn subscribe(it: &SubscribeRequest) -> wire::SubscribeRequest {
    let seen = it.recover.clone().unwrap_or_default();
    wire::SubscribeRequest {
        channel: it.channel.clone(),
        token: it.token.clone(),
        recover: it.recover.is_some(),
        epoch: seen.epoch.to_string(),
        offset: seen.offset,
        data: it.data.bytes().clone(),
        positioned: it.positioned,
        recoverable: it.recoverable,
        join_leave: it.join_leave,
        delta: it.delta.clone(),
        tf: it.has_filter.then(Bytes::new),
        flag: it.flag,
        kind: it.kind,
    }
}

fn history(it: &HistoryRequest) -> wire::HistoryRequest {
    let since = it.since.as_ref();
    let since =
        since.map(|at| wire::StreamPosition { offset: at.offset, epoch: at.epoch.to_string() });
    wire::HistoryRequest {
        channel: it.channel.clone(),
        limit: it.limit,
        since,
        reverse: it.reverse,
    }
}
