//! Where each channel stands, as the committing thread remembers it, and how that is read back.
//!
//! What is remembered moves only after a commit and is dropped after any error.

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{journal_channels, journal_lives, journal_publications, journal_writers};
use crate::{
    ids::Channel,
    protocol::Epoch,
    realtime::journal::{
        Version, WriterId,
        numbering::{self, Head},
    },
};

/// Bits of a publication's id that hold its offset: 68 billion publications a channel. The rest hold
/// 134 million channels.
const OFFSET_BITS: u32 = 36;

/// Greatest offset of a channel.
pub(super) const MAX_OFFSET: u64 = (1 << OFFSET_BITS) - 1;

/// Greatest id of a channel or writer.
pub(super) const MAX_CHANNEL: i64 = (1 << (63 - OFFSET_BITS)) - 1;

/// Channels remembered in each of the two halves of [`Heads`]: about 8 MB in all.
const REMEMBERED: usize = 32 * 1024;

/// Writers remembered; a run of a node has one, and one more after each unknown commit.
const WRITERS: usize = 64;

/// The id of (channel, offset), also of (writer, seq).
pub(super) fn row_id(channel: i64, offset: u64) -> i64 {
    (channel << OFFSET_BITS) | offset.min(MAX_OFFSET) as i64
}

/// The offset within an id.
pub(super) fn offset_of(row: i64) -> u64 {
    row as u64 & MAX_OFFSET
}

/// One channel that has a row.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub id: i64,
    pub epoch: Epoch,
    pub head: Head,
    /// Time of its newest publication.
    pub at: u64,
}

/// One writer that has a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub id: i64,
    /// Its last committed batch.
    pub seq: u64,
}

/// What the committing thread remembers. Bounded: what was not used for long is forgotten first.
#[derive(Default)]
pub(super) struct Heads {
    young: HashMap<Channel, Standing>,
    old: HashMap<Channel, Standing>,
    lanes: HashMap<WriterId, Lane>,
    next_channel: Option<i64>,
}

impl Heads {
    /// Where a channel stands: remembered, or read. None: it has no row.
    pub fn find(
        &self,
        connection: &mut SqliteConnection,
        generation: &str,
        channel: &Channel,
    ) -> QueryResult<Option<Standing>> {
        match self.young.get(&**channel).or_else(|| self.old.get(&**channel)) {
            Some(standing) => Ok(Some(standing.clone())),
            None => load(connection, generation, channel),
        }
    }

    /// The lane of a writer, remembered or read, and whether it is closed. None: it is new.
    pub fn lane(
        &self,
        connection: &mut SqliteConnection,
        writer: WriterId,
    ) -> QueryResult<Option<(Lane, bool)>> {
        match self.lanes.get(&writer) {
            Some(lane) => Ok(Some((*lane, false))),
            None => super::feed::load_lane(connection, writer),
        }
    }

    /// The id that the next new channel gets.
    pub fn next_channel(&self, connection: &mut SqliteConnection) -> QueryResult<i64> {
        if let Some(next) = self.next_channel {
            return Ok(next);
        }
        let last = journal_channels::table
            .select(journal_channels::id)
            .order(journal_channels::id.desc())
            .first::<i64>(connection)
            .optional()?;
        Ok(last.unwrap_or(0) + 1)
    }

