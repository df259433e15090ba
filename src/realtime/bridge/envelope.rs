//! How a message travels between nodes, readable for nodes of other versions. Pure.
//!
//! Protocol Buffers: what a reader does not know it skips. Position and sender keep their fields for ever, so that
//! an envelope whose kind is from the future is still the notice that something stands in the journal.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use prost::Message;

use super::Arrived;
use crate::{
    ids::NodeId,
    protocol::{ClientInfo, Epoch, Payload, Position, Publication, push::Event},
};

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    /// The sender's run.
    #[prost(bytes = "bytes", tag = "1")]
    from: Bytes,
    /// Where it stands in the journal, if it does.
    #[prost(string, tag = "2")]
    epoch: String,
    #[prost(uint64, tag = "3")]
    offset: u64,
    #[prost(uint32, tag = "4")]
    kind: u32,
    #[prost(message, optional, tag = "5")]
    said: Option<Said>,
    /// Of who joined or left.
    #[prost(message, optional, tag = "6")]
    info: Option<Info>,
    /// Of a sign of life: the feed holds something that somebody waits for.
    #[prost(bool, tag = "7")]
    look: bool,
}

const BEACON: u32 = 1;
const PUBLICATION: u32 = 2;
const KEPT_PUBLICATION: u32 = 3;
const JOIN: u32 = 4;
const LEAVE: u32 = 5;

#[derive(Clone, PartialEq, Message)]
struct Said {
    #[prost(message, optional, tag = "1")]
    data: Option<Data>,
    #[prost(message, optional, tag = "2")]
    info: Option<Info>,
    #[prost(btree_map = "string, string", tag = "3")]
    tags: BTreeMap<String, String>,
    #[prost(bool, tag = "4")]
    delta: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(bytes = "bytes", tag = "1")]
    bytes: Bytes,
    #[prost(bool, tag = "2")]
    json: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    client: String,
    #[prost(message, optional, tag = "3")]
    conn_info: Option<Data>,
    #[prost(message, optional, tag = "4")]
    chan_info: Option<Data>,
}

/// What an envelope turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Opened {
    Arrived(Arrived),
    /// The sender lives, and may want the feed to be read now.
    Beacon {
        look: bool,
    },
    /// Of a kind that this version does not know, and without a place in the journal.
    Strange,
}

/// Puts something into an envelope.
pub(super) fn seal(from: NodeId, what: &Arrived) -> Bytes {
    let mut to = envelope(from);
    match what {
        Arrived::Committed(at, publication) => {
            to.epoch = at.epoch.to_string();
            to.offset = at.offset;
            to.kind = PUBLICATION;
            to.said = publication.as_deref().map(said);
        }
        Arrived::Said { publication, keep } => {
            to.kind = if *keep { KEPT_PUBLICATION } else { PUBLICATION };
            to.said = Some(said(publication));
        }
        Arrived::Event(Event::Join(who)) => (to.kind, to.info) = (JOIN, Some(info(who))),
        Arrived::Event(Event::Leave(who)) => (to.kind, to.info) = (LEAVE, Some(info(who))),
        // Nothing else happens to all members of a channel.
        Arrived::Event(_) => {}
    }
    to.encode_to_vec().into()
}

/// A sign of life.
pub(super) fn beacon(from: NodeId, look: bool) -> Bytes {
    Envelope { kind: BEACON, look, ..envelope(from) }.encode_to_vec().into()
}

/// Opens an envelope. None if it is none.
pub(super) fn open(bytes: Bytes) -> Option<(NodeId, Opened)> {
    let it = Envelope::decode(bytes).ok()?;
    let from = NodeId::from_bytes(&it.from)?;
    let publication =
        it.said.map(|said| Publication { offset: it.offset, ..said.into() }).map(Arc::new);
    if it.offset > 0 {
        let at = Position { epoch: Epoch::new(&it.epoch), offset: it.offset };
        let known = publication.filter(|_| it.kind == PUBLICATION);
        return Some((from, Opened::Arrived(Arrived::Committed(at, known))));
    }
    let opened = match (it.kind, publication, it.info) {
        (BEACON, ..) => Opened::Beacon { look: it.look },
        (kind @ (PUBLICATION | KEPT_PUBLICATION), Some(publication), _) => {
            Opened::Arrived(Arrived::Said { publication, keep: kind == KEPT_PUBLICATION })
        }
        (JOIN, _, Some(who)) => Opened::Arrived(Arrived::Event(Event::Join(Arc::new(who.into())))),
        (LEAVE, _, Some(who)) => {
            Opened::Arrived(Arrived::Event(Event::Leave(Arc::new(who.into()))))
        }
        _ => Opened::Strange,
    };
    Some((from, opened))
}

