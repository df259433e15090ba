//! The feed: one row a batch, from which others learn what changed and a writer what became of it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use diesel::prelude::*;

use super::{
    heads::{Lane, MAX_OFFSET, last_writer, offset_of, row_id},
    schema::{journal_channels, journal_feed, journal_writers},
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::Position,
    realtime::journal::{
        Appended, Changes, Cursor, FEED_PAGE, Noted, WriterId,
        numbering::{self, Verdict},
    },
};

/// What one batch did, without names: channels by id, results by ordinal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Body {
    /// (channel, top after the batch).
    pub heads: Vec<(i64, u64)>,
    /// (index into heads, verdict).
    pub results: Vec<(usize, Verdict)>,
    /// What the node says beside.
    pub notes: Vec<Bytes>,
}

impl Body {
    /// As numbers of 7 bits a byte, low ones first: about a byte a result and five a channel. Offsets of new publications are not
    /// written: they end at their channel's top.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.heads.len() * 6 + self.results.len() * 2);
        put(&mut bytes, self.heads.len() as u64);
        for (channel, top) in &self.heads {
            put(&mut bytes, *channel as u64);
            put(&mut bytes, *top);
        }
        put(&mut bytes, self.results.len() as u64);
        for (head, verdict) in &self.results {
            let (tag, offset) = match verdict {
                Verdict::New(_) => (0, None),
                Verdict::Duplicate(offset) => (1, Some(*offset)),
                Verdict::KeyReused => (2, None),
                Verdict::Superseded(top) => (3, Some(*top)),
            };
            put(&mut bytes, (*head as u64) << 2 | tag);
            offset.into_iter().for_each(|offset| put(&mut bytes, offset));
        }
        put(&mut bytes, self.notes.len() as u64);
        for note in &self.notes {
            put(&mut bytes, note.len() as u64);
            bytes.extend_from_slice(note);
        }
        bytes
    }

    /// None if the bytes are not what `encode` writes.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut body = Self::default();
        for _ in 0..take(bytes)? {
            body.heads.push((take(bytes)? as i64, take(bytes)?));
        }
        for _ in 0..take(bytes)? {
            let word = take(bytes)?;
            let verdict = match word & 3 {
                0 => Verdict::New(0),
                1 => Verdict::Duplicate(take(bytes)?),
                2 => Verdict::KeyReused,
                _ => Verdict::Superseded(take(bytes)?),
            };
            body.results.push(((word >> 2) as usize, verdict));
        }
        for _ in 0..take(bytes)? {
            let length = usize::try_from(take(bytes)?).ok()?;
            let (note, rest) = bytes.split_at_checked(length)?;
            body.notes.push(Bytes::copy_from_slice(note));
            *bytes = rest;
        }
        let mut next: Vec<u64> = body.heads.iter().map(|(_, top)| *top).collect();
        for (head, verdict) in body.results.iter_mut().rev() {
            if let Verdict::New(offset) = verdict {
                let next = next.get_mut(*head)?;
                *offset = *next;
                *next = next.checked_sub(1)?;
            }
        }
        bytes.is_empty().then_some(body)
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A writer's row with its last committed batch, and whether it is closed.
pub(super) fn load_lane(
    connection: &mut SqliteConnection,
    writer: WriterId,
) -> QueryResult<Option<(Lane, bool)>> {
    use journal_writers as w;
    let row: Option<(i64, i64, i64)> = w::table
        .filter(w::name.eq(writer.0.as_bytes().as_slice()))
        .select((w::id, w::seq, w::closed))
        .first(connection)
        .optional()?;
    let Some((id, seq, closed)) = row else { return Ok(None) };
    let last = last_batch(connection, id)?.unwrap_or(0).max(seq as u64);
    Ok(Some((Lane { id, seq: last }, closed != 0)))
}

/// Seq of a writer's newest feed row.
pub(super) fn last_batch(
    connection: &mut SqliteConnection,
    writer: i64,
) -> QueryResult<Option<u64>> {
    use journal_feed as f;
    let id: Option<i64> = f::table
        .filter(f::id.between(row_id(writer, 0), row_id(writer, MAX_OFFSET)))
        .order(f::id.desc())
        .select(f::id)
        .first(connection)
        .optional()?;
    Ok(id.map(offset_of))
}

/// Creates a writer's row.
pub(super) fn open_lane(
    connection: &mut SqliteConnection,
    writer: WriterId,
    now: u64,
    closed: bool,
) -> QueryResult<Lane> {
    use journal_writers as w;
    let id = last_writer(connection)? + 1;
    diesel::insert_into(w::table)
        .values((
            w::id.eq(id),
            w::name.eq(writer.0.as_bytes().as_slice()),
            w::seq.eq(0),
            w::at.eq(now as i64),
            w::closed.eq(i64::from(closed)),
        ))
        .execute(connection)?;
    Ok(Lane { id, seq: 0 })
}

/// Closes a writer for good, whether it has a row or not.
pub(super) fn close_lane(
    connection: &mut SqliteConnection,
    writer: WriterId,
    now: u64,
) -> QueryResult<()> {
    use journal_writers as w;
    match load_lane(connection, writer)? {
        None => open_lane(connection, writer, now, true).map(drop),
        Some((lane, _)) => diesel::update(w::table.find(lane.id))
            .set(w::closed.eq(1))
            .execute(connection)
            .map(drop),
    }
}

