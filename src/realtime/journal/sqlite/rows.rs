//! A publication as a row, and back. Columns that a person can read in a dump.

use std::sync::Arc;

use diesel::prelude::*;

use super::{heads::offset_of, schema::journal_publications};
use crate::protocol::{ClientInfo, Payload, Publication};

const DATA_IS_JSON: i64 = 1;
const DELTA: i64 = 1 << 1;
const CONN_INFO_IS_JSON: i64 = 1 << 2;
const CHAN_INFO_IS_JSON: i64 = 1 << 3;

/// A row to insert; one shape of statement for all, so that it is prepared once.
#[derive(Insertable)]
#[diesel(table_name = journal_publications, treat_none_as_default_value = false)]
pub(super) struct NewPublication<'a> {
    id: i64,
    at: i64,
    flags: i64,
    data: &'a [u8],
    /// Null without client info, empty for anonymous users.
    user: Option<&'a str>,
    client: Option<&'a str>,
    conn_info: Option<&'a [u8]>,
    chan_info: Option<&'a [u8]>,
    tags: Option<String>,
}

impl<'a> NewPublication<'a> {
    pub fn of(id: i64, at: u64, publication: &'a Publication) -> Self {
        let info = publication.info.as_deref();
        let flag = |set: bool, bit: i64| if set { bit } else { 0 };
        let flags = flag(publication.data.is_json(), DATA_IS_JSON)
            | flag(publication.delta, DELTA)
            | flag(info.is_some_and(|info| info.conn_info.is_json()), CONN_INFO_IS_JSON)
            | flag(info.is_some_and(|info| info.chan_info.is_json()), CHAN_INFO_IS_JSON);
        let bytes = |payload: &'a Payload| (!payload.is_empty()).then_some(&payload.bytes()[..]);
        // A map of strings always has a JSON form.
        let tags = (!publication.tags.is_empty())
            .then(|| serde_json::to_string(&publication.tags).unwrap_or_default());
        Self {
            id,
            at: at as i64,
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

/// A row as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = journal_publications)]
pub(super) struct StoredPublication {
    id: i64,
    flags: i64,
    data: Vec<u8>,
    user: Option<String>,
    client: Option<String>,
    conn_info: Option<Vec<u8>>,
    chan_info: Option<Vec<u8>>,
    tags: Option<String>,
}

impl StoredPublication {
    /// Length of its data in bytes.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn into_publication(self) -> Arc<Publication> {
        let is = |bit: i64| self.flags & bit != 0;
        let payload = |bytes: Option<Vec<u8>>, bit: i64| {
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
            offset: offset_of(self.id),
            tags,
            delta: is(DELTA),
        })
    }
}
