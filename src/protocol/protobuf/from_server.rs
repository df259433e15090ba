//! Replies and pushes as a Protobuf client of ours reads them.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{payload, read, wire};
use crate::{
    ids::Channel,
    protocol::{
        ClientInfo, Epoch, Malformed, Outcome, Payload, Position, Publication, Push, Refusal,
        Reply,
        client::ServerMessage,
        push::{Event, Form},
        refusal::Unsubscribed,
        reply::{
            ConnectResult, HistoryResult, RecoveredPublication, RefreshResult, SubscribeResult,
        },
    },
};

/// Reads one message of a server.
pub(in crate::protocol) fn server_message(message: Bytes) -> Result<ServerMessage, Malformed> {
    let frame = message.len();
    let reply: wire::Reply = read(message, "a reply")?;
    if reply.id == 0 {
        return match reply.push {
            Some(it) => push(it, frame).map(ServerMessage::Push),
            None => Ok(ServerMessage::Ping),
        };
    }
    let id = reply.id;
    let outcome = outcome(reply, frame).ok_or_else(|| {
        Malformed(format!("expected a result or an error in reply {id}, got none that is known"))
    })?;
    Ok(ServerMessage::Reply(Reply { id, outcome }))
}

fn outcome(reply: wire::Reply, frame: usize) -> Option<Outcome> {
    Some(if let Some(it) = reply.error {
        let message = Cow::Owned(it.message);
        Outcome::Refused(Refusal { code: it.code, message, temporary: it.temporary })
    } else if let Some(it) = reply.connect {
        Outcome::Connect(Box::new(connected(it, frame)))
    } else if let Some(it) = reply.subscribe {
        Outcome::Subscribe(Box::new(subscribed(it, frame)))
    } else if reply.unsubscribe.is_some() {
        Outcome::Unsubscribe
    } else if reply.publish.is_some() {
        Outcome::Publish
    } else if let Some(it) = reply.presence {
        let present = it.presence.into_iter();
        Outcome::Presence(present.map(|(client, it)| (client, client_info(it, frame))).collect())
    } else if let Some(it) = reply.presence_stats {
        Outcome::PresenceStats { num_clients: it.num_clients, num_users: it.num_users }
    } else if let Some(it) = reply.history {
        let publications = it.publications.into_iter();
        Outcome::History(HistoryResult {
            publications: publications.map(|it| publication(it, frame).0).collect(),
            epoch: Epoch::new(&it.epoch),
            offset: it.offset,
        })
    } else if let Some(it) = reply.rpc {
        Outcome::Rpc { data: payload(frame, it.data) }
    } else if let Some(it) = reply.refresh {
        let (client, version) = (it.client, it.version);
        Outcome::Refresh(RefreshResult { client, version, expires: it.expires, ttl: it.ttl })
    } else {
        let it = reply.sub_refresh?;
        Outcome::SubRefresh { expires: it.expires, ttl: it.ttl }
    })
}

fn connected(it: wire::ConnectResult, frame: usize) -> ConnectResult {
    let subs = it.subs.into_iter();
    ConnectResult {
        client: it.client,
        version: it.version,
        expires: it.expires,
        ttl: it.ttl,
        data: payload(frame, it.data),
        subs: subs.map(|(channel, it)| (channel, subscribed(it, frame))).collect(),
        ping: it.ping,
        pong: it.pong,
    }
}

fn subscribed(it: wire::SubscribeResult, frame: usize) -> SubscribeResult {
    let recovered = |it| {
        let (publication, delta) = publication(it, frame);
        RecoveredPublication { publication, delta }
    };
    SubscribeResult {
        expires: it.expires,
        ttl: it.ttl,
        recoverable: it.recoverable,
        positioned: it.positioned,
        epoch: Epoch::new(&it.epoch),
        offset: it.offset,
        publications: it.publications.into_iter().map(recovered).collect(),
        recovered: it.recovered,
        was_recovering: it.was_recovering,
        data: payload(frame, it.data),
        delta: it.delta,
    }
}

/// The publication, and the delta that stands for its data.
fn publication(it: wire::Publication, frame: usize) -> (Arc<Publication>, Option<Bytes>) {
    let (data, delta) = match it.delta {
        true => (Payload::default(), Some(it.data)),
        false => (payload(frame, it.data), None),
    };
    let info = it.info.map(|it| client_info(it, frame));
    (Arc::new(Publication { data, info, offset: it.offset, tags: it.tags, delta: false }), delta)
}

fn client_info(it: wire::ClientInfo, frame: usize) -> Arc<ClientInfo> {
    Arc::new(ClientInfo {
        user: it.user,
        client: it.client,
        conn_info: payload(frame, it.conn_info),
        chan_info: payload(frame, it.chan_info),
    })
}

fn push(it: wire::Push, frame: usize) -> Result<Push, Malformed> {
    let info = |it: wire::Membership| client_info(it.info.unwrap_or_default(), frame);
    let event = if let Some(mut it) = it.publication {
        let epoch = std::mem::take(&mut it.epoch);
        let epoch = (!epoch.is_empty()).then(|| Epoch::new(&epoch));
        let (publication, delta) = publication(it, frame);
        Event::Publication { publication, epoch, form: delta.map_or(Form::Plain, Form::Delta) }
    } else if let Some(it) = it.join {
        Event::Join(info(it))
    } else if let Some(it) = it.leave {
        Event::Leave(info(it))
    } else if let Some(it) = it.unsubscribe {
        Event::Unsubscribe(Unsubscribed { code: it.code, reason: Cow::Owned(it.reason) })
    } else if let Some(it) = it.subscribe {
        let known = !it.epoch.is_empty() || it.offset > 0;
        Event::Subscribe {
            position: known.then(|| Position { epoch: Epoch::new(&it.epoch), offset: it.offset }),
            recoverable: it.recoverable,
            positioned: it.positioned,
            data: payload(frame, it.data),
        }
    } else if let Some(it) = it.refresh {
        Event::Refresh { expires: it.expires, ttl: it.ttl }
    } else {
        return Err(Malformed("expected an event in a push, got none that is known".into()));
    };
    Ok(Push { channel: Channel::trusted(&it.channel), event })
}