fn envelope(from: NodeId) -> Envelope {
    Envelope { from: Bytes::copy_from_slice(from.as_bytes()), ..Envelope::default() }
}

fn said(it: &Publication) -> Said {
    Said {
        data: data(&it.data),
        info: it.info.as_deref().map(info),
        tags: it.tags.clone(),
        delta: it.delta,
    }
}

/// A member as it is written down.
pub(super) fn info(it: &ClientInfo) -> Info {
    Info {
        user: it.user.clone(),
        client: it.client.clone(),
        conn_info: data(&it.conn_info),
        chan_info: data(&it.chan_info),
    }
}

fn data(it: &Payload) -> Option<Data> {
    (*it != Payload::default()).then(|| Data { bytes: it.bytes().clone(), json: it.is_json() })
}

impl From<Said> for Publication {
    fn from(it: Said) -> Self {
        let info = it.info.map(|info| Arc::new(info.into()));
        Self { data: payload(it.data), info, offset: 0, tags: it.tags, delta: it.delta }
    }
}

impl From<Info> for ClientInfo {
    fn from(it: Info) -> Self {
        let (conn_info, chan_info) = (payload(it.conn_info), payload(it.chan_info));
        Self { user: it.user, client: it.client, conn_info, chan_info }
    }
}

fn payload(it: Option<Data>) -> Payload {
    it.map_or_else(Payload::default, |it| Payload::stored(it.bytes, it.json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(offset: u64) -> Arc<Publication> {
        let info = ClientInfo {
            user: "ana".into(),
            client: "c".into(),
            conn_info: Payload::json("{}".into()),
            chan_info: Payload::stored(Bytes::from_static(b"\0"), false),
        };
        Arc::new(Publication {
            data: Payload::json("[1]".into()),
            info: Some(Arc::new(info)),
            offset,
            tags: BTreeMap::from([("a".into(), "b".into())]),
            delta: true,
        })
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::new("g.0"), offset }
    }

    #[test]
    fn everything_arrives_as_it_was_sent() {
        let who = publication(0).info.clone().unwrap();
        for what in [
            Arrived::Committed(at(7), Some(publication(7))),
            Arrived::Committed(at(7), None),
            Arrived::Said { publication: publication(0), keep: false },
            Arrived::Said { publication: publication(0), keep: true },
            Arrived::Said { publication: Arc::default(), keep: false },
            Arrived::Event(Event::Join(who.clone())),
            Arrived::Event(Event::Leave(who)),
        ] {
            let from = NodeId::new();
            assert_eq!(open(seal(from, &what)), Some((from, Opened::Arrived(what))));
        }
        let from = NodeId::new();
        for look in [false, true] {
            assert_eq!(open(beacon(from, look)), Some((from, Opened::Beacon { look })));
        }
    }

    #[test]
    fn what_is_from_the_future_is_the_notice_that_something_was_committed() {
        let from = NodeId::new();
        let mut later = Envelope { kind: 99, epoch: "g.0".into(), offset: 7, ..envelope(from) };
        let notice = Opened::Arrived(Arrived::Committed(at(7), None));
        assert_eq!(open(later.encode_to_vec().into()), Some((from, notice.clone())));
        later.said = Some(said(&publication(7)));
        assert_eq!(open(later.encode_to_vec().into()), Some((from, notice)));
        later.offset = 0;
        assert_eq!(open(later.encode_to_vec().into()), Some((from, Opened::Strange)));
    }

    #[test]
    fn what_is_no_envelope_is_none() {
        assert_eq!(open(Bytes::from_static(b"hello")), None);
        assert_eq!(open(Bytes::new()), None, "nobody sent it");
    }
}
