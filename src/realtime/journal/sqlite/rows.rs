//! A publication as a row of the file, and back.

use std::sync::Arc;

use diesel::prelude::*;

use super::{heads::offset_of, schema::journal_publications};
use crate::{
    protocol::Publication,
    realtime::journal::columns::{Columns, Stored},
};

/// A row to insert; one shape of statement for all, so that it is prepared once.
#[derive(Insertable)]
#[diesel(table_name = journal_publications, treat_none_as_default_value = false)]
pub(super) struct NewPublication<'a> {
    id: i64,
    at: i64,
    flags: i64,
    data: &'a [u8],
    user: Option<&'a str>,
    client: Option<&'a str>,
    conn_info: Option<&'a [u8]>,
    chan_info: Option<&'a [u8]>,
    tags: Option<String>,
}

impl<'a> NewPublication<'a> {
    pub fn of(id: i64, at: u64, publication: &'a Publication) -> Self {
        let Columns { flags, data, user, client, conn_info, chan_info, tags } =
            Columns::of(publication);
        let (at, flags) = (at as i64, i64::from(flags));
        Self { id, at, flags, data, user, client, conn_info, chan_info, tags }
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
        let Self { id, flags, data, user, client, conn_info, chan_info, tags } = self;
        let (offset, flags) = (offset_of(id), flags as i32);
        Stored { offset, flags, data, user, client, conn_info, chan_info, tags }.into_publication()
    }
}
