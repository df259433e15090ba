//! Arbitrary messages, as far as they come back from the wire as they went.

use std::sync::Arc;

use bytes::Bytes;
use proptest::{collection::btree_map, collection::vec, prelude::*};

use crate::{
    ids::Channel,
    protocol::{
        ClientInfo, Command, Encoding, Epoch, Outcome, Payload, Position, Publication, Push,
        Refusal, Reply, Request,
        command::{ConnectRequest, HistoryRequest, SubscribeRequest},
        push::{Event, Form},
        refusal::Unsubscribed,
        reply::{
            ConnectResult, HistoryResult, RecoveredPublication, RefreshResult, SubscribeResult,
        },
    },
};

/// Any short string, with quotes, control characters and letters of up to 4 bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:#$]{0,12}",
        vec(any::<char>(), 0..6).prop_map(|letters| letters.into_iter().collect())
    ]
}

/// Data that the encoding can carry, or none at all.
fn payload(encoding: Encoding) -> BoxedStrategy<Payload> {
    let json = prop_oneof![
        Just("null".to_string()),
        Just(r#"{"a":[1.50,{"b":"\u00e9"}],"n":1e400}"#.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        text().prop_map(|t| serde_json::to_string(&t).unwrap()),
        vec(any::<u8>(), 0..40).prop_map(|list| serde_json::to_string(&list).unwrap()),
    ];
    let json = json.prop_map(|text| Payload::json(text.into()));
    let none = Just(Payload::default());
    match encoding {
        Encoding::Json => prop_oneof![1 => none, 4 => json].boxed(),
        Encoding::Protobuf => {
            let binary = vec(any::<u8>(), 1..40).prop_map(|it| Payload::inspect(it.into()));
            prop_oneof![1 => none, 2 => json, 2 => binary].boxed()
        }
    }
}

fn position() -> impl Strategy<Value = Position> + Clone {
    (text_key(), any::<u64>())
        .prop_map(|(epoch, offset)| Position { epoch: Epoch::new(&epoch), offset })
}

fn text_key() -> impl Strategy<Value = String> + Clone {
    "[a-z\"\\\\]{1,8}"
}

pub(super) fn command(encoding: Encoding) -> impl Strategy<Value = Command> {
    let pong = Just(Command { id: 0, request: Request::Pong });
    let other = (any::<u32>(), request(encoding));
    let other = other.prop_map(|(id, request)| Command { id, request });
    prop_oneof![1 => pong, 12 => other]
}

fn request(encoding: Encoding) -> impl Strategy<Value = Request> {
    let data = || payload(encoding);
    prop_oneof![
        connect(encoding).prop_map(|it| Request::Connect(Box::new(it))),
        subscribe(encoding).prop_map(|it| Request::Subscribe(Box::new(it))),
        text().prop_map(|channel| Request::Unsubscribe { channel }),
        (text(), data()).prop_map(|(channel, data)| Request::Publish { channel, data }),
        text().prop_map(|channel| Request::Presence { channel }),
        text().prop_map(|channel| Request::PresenceStats { channel }),
        (text(), any::<i32>(), prop::option::of(position()), any::<bool>()).prop_map(
            |(channel, limit, since, reverse)| {
                Request::History(HistoryRequest { channel, limit, since, reverse })
            }
        ),
        (text(), data()).prop_map(|(method, data)| Request::Rpc { method, data }),
        data().prop_map(|data| Request::Send { data }),
        text().prop_map(|token| Request::Refresh { token }),
        (text(), text()).prop_map(|(channel, token)| Request::SubRefresh { channel, token }),
        Just(Request::Unknown),
    ]
}

fn connect(encoding: Encoding) -> impl Strategy<Value = ConnectRequest> {
    let subs = btree_map(text(), position(), 0..3);
    (text(), payload(encoding), subs, text(), text()).prop_map(
        |(token, data, subs, name, version)| ConnectRequest { token, data, subs, name, version },
    )
}

fn subscribe(encoding: Encoding) -> impl Strategy<Value = SubscribeRequest> {
    let words = (text(), text(), text());
    let seen = prop::option::of(position());
    let numbers = (any::<i64>(), any::<i32>());
    (words, seen, payload(encoding), any::<[bool; 4]>(), numbers).prop_map(
        |((channel, token, delta), recover, data, flags, (flag, kind))| {
            let [positioned, recoverable, join_leave, has_filter] = flags;
            SubscribeRequest {
                channel,
                token,
                recover,
                data,
                positioned,
                recoverable,
                join_leave,
                delta,
                has_filter,
                flag,
                kind,
            }
        },
    )
}

pub(super) fn reply(encoding: Encoding) -> impl Strategy<Value = Reply> {
    (1..=u32::MAX, outcome(encoding)).prop_map(|(id, outcome)| Reply { id, outcome })
}

fn outcome(encoding: Encoding) -> impl Strategy<Value = Outcome> {
    let history = (vec(publication(encoding), 0..4), text_key(), any::<u64>());
    let lifetime = (any::<bool>(), any::<u32>());
    prop_oneof![
        (any::<u32>(), text(), any::<bool>()).prop_map(|(code, message, temporary)| {
            Outcome::Refused(Refusal { code, message: message.into(), temporary })
        }),
        connected(encoding).prop_map(|it| Outcome::Connect(Box::new(it))),
        subscribed(encoding).prop_map(|it| Outcome::Subscribe(Box::new(it))),
        Just(Outcome::Unsubscribe),
        Just(Outcome::Publish),
        btree_map(text(), client_info(encoding), 0..3).prop_map(Outcome::Presence),
        (any::<u32>(), any::<u32>()).prop_map(|(num_clients, num_users)| {
            Outcome::PresenceStats { num_clients, num_users }
        }),
        history.prop_map(|(publications, epoch, offset)| {
            let epoch = Epoch::new(&epoch);
            Outcome::History(HistoryResult { publications, epoch, offset })
        }),
        payload(encoding).prop_map(|data| Outcome::Rpc { data }),
        (text(), text(), lifetime).prop_map(|(client, version, (expires, ttl))| {
            Outcome::Refresh(RefreshResult { client, version, expires, ttl })
        }),
        lifetime.prop_map(|(expires, ttl)| Outcome::SubRefresh { expires, ttl }),
    ]
}

fn connected(encoding: Encoding) -> impl Strategy<Value = ConnectResult> {
    let words = (text(), text());
    let numbers = (any::<u32>(), any::<u32>(), any::<[bool; 2]>());
    let subs = btree_map(text(), subscribed(encoding), 0..3);
    (words, numbers, payload(encoding), subs).prop_map(
        |((client, version), (ttl, ping, [expires, pong]), data, subs)| ConnectResult {
            client,
            version,
            expires,
            ttl,
            data,
            subs,
            ping,
            pong,
        },
    )
}

fn subscribed(encoding: Encoding) -> impl Strategy<Value = SubscribeResult> {
    let whole = publication(encoding)
        .prop_map(|publication| RecoveredPublication { publication, delta: None });
    let delta = (publication(encoding), text()).prop_map(|(publication, delta)| {
        let publication = dataless(publication);
        RecoveredPublication { publication, delta: Some(Bytes::from(delta)) }
    });
    let publications = prop_oneof![
        vec(whole, 0..4).prop_map(|it| (false, it)),
        vec(delta, 0..4).prop_map(|it| (true, it)),
    ];
    (any::<[bool; 5]>(), any::<u32>(), position(), publications, payload(encoding)).prop_map(
        |(flags, ttl, Position { epoch, offset }, (delta, publications), data)| {
            let [expires, recoverable, positioned, recovered, was_recovering] = flags;
            SubscribeResult {
                expires,
                ttl,
                recoverable,
                positioned,
                epoch,
                offset,
                publications,
                recovered,
                was_recovering,
                data,
                delta,
            }
        },
    )
}

fn client_info(encoding: Encoding) -> impl Strategy<Value = Arc<ClientInfo>> {
    (text(), text(), payload(encoding), payload(encoding)).prop_map(
        |(user, client, conn_info, chan_info)| {
            Arc::new(ClientInfo { user, client, conn_info, chan_info })
        },
    )
}

fn publication(encoding: Encoding) -> impl Strategy<Value = Arc<Publication>> {
    let tags = btree_map(text(), text(), 0..3);
    let info = prop::option::of(client_info(encoding));
    (payload(encoding), info, any::<u64>(), tags).prop_map(|(data, info, offset, tags)| {
        Arc::new(Publication { data, info, offset, tags, delta: false })
    })
}

/// A delta stands in the place of the data.
fn dataless(publication: Arc<Publication>) -> Arc<Publication> {
    Arc::new(Publication { data: Payload::default(), ..Publication::clone(&publication) })
}

pub(super) fn push(encoding: Encoding) -> impl Strategy<Value = Push> {
    (text(), event(encoding))
        .prop_map(|(channel, event)| Push { channel: Channel::trusted(&channel), event })
}

fn event(encoding: Encoding) -> impl Strategy<Value = Event> {
    let epoch = || prop::option::of(text_key().prop_map(|it| Epoch::new(&it)));
    let subscribe = (prop::option::of(position()), any::<[bool; 2]>(), payload(encoding));
    prop_oneof![
        (publication(encoding), epoch()).prop_map(|(publication, epoch)| {
            Event::Publication { publication, epoch, form: Form::Plain }
        }),
        (publication(encoding), epoch(), text()).prop_map(|(publication, epoch, delta)| {
            let form = Form::Delta(Bytes::from(delta));
            Event::Publication { publication: dataless(publication), epoch, form }
        }),
        client_info(encoding).prop_map(Event::Join),
        client_info(encoding).prop_map(Event::Leave),
        (any::<u32>(), text()).prop_map(|(code, reason)| {
            Event::Unsubscribe(Unsubscribed { code, reason: reason.into() })
        }),
        subscribe.prop_map(|(position, [recoverable, positioned], data)| {
            Event::Subscribe { position, recoverable, positioned, data }
        }),
        (any::<bool>(), any::<u32>()).prop_map(|(expires, ttl)| Event::Refresh { expires, ttl }),
    ]
}