    /// Remembers where a channel stands since a commit.
    pub fn moved(&mut self, channel: Channel, standing: Standing) {
        if self.young.len() >= REMEMBERED && !self.young.contains_key(&channel) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&channel);
        self.young.insert(channel, standing);
    }

    /// Remembers which ids are given away since a commit.
    pub fn given(&mut self, next_channel: Option<i64>) {
        self.next_channel = next_channel.or(self.next_channel);
    }

    /// Remembers a writer's last batch since a commit.
    pub fn wrote(&mut self, writer: WriterId, lane: Lane) {
        if self.lanes.len() >= WRITERS {
            self.lanes.clear();
        }
        self.lanes.insert(writer, lane);
    }

    /// Forgets a writer that was closed.
    pub fn closed(&mut self, writer: WriterId) {
        self.lanes.remove(&writer);
    }

    /// Forgets all writers: the rows of some went.
    pub fn writers_dropped(&mut self) {
        self.lanes.clear();
    }

    /// Forgets a channel of which the row went.
    pub fn dropped(&mut self, channel: &Channel) {
        self.young.remove(channel);
        self.old.remove(channel);
        self.next_channel = None;
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = journal_channels)]
struct Row {
    id: i64,
    life: i64,
    top: i64,
    published_at: i64,
    version_number: Option<i64>,
    version_epoch: Option<String>,
}

/// Reads where a channel stands.
pub(super) fn load(
    connection: &mut SqliteConnection,
    generation: &str,
    channel: &Channel,
) -> QueryResult<Option<Standing>> {
    let row: Option<Row> = journal_channels::table
        .filter(journal_channels::name.eq(&**channel))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let newest = newest(connection, row.id)?;
    let version = row.version_number.zip(row.version_epoch);
    let version = version.map(|(number, epoch)| Version { number: number as u64, epoch });
    let top = newest.map_or(0, |(offset, _)| offset).max(row.top as u64);
    Ok(Some(Standing {
        id: row.id,
        epoch: numbering::epoch(generation, row.life as u64),
        head: Head { top, version },
        at: newest.map_or(0, |(_, at)| at).max(row.published_at as u64),
    }))
}

/// (offset, time) of the newest publication of a channel that still has its row.
pub(super) fn newest(
    connection: &mut SqliteConnection,
    channel: i64,
) -> QueryResult<Option<(u64, u64)>> {
    use journal_publications as p;
    let row: Option<(i64, i64)> = p::table
        .filter(p::id.between(row_id(channel, 0), row_id(channel, MAX_OFFSET)))
        .order(p::id.desc())
        .select((p::id, p::at))
        .first(connection)
        .optional()?;
    Ok(row.map(|(id, at)| (offset_of(id), at as u64)))
}

/// The life in which a channel without a row is.
pub(super) fn next_life(connection: &mut SqliteConnection, channel: &str) -> QueryResult<u64> {
    let life: Option<i64> = journal_lives::table
        .find(numbering::slot(channel) as i64)
        .select(journal_lives::life)
        .first(connection)
        .optional()?;
    Ok(life.unwrap_or(0) as u64)
}

/// Greatest id of a writer's row, 0 for none.
pub(super) fn last_writer(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let last: Option<i64> = journal_writers::table
        .select(journal_writers::id)
        .order(journal_writers::id.desc())
        .first(connection)
        .optional()?;
    Ok(last.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_channel_lie_side_by_side() {
        assert!(row_id(1, MAX_OFFSET) < row_id(2, 0));
        assert!(row_id(MAX_CHANNEL, MAX_OFFSET) > row_id(MAX_CHANNEL, 1));
        assert_eq!(offset_of(row_id(MAX_CHANNEL, 77)), 77);
        assert_eq!(row_id(3, u64::MAX), row_id(3, MAX_OFFSET), "an offset never spills over");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_last_used_stays() {
        let mut heads = Heads::default();
        let channel = |n: usize| Channel::trusted(&n.to_string());
        let standing = Standing { id: 1, epoch: Epoch::new("g.0"), head: Head::default(), at: 0 };
        for n in 0..REMEMBERED * 3 {
            heads.moved(channel(n), standing.clone());
        }
        assert!(heads.young.len() + heads.old.len() <= REMEMBERED * 2);
        assert!(heads.young.contains_key(&channel(REMEMBERED * 3 - 1)));
        assert!(!heads.young.contains_key(&channel(0)) && !heads.old.contains_key(&channel(0)));
    }
}
