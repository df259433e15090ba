//! Commands as Protobuf clients write them.

use bytes::Bytes;

use super::{payload, read, wire};
use crate::protocol::{
    Command, Epoch, Malformed, Position, Request,
    command::{ConnectRequest, HistoryRequest, SubscribeRequest},
};

/// Reads one message.
pub(in crate::protocol) fn command(message: Bytes) -> Result<Command, Malformed> {
    let frame = message.len();
    let command: wire::Command = read(message, "a command")?;
    Ok(Command { id: command.id, request: request(command, frame) })
}

fn request(command: wire::Command, frame: usize) -> Request {
    if let Some(it) = command.connect {
        Request::Connect(Box::new(connect(it, frame)))
    } else if let Some(it) = command.subscribe {
        Request::Subscribe(Box::new(subscribe(it, frame)))
    } else if let Some(it) = command.unsubscribe {
        Request::Unsubscribe { channel: it.channel }
    } else if let Some(it) = command.publish {
        Request::Publish { channel: it.channel, data: payload(frame, it.data) }
    } else if let Some(it) = command.presence {
        Request::Presence { channel: it.channel }
    } else if let Some(it) = command.presence_stats {
        Request::PresenceStats { channel: it.channel }
    } else if let Some(it) = command.history {
        Request::History(history(it))
    } else if let Some(it) = command.rpc {
        Request::Rpc { method: it.method, data: payload(frame, it.data) }
    } else if let Some(it) = command.send {
        Request::Send { data: payload(frame, it.data) }
    } else if let Some(it) = command.refresh {
        Request::Refresh { token: it.token }
    } else if let Some(it) = command.sub_refresh {
        Request::SubRefresh { channel: it.channel, token: it.token }
    } else if command.ping.is_some() || command.id > 0 {
        Request::Unknown
    } else {
        Request::Pong
    }
}

fn seen(recover: bool, epoch: &str, offset: u64) -> Option<Position> {
    recover.then(|| Position { epoch: Epoch::new(epoch), offset })
}

fn connect(it: wire::ConnectRequest, frame: usize) -> ConnectRequest {
    let recovering = it
        .subs
        .into_iter()
        .filter_map(|(channel, sub)| Some((channel, seen(sub.recover, &sub.epoch, sub.offset)?)));
    ConnectRequest {
        token: it.token,
        data: payload(frame, it.data),
        subs: recovering.collect(),
        name: it.name,
        version: it.version,
    }
}

fn subscribe(it: wire::SubscribeRequest, frame: usize) -> SubscribeRequest {
    SubscribeRequest {
        recover: seen(it.recover, &it.epoch, it.offset),
        channel: it.channel,
        token: it.token,
        data: payload(frame, it.data),
        positioned: it.positioned,
        recoverable: it.recoverable,
        join_leave: it.join_leave,
        delta: it.delta,
        has_filter: it.tf.is_some(),
        flag: it.flag,
        kind: it.kind,
    }
}

fn history(it: wire::HistoryRequest) -> HistoryRequest {
    let since = it.since.map(|it| Position { epoch: Epoch::new(&it.epoch), offset: it.offset });
    HistoryRequest { channel: it.channel, limit: it.limit, since, reverse: it.reverse }
}
