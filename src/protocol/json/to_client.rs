//! Replies and pushes as JSON clients read them.

use bytes::Bytes;

use super::writer::{Object, object};
use crate::protocol::{
    ClientInfo, Epoch, NotJson, Outcome, Publication, Push, Refusal, Reply,
    push::{Event, Form},
    reply::{ConnectResult, HistoryResult, PresenceResult, RecoveredPublication, SubscribeResult},
};

type Written = Result<(), NotJson>;

/// Room for the names, numbers and braces around a message's content.
const FRAME_OF_ONE: usize = 128;

/// One reply, without a newline.
pub(in crate::protocol) fn reply(reply: &Reply) -> Result<Bytes, NotJson> {
    let mut out = Vec::with_capacity(FRAME_OF_ONE);
    object(&mut out, |o| {
        o.number("id", reply.id);
        outcome(o, &reply.outcome)
    })?;
    Ok(out.into())
}

/// One push, without a newline.
pub(in crate::protocol) fn push(push: &Push) -> Result<Bytes, NotJson> {
    let mut out = Vec::with_capacity(room(push));
    object(&mut out, |o| {
        o.object("push", |o| {
            o.text("channel", &push.channel);
            event(o, &push.event)
        })
    })?;
    Ok(out.into())
}

/// Enough bytes for most pushes, so that writing one allocates once.
fn room(push: &Push) -> usize {
    let content = match &push.event {
        Event::Publication { publication, form, .. } => {
            let infos = publication.info.as_deref().map_or(0, info_room);
            let data = match form {
                Form::Plain => publication.data.len(),
                Form::Full => publication.data.len() * 5 / 4,
                Form::Delta(delta) => delta.len() * 5 / 4,
            };
            data + infos
        }
        Event::Join(info) | Event::Leave(info) => info_room(info),
        Event::Subscribe { data, .. } => data.len(),
        Event::Unsubscribe(_) | Event::Refresh { .. } => 0,
    };
    FRAME_OF_ONE + push.channel.len() + content
}

fn info_room(info: &ClientInfo) -> usize {
    FRAME_OF_ONE / 2
        + info.user.len()
        + info.client.len()
        + info.conn_info.len()
        + info.chan_info.len()
}

fn outcome(o: &mut Object<'_>, outcome: &Outcome) -> Written {
    match outcome {
        Outcome::Refused(it) => o.object("error", |o| refusal(o, it)),
        Outcome::Connect(it) => o.object("connect", |o| connect(o, it)),
        Outcome::Subscribe(it) => o.object("subscribe", |o| subscribe(o, it)),
        Outcome::Unsubscribe => o.object("unsubscribe", |_| Ok(())),
        Outcome::Publish => o.object("publish", |_| Ok(())),
        Outcome::Presence(it) => o.object("presence", |o| presence(o, it)),
        Outcome::PresenceStats { num_clients, num_users } => o.object("presence_stats", |o| {
            o.always("num_clients", num_clients);
            o.always("num_users", num_users);
            Ok(())
        }),
        Outcome::History(it) => o.object("history", |o| history(o, it)),
        Outcome::Rpc { data } => o.object("rpc", |o| o.payload("data", data)),
        Outcome::Refresh(it) => o.object("refresh", |o| {
            o.text("client", &it.client);
            o.text("version", &it.version);
            lifetime(o, it.expires, it.ttl);
            Ok(())
        }),
        Outcome::SubRefresh { expires, ttl } => o.object("sub_refresh", |o| {
            lifetime(o, *expires, *ttl);
            Ok(())
        }),
    }
}

fn refusal(o: &mut Object<'_>, refusal: &Refusal) -> Written {
    o.always("code", &refusal.code);
    o.always("message", &refusal.message);
    o.truth("temporary", refusal.temporary);
    Ok(())
}

/// SDKs read `ttl` whenever `expires` is there.
fn lifetime(o: &mut Object<'_>, expires: bool, ttl: u32) {
    o.truth("expires", expires);
    if expires || ttl > 0 {
        o.always("ttl", &ttl);
    }
}

fn connect(o: &mut Object<'_>, result: &ConnectResult) -> Written {
    o.text("client", &result.client);
    o.text("version", &result.version);
    lifetime(o, result.expires, result.ttl);
    o.payload("data", &result.data)?;
    if !result.subs.is_empty() {
        o.object("subs", |o| {
            result.subs.iter().try_for_each(|(channel, it)| o.object(channel, |o| subscribe(o, it)))
        })?;
    }
    o.number("ping", result.ping);
    o.truth("pong", result.pong);
    Ok(())
}

