//! Commands as a JSON client of ours writes them.

use bytes::Bytes;

use super::writer::{Object, object};
use crate::protocol::{
    Command, NotJson, Position, Request,
    command::{ConnectRequest, HistoryRequest, SubscribeRequest},
};

type Written = Result<(), NotJson>;

/// One command, without a newline.
pub(in crate::protocol) fn command(command: &Command) -> Result<Bytes, NotJson> {
    let mut out = Vec::with_capacity(128);
    object(&mut out, |o| {
        o.number("id", command.id);
        request(o, &command.request)
    })?;
    Ok(out.into())
}

fn request(o: &mut Object<'_>, request: &Request) -> Written {
    match request {
        Request::Connect(it) => o.object("connect", |o| connect(o, it)),
        Request::Subscribe(it) => o.object("subscribe", |o| subscribe(o, it)),
        Request::Unsubscribe { channel } => named(o, "unsubscribe", channel),
        Request::Publish { channel, data } => o.object("publish", |o| {
            o.text("channel", channel);
            o.payload("data", data)
        }),
        Request::Presence { channel } => named(o, "presence", channel),
        Request::PresenceStats { channel } => named(o, "presence_stats", channel),
        Request::History(it) => o.object("history", |o| history(o, it)),
        Request::Rpc { method, data } => o.object("rpc", |o| {
            o.payload("data", data)?;
            o.text("method", method);
            Ok(())
        }),
        Request::Send { data } => o.object("send", |o| o.payload("data", data)),
        Request::Refresh { token } => o.object("refresh", |o| {
            o.text("token", token);
            Ok(())
        }),
        Request::SubRefresh { channel, token } => o.object("sub_refresh", |o| {
            o.text("channel", channel);
            o.text("token", token);
            Ok(())
        }),
        Request::Pong => Ok(()),
        Request::Unknown => o.object("ping", |_| Ok(())),
    }
}

fn named(o: &mut Object<'_>, name: &str, channel: &str) -> Written {
    o.object(name, |o| {
        o.text("channel", channel);
        Ok(())
    })
}

fn recover(o: &mut Object<'_>, seen: &Position) {
    o.truth("recover", true);
    o.text("epoch", seen.epoch.as_str());
    o.number("offset", seen.offset);
}

fn connect(o: &mut Object<'_>, connect: &ConnectRequest) -> Written {
    o.text("token", &connect.token);
    o.payload("data", &connect.data)?;
    if !connect.subs.is_empty() {
        o.object("subs", |o| {
            connect.subs.iter().try_for_each(|(channel, seen)| {
                o.object(channel, |o| {
                    recover(o, seen);
                    Ok(())
                })
            })
        })?;
    }
    o.text("name", &connect.name);
    o.text("version", &connect.version);
    Ok(())
}

fn subscribe(o: &mut Object<'_>, subscribe: &SubscribeRequest) -> Written {
    o.text("channel", &subscribe.channel);
    o.text("token", &subscribe.token);
    if let Some(seen) = &subscribe.recover {
        recover(o, seen);
    }
    o.payload("data", &subscribe.data)?;
    o.truth("positioned", subscribe.positioned);
    o.truth("recoverable", subscribe.recoverable);
    o.truth("join_leave", subscribe.join_leave);
    o.text("delta", &subscribe.delta);
    if subscribe.has_filter {
        o.object("tf", |_| Ok(()))?;
    }
    o.number("flag", subscribe.flag);
    o.number("type", subscribe.kind);
    Ok(())
}

fn history(o: &mut Object<'_>, history: &HistoryRequest) -> Written {
    o.text("channel", &history.channel);
    o.number("limit", history.limit);
    if let Some(since) = &history.since {
        o.object("since", |o| {
            o.number("offset", since.offset);
            o.text("epoch", since.epoch.as_str());
            Ok(())
        })?;
    }
    o.truth("reverse", history.reverse);
    Ok(())
}
