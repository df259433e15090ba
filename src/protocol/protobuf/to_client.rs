//! Replies and pushes as Protobuf clients read them.

use bytes::Bytes;

use super::{wire, write};
use crate::protocol::{
    ClientInfo, Epoch, Outcome, Publication, Push, Reply,
    push::{Event, Form},
    reply::{ConnectResult, HistoryResult, RecoveredPublication, SubscribeResult},
};

/// One reply after its length.
pub(in crate::protocol) fn reply(reply: &Reply) -> Bytes {
    let mut to = wire::Reply { id: reply.id, ..Default::default() };
    match &reply.outcome {
        Outcome::Refused(it) => {
            let message = it.message.clone().into_owned();
            to.error = Some(wire::Error { code: it.code, message, temporary: it.temporary });
        }
        Outcome::Connect(it) => to.connect = Some(connect(it)),
        Outcome::Subscribe(it) => to.subscribe = Some(subscribe(it)),
        Outcome::Unsubscribe => to.unsubscribe = Some(wire::Empty {}),
        Outcome::Publish => to.publish = Some(wire::Empty {}),
        Outcome::Presence(it) => {
            let presence = it.iter().map(|(client, it)| (client.clone(), client_info(it)));
            to.presence = Some(wire::PresenceResult { presence: presence.collect() });
        }
        &Outcome::PresenceStats { num_clients, num_users } => {
            to.presence_stats = Some(wire::PresenceStatsResult { num_clients, num_users });
        }
        Outcome::History(it) => to.history = Some(history(it)),
        Outcome::Rpc { data } => to.rpc = Some(wire::RpcResult { data: data.bytes().clone() }),
        Outcome::Refresh(it) => {
            to.refresh = Some(wire::RefreshResult {
                client: it.client.clone(),
                version: it.version.clone(),
                expires: it.expires,
                ttl: it.ttl,
            });
        }
        &Outcome::SubRefresh { expires, ttl } => {
            to.sub_refresh = Some(wire::Lifetime { expires, ttl });
        }
    }
    write(&to)
}

/// One push after its length.
pub(in crate::protocol) fn push(push: &Push) -> Bytes {
    let mut to = wire::Push { channel: push.channel.to_string(), ..Default::default() };
    match &push.event {
        Event::Publication { publication: it, epoch, form } => {
            let delta = match form {
                Form::Plain | Form::Full => None,
                Form::Delta(delta) => Some(delta),
            };
            to.publication = Some(publication(it, epoch.as_ref(), delta));
        }
        Event::Join(info) => to.join = Some(wire::Membership { info: Some(client_info(info)) }),
        Event::Leave(info) => to.leave = Some(wire::Membership { info: Some(client_info(info)) }),
        Event::Unsubscribe(it) => {
            let reason = it.reason.clone().into_owned();
            to.unsubscribe = Some(wire::Unsubscribe { code: it.code, reason });
        }
        Event::Subscribe { position, recoverable, positioned, data } => {
            let (epoch, offset) = match position {
                Some(at) => (at.epoch.to_string(), at.offset),
                None => Default::default(),
            };
            to.subscribe = Some(wire::Subscribe {
                recoverable: *recoverable,
                epoch,
                offset,
                positioned: *positioned,
                data: data.bytes().clone(),
            });
        }
        &Event::Refresh { expires, ttl } => to.refresh = Some(wire::Lifetime { expires, ttl }),
    }
    write(&wire::Reply { push: Some(to), ..Default::default() })
}

fn connect(it: &ConnectResult) -> wire::ConnectResult {
    wire::ConnectResult {
        client: it.client.clone(),
        version: it.version.clone(),
        expires: it.expires,
        ttl: it.ttl,
        data: it.data.bytes().clone(),
        subs: it.subs.iter().map(|(channel, it)| (channel.clone(), subscribe(it))).collect(),
        ping: it.ping,
        pong: it.pong,
    }
}

fn subscribe(it: &SubscribeResult) -> wire::SubscribeResult {
    let recovered = |recovered: &RecoveredPublication| {
        let delta = recovered.delta.as_ref().filter(|_| it.delta);
        publication(&recovered.publication, None, delta)
    };
    wire::SubscribeResult {
        expires: it.expires,
        ttl: it.ttl,
        recoverable: it.recoverable,
        epoch: it.epoch.to_string(),
        publications: it.publications.iter().map(recovered).collect(),
        recovered: it.recovered,
        offset: it.offset,
        positioned: it.positioned,
        data: it.data.bytes().clone(),
        was_recovering: it.was_recovering,
        delta: it.delta,
    }
}

fn history(it: &HistoryResult) -> wire::HistoryResult {
    wire::HistoryResult {
        publications: it.publications.iter().map(|it| publication(it, None, None)).collect(),
        epoch: it.epoch.to_string(),
        offset: it.offset,
    }
}

fn publication(
    it: &Publication,
    epoch: Option<&Epoch>,
    delta: Option<&Bytes>,
) -> wire::Publication {
    wire::Publication {
        data: delta.unwrap_or(it.data.bytes()).clone(),
        info: it.info.as_deref().map(client_info),
        offset: it.offset,
        tags: it.tags.clone(),
        delta: delta.is_some(),
        epoch: epoch.map(Epoch::to_string).unwrap_or_default(),
    }
}

fn client_info(it: &ClientInfo) -> wire::ClientInfo {
    wire::ClientInfo {
        user: it.user.clone(),
        client: it.client.clone(),
        conn_info: it.conn_info.bytes().clone(),
        chan_info: it.chan_info.bytes().clone(),
    }
}
