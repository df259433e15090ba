//! What a reader sees: each answer from one snapshot.

use diesel::prelude::*;

use super::{
    heads::{self, row_id},
    rows::StoredPublication,
    schema::{journal_channels, journal_publications},
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::Position,
    realtime::journal::{Page, Range, Retention, numbering},
};

/// A page of a channel, clipped by its retention.
pub(super) fn page(
    connection: &mut SqliteConnection,
    generation: &str,
    channel: &Channel,
    range: Range,
    retention: &Retention,
    now: u64,
) -> QueryResult<Page> {
    let mut page = connection.transaction(|connection| {
        use journal_channels as c;
        let row: Option<(i64, i64, i64, i64)> = c::table
            .filter(c::name.eq(&**channel))
            .select((c::id, c::life, c::top, c::removed))
            .first(connection)
            .optional()?;
        let Some((id, life, top, removed)) = row else {
            let life = heads::next_life(connection, channel)?;
            let epoch = numbering::epoch(generation, life);
            return Ok(Page { epoch, top: 0, publications: Vec::new() });
        };
        let newest = heads::newest(connection, id)?.map_or(0, |(offset, _)| offset);
        let top = newest.max(top as u64);
        let floor = numbering::floor_by_size(top, retention).max(removed as u64);
        let cutoff = numbering::cutoff_by_age(now, retention);
        let mut page = Page {
            epoch: numbering::epoch(generation, life as u64),
            top,
            publications: Vec::new(),
        };
        let window = range.window(floor, top);
        if range.limit > 0 && window.first <= window.last {
            let ids = (row_id(id, window.first), row_id(id, window.last));
            fill(connection, &mut page, ids, range, cutoff)?;
        }
        QueryResult::Ok(page)
    })?;
    if mutant!(RowsThenTop) {
        page.top = heads::load(connection, generation, channel)?.map_or(0, |it| it.head.top);
    }
    Ok(page)
}

/// Where channels stand. To be called within one read transaction.
pub(super) fn heads(
    connection: &mut SqliteConnection,
    generation: &str,
    channels: &[Channel],
) -> QueryResult<Vec<Position>> {
    let mut head = |channel: &Channel| {
        Ok(match heads::load(connection, generation, channel)? {
            Some(standing) => Position { epoch: standing.epoch, offset: standing.head.top },
            None => {
                let life = heads::next_life(connection, channel)?;
                Position { epoch: numbering::epoch(generation, life), offset: 0 }
            }
        })
    };
    channels.iter().map(&mut head).collect()
}

fn fill(
    connection: &mut SqliteConnection,
    page: &mut Page,
    (first, last): (i64, i64),
    range: Range,
    cutoff: u64,
) -> QueryResult<()> {
    use journal_publications as p;
    let limit = i64::try_from(range.limit).unwrap_or(i64::MAX);
    let rows = p::table
        .filter(p::id.between(first, last))
        .filter(p::at.gt(cutoff as i64))
        .limit(limit)
        .select(StoredPublication::as_select());
    let mut budget = range.budget();
    let mut take = |row: QueryResult<StoredPublication>| -> QueryResult<bool> {
        let row = row?;
        let fits = budget.takes(row.len());
        if fits {
            page.publications.push(row.into_publication());
        }
        Ok(fits)
    };
    if range.ascends() {
        for row in rows.order(p::id.asc()).load_iter(connection)? {
            if !take(row)? {
                break;
            }
        }
    } else {
        for row in rows.order(p::id.desc()).load_iter(connection)? {
            if !take(row)? {
                break;
            }
        }
    }
    Ok(())
}