/// What a batch did: None if it is not there (any more).
pub(super) fn find(
    connection: &mut SqliteConnection,
    generation: &str,
    lane: Lane,
    seq: u64,
) -> QueryResult<Option<Vec<Appended>>> {
    let body: Option<Vec<u8>> = journal_feed::table
        .find(row_id(lane.id, seq))
        .select(journal_feed::body)
        .first(connection)
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    let body = Body::decode(&body).ok_or_else(damaged)?;
    let mut epochs = Vec::with_capacity(body.heads.len());
    for (channel, _) in &body.heads {
        let life: Option<i64> = journal_channels::table
            .find(channel)
            .select(journal_channels::life)
            .first(connection)
            .optional()?;
        epochs.push(numbering::epoch(generation, life.unwrap_or(0) as u64));
    }
    let results = body.results.into_iter().map(|(head, verdict)| {
        let at = |offset| Position { epoch: epochs.get(head).cloned().unwrap_or_default(), offset };
        match verdict {
            Verdict::New(offset) => Appended::New(at(offset)),
            Verdict::Duplicate(offset) => Appended::Duplicate(at(offset)),
            Verdict::KeyReused => Appended::KeyReused,
            Verdict::Superseded(top) => Appended::Superseded(at(top)),
        }
    });
    Ok(Some(results.collect()))
}

/// What came since `cursor`. To be called within one read transaction.
pub(super) fn changes(
    connection: &mut SqliteConnection,
    generation: &str,
    mut cursor: Cursor,
) -> QueryResult<Changes> {
    use journal_feed as f;
    use journal_writers as w;
    let writers: Vec<(i64, Vec<u8>, i64)> =
        w::table.select((w::id, w::name, w::seq)).load(connection)?;
    let mut tops: BTreeMap<i64, u64> = BTreeMap::new();
    let mut notes = Vec::new();
    let mut seen_now = BTreeMap::new();
    let mut hole = false;
    let furthest = cursor.0.values().max().copied().filter(|_| mutant!(FeedByGlobalNumber));
    for (id, name, gone) in writers {
        let Ok(name) = uuid::Uuid::from_slice(&name) else { return Err(damaged()) };
        let seen = furthest.or(cursor.0.remove(&WriterId(name))).unwrap_or(0);
        let rows: Vec<(i64, Vec<u8>)> = f::table
            .filter(f::id.between(row_id(id, seen + 1), row_id(id, MAX_OFFSET)))
            .order(f::id.asc())
            .limit(FEED_PAGE as i64)
            .select((f::id, f::body))
            .load(connection)?;
        let oldest = rows.first().map_or(gone as u64 + 1, |(row, _)| offset_of(*row));
        hole |= oldest > seen + 1;
        let last = rows.last().map_or(gone as u64, |(row, _)| offset_of(*row));
        seen_now.insert(WriterId(name), last.max(seen));
        for (row, body) in rows {
            let body = Body::decode(&body).ok_or_else(damaged)?;
            let (writer, seq) = (WriterId(name), offset_of(row));
            notes.extend(body.notes.into_iter().map(|note| Noted { writer, seq, note }));
            for (head, verdict) in &body.results {
                if let (Verdict::New(offset), Some((channel, _))) = (verdict, body.heads.get(*head))
                {
                    let top = tops.entry(*channel).or_default();
                    *top = (*top).max(*offset);
                }
            }
        }
    }
    let mut heads = Vec::with_capacity(tops.len());
    for (channel, offset) in tops {
        let row: Option<(String, i64)> = journal_channels::table
            .find(channel)
            .select((journal_channels::name, journal_channels::life))
            .first(connection)
            .optional()?;
        // A channel that was forgotten since has nothing to look for.
        if let Some((name, life)) = row {
            let epoch = numbering::epoch(generation, life as u64);
            heads.push((Channel::trusted(&name), Position { epoch, offset }));
        }
    }
    let (cursor, generation) = (Cursor(seen_now), Arc::from(generation));
    Ok(Changes { heads, notes, cursor, generation, hole })
}

/// Where the feed stands. To be called within one read transaction.
pub(super) fn cursor(connection: &mut SqliteConnection) -> QueryResult<Cursor> {
    use journal_writers as w;
    let writers: Vec<(i64, Vec<u8>, i64)> =
        w::table.select((w::id, w::name, w::seq)).load(connection)?;
    let mut cursor = Cursor::default();
    for (id, name, gone) in writers {
        let name = uuid::Uuid::from_slice(&name).map_err(|_| damaged())?;
        let last = last_batch(connection, id)?.unwrap_or(0).max(gone as u64);
        cursor.0.insert(WriterId(name), last);
    }
    Ok(cursor)
}

fn damaged() -> diesel::result::Error {
    diesel::result::Error::DeserializationError("a feed row can't be read".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_feed_row_says_what_its_batch_did() {
        let body = Body {
            heads: vec![(1, 300), (MAX_OFFSET as i64, 2)],
            results: vec![
                (0, Verdict::New(298)),
                (1, Verdict::Superseded(2)),
                (0, Verdict::New(299)),
                (0, Verdict::Duplicate(5)),
                (0, Verdict::New(300)),
                (1, Verdict::KeyReused),
            ],
            notes: vec![Bytes::from_static(b"a note"), Bytes::new()],
        };
        assert_eq!(Body::decode(&body.encode()), Some(body));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Body::decode(&bytes);
        }
    }
}