fn subscribe(o: &mut Object<'_>, result: &SubscribeResult) -> Written {
    lifetime(o, result.expires, result.ttl);
    o.truth("recoverable", result.recoverable);
    o.text("epoch", result.epoch.as_str());
    if !result.publications.is_empty() {
        o.list("publications", &result.publications, |o, it| recovered(o, it, result.delta))?;
    }
    o.truth("recovered", result.recovered);
    o.number("offset", result.offset);
    o.truth("positioned", result.positioned);
    o.payload("data", &result.data)?;
    o.truth("was_recovering", result.was_recovering);
    o.truth("delta", result.delta);
    Ok(())
}

/// `negotiated`: whether this member reads data as escaped strings.
fn recovered(o: &mut Object<'_>, recovered: &RecoveredPublication, negotiated: bool) -> Written {
    let form = match &recovered.delta {
        _ if !negotiated => Form::Plain,
        None => Form::Full,
        Some(delta) => Form::Delta(delta.clone()),
    };
    publication(o, &recovered.publication, None, &form)
}

fn presence(o: &mut Object<'_>, present: &PresenceResult) -> Written {
    o.object("presence", |o| {
        present.iter().try_for_each(|(client, info)| o.object(client, |o| client_info(o, info)))
    })
}

fn history(o: &mut Object<'_>, result: &HistoryResult) -> Written {
    o.list("publications", &result.publications, |o, it| publication(o, it, None, &Form::Plain))?;
    o.always("epoch", result.epoch.as_str());
    o.always("offset", &result.offset);
    Ok(())
}

fn event(o: &mut Object<'_>, event: &Event) -> Written {
    match event {
        Event::Publication { publication: it, epoch, form } => {
            o.object("pub", |o| publication(o, it, epoch.as_ref(), form))
        }
        Event::Join(info) => o.object("join", |o| o.object("info", |o| client_info(o, info))),
        Event::Leave(info) => o.object("leave", |o| o.object("info", |o| client_info(o, info))),
        Event::Unsubscribe(it) => o.object("unsubscribe", |o| {
            o.always("code", &it.code);
            o.always("reason", &it.reason);
            Ok(())
        }),
        Event::Subscribe { position, recoverable, positioned, data } => {
            o.object("subscribe", |o| {
                o.truth("recoverable", *recoverable);
                if let Some(position) = position {
                    o.text("epoch", position.epoch.as_str());
                    o.number("offset", position.offset);
                }
                o.truth("positioned", *positioned);
                o.payload("data", data)
            })
        }
        Event::Refresh { expires, ttl } => o.object("refresh", |o| {
            lifetime(o, *expires, *ttl);
            Ok(())
        }),
    }
}

fn publication(
    o: &mut Object<'_>,
    publication: &Publication,
    epoch: Option<&Epoch>,
    form: &Form,
) -> Written {
    // A delta that is no text can't stand in a string; the whole publication is as good a link of the chain.
    let delta = match form {
        Form::Delta(delta) => std::str::from_utf8(delta).ok(),
        Form::Plain | Form::Full => None,
    };
    match (delta, form) {
        (Some(delta), _) => o.always("data", delta),
        (None, Form::Plain) => o.payload("data", &publication.data)?,
        (None, _) => o.always("data", text(publication)?),
    }
    if let Some(info) = &publication.info {
        o.object("info", |o| client_info(o, info))?;
    }
    o.number("offset", publication.offset);
    if !publication.tags.is_empty() {
        o.always("tags", &publication.tags);
    }
    o.truth("delta", delta.is_some());
    o.text("epoch", epoch.map_or("", Epoch::as_str));
    Ok(())
}

/// A publication's JSON as text, for members that read it out of a string.
fn text(publication: &Publication) -> Result<&str, NotJson> {
    match std::str::from_utf8(publication.data.bytes()) {
        Ok(text) if publication.data.is_json() => Ok(text),
        _ => Err(NotJson),
    }
}

fn client_info(o: &mut Object<'_>, info: &ClientInfo) -> Written {
    o.always("user", &info.user);
    o.always("client", &info.client);
    o.payload("conn_info", &info.conn_info)?;
    o.payload("chan_info", &info.chan_info)
}
