//! A publication as columns that a person can read in a dump, and back; the same in every database. Pure.

use std::sync::Arc;

use crate::protocol::{ClientInfo, Payload, Publication};

const DATA_IS_JSON: i32 = 1;
const DELTA: i32 = 1 << 1;
const CONN_INFO_IS_JSON: i32 = 1 << 2;
const CHAN_INFO_IS_JSON: i32 = 1 << 3;

/// What is written of a publication, beside its place.
pub(super) struct Columns<'a> {
    pub flags: i32,
    pub data: &'a [u8],
    /// None without client info, empty for anonymous users.
    pub user: Option<&'a str>,
    pub client: Option<&'a str>,
    pub conn_info: Option<&'a [u8]>,
    pub chan_info: Option<&'a [u8]>,
    pub tags: Option<String>,
}

impl<'a> Columns<'a> {
    pub fn of(publication: &'a Publication) -> Self {
        let info = publication.info.as_deref();
        let flag = |set: bool, bit: i32| if set { bit } else { 0 };
        let flags = flag(publication.data.is_json(), DATA_IS_JSON)
            | flag(publication.delta, DELTA)
            | flag(info.is_some_and(|info| info.conn_info.is_json()), CONN_INFO_IS_JSON)
            | flag(info.is_some_and(|info| info.chan_info.is_json()), CHAN_INFO_IS_JSON);
        let bytes = |payload: &'a Payload| (!payload.is_empty()).then_some(&payload.bytes()[..]);
        // A map of strings always has a JSON form.
        let tags = (!publication.tags.is_empty())
            .then(|| serde_json::to_string(&publication.tags).unwrap_or_default());
        Self {
            flags,
            data: publication.data.bytes(),
            user: info.map(|info| &*info.user),
            client: info.map(|info| &*info.client),
            conn_info: info.and_then(|info| bytes(&info.conn_info)),
            chan_info: info.and_then(|info| bytes(&info.chan_info)),
            tags,
        }
    }
}

/// The columns as they are read.
pub(super) struct Stored {
    pub offset: u64,
    pub flags: i32,
    pub data: Vec<u8>,
    pub user: Option<String>,
    pub client: Option<String>,
    pub conn_info: Option<Vec<u8>>,
    pub chan_info: Option<Vec<u8>>,
    pub tags: Option<String>,
}

impl Stored {
    pub fn into_publication(self) -> Arc<Publication> {
        let is = |bit: i32| self.flags & bit != 0;
        let payload = |bytes: Option<Vec<u8>>, bit: i32| {
            Payload::stored(bytes.unwrap_or_default().into(), self.flags & bit != 0)
        };
        let info = self.user.map(|user| {
            Arc::new(ClientInfo {
                user,
                client: self.client.unwrap_or_default(),
                conn_info: payload(self.conn_info, CONN_INFO_IS_JSON),
                chan_info: payload(self.chan_info, CHAN_INFO_IS_JSON),
            })
        });
        let tags = self.tags.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default();
        Arc::new(Publication {
            data: Payload::stored(self.data.into(), is(DATA_IS_JSON)),
            info,
            offset: self.offset,
            tags,
            delta: is(DELTA),
        })
    }
}
