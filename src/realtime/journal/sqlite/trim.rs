//! Retention at work: walks the channels step by step, each step short enough to stand between commits.

use std::time::{Duration, Instant};

use diesel::{connection::SimpleConnection, dsl::sql, prelude::*, sql_types::BigInt};

use super::{
    feed,
    heads::{MAX_OFFSET, last_writer, offset_of, row_id},
    schema::{
        journal_channels, journal_feed, journal_keys, journal_lives, journal_publications,
        journal_writers,
    },
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    realtime::journal::{
        Retention, RetentionOf, Trimmed,
        numbering::{self, FEED_TTL, KEY_TTL},
    },
};

/// Rows that one step drops, at most.
const ROWS: i64 = 1_000;

/// How long a step goes on taking channels: commits wait as long.
const TIME: Duration = Duration::from_millis(20);

/// Channels read at a time.
const CHANNELS: i64 = 256;

/// Empty pages that the file keeps for what comes next (1 MiB).
const SPARE_PAGES: i64 = 256;

/// Empty pages given back in one step: each may cost a page read, a page moved and a pointer.
const VACUUM_PAGES: i64 = 256;

/// How long the row of a writer stays after its last batch: longer than any commit can be under way.
const WRITER_TTL: u64 = 24 * 60 * 60 * 1000;

/// The newest writers stay for ever: one of them is the lane of this run, however long it was idle.
const WRITERS: i64 = 64;

/// How far the walk has come.
#[derive(Clone, Copy, Default)]
pub(super) struct Trimmer {
    /// The last channel that is done with; 0 before the first.
    channel: i64,
}

/// What a step did, if it commits.
pub(super) struct Step {
    pub trimmed: Trimmed,
    /// Channels of which the row went.
    pub dropped: Vec<Channel>,
    /// Some writers' rows went, too.
    pub writers: bool,
    pub then: Trimmer,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = journal_channels)]
struct Row {
    id: i64,
    name: String,
    life: i64,
    top: i64,
    removed: i64,
    published_at: i64,
}

impl Trimmer {
    /// One step inside the open transaction of `connection`.
    pub fn step(
        self,
        connection: &mut SqliteConnection,
        retention: &RetentionOf,
        now: u64,
    ) -> QueryResult<Step> {
        let started = Instant::now();
        let (gone, writers) = trim_feed(connection, now)?;
        let trimmed = Trimmed::default();
        let mut step = Step { trimmed, dropped: Vec::new(), writers, then: self };
        let mut left = ROWS - gone;
        'walk: loop {
            let rows: Vec<Row> = journal_channels::table
                .filter(journal_channels::id.gt(step.then.channel))
                .order(journal_channels::id.asc())
                .limit(CHANNELS)
                .select(Row::as_select())
                .load(connection)?;
            let last = (rows.len() as i64) < CHANNELS;
            for row in rows {
                if left <= 0 || started.elapsed() >= TIME {
                    step.trimmed.more = true;
                    break 'walk;
                }
                let (id, before) = (row.id, left);
                let gone = trim_channel(connection, row, retention, now, &mut left)?;
                step.trimmed.publications += gone.publications;
                step.dropped.extend(gone.dropped);
                if left > 0 || before == left {
                    step.then.channel = id;
                }
            }
            if last {
                // With rows left to drop in the last channels, the round is not over.
                step.trimmed.more = left <= 0;
                if left > 0 {
                    step.then.channel = 0;
                }
                break;
            }
        }
        step.trimmed.more |= vacuum(connection)?;
        Ok(step)
    }
}

struct Gone {
    publications: u64,
    dropped: Option<Channel>,
}

fn trim_channel(
    connection: &mut SqliteConnection,
    row: Row,
    retention: &RetentionOf,
    now: u64,
    left: &mut i64,
) -> QueryResult<Gone> {
    let channel = Channel::trusted(&row.name);
    let retention = retention(&channel);
    let newest = super::heads::newest(connection, row.id)?;
    let top = newest.map_or(0, |(offset, _)| offset).max(row.top as u64);
    let past = past(connection, &row, top, &retention, now, *left)?;
    let mut gone = Gone { publications: 0, dropped: None };
    if let Some(past) = past {
        let rows = delete_up_to(connection, row.id, past)?;
        if mutant!(KeysInMessageRows) {
            use journal_keys as k;
            let with_them = k::channel.eq(row.id).and(k::position.le(past as i64));
            diesel::delete(k::table.filter(with_them)).execute(connection)?;
        }
        *left -= rows as i64;
        gone.publications = rows as u64;
        if let Some((offset, at)) = newest.filter(|(offset, _)| *offset <= past) {
            // Top and time of a channel stand in its newest publication, and here once that goes.
            diesel::update(journal_channels::table.find(row.id))
                .set((
                    journal_channels::top.eq(offset as i64),
                    journal_channels::published_at.eq(at as i64),
                ))
                .execute(connection)?;
        }
    }
    *left -= trim_keys(connection, row.id, now, *left)?;
    let published_at = newest.map_or(0, |(_, at)| at).max(row.published_at as u64);
    let empty = newest.is_none_or(|(offset, _)| past.is_some_and(|past| offset <= past));
    if *left > 0 && empty && numbering::is_forgotten(published_at, &retention, now) {
        forget(connection, &row)?;
        *left -= 1;
        gone.dropped = Some(channel);
    }
    Ok(gone)
}

/// The last offset, from the oldest on and `most` at most, that is past retention.
fn past(
    connection: &mut SqliteConnection,
    row: &Row,
    top: u64,
    retention: &Retention,
    now: u64,
    most: i64,
) -> QueryResult<Option<u64>> {
    use journal_publications as p;
    let floor = numbering::floor_by_size(top, retention).max(row.removed as u64);
    let cutoff = numbering::cutoff_by_age(now, retention);
    let oldest = p::table
        .filter(p::id.between(row_id(row.id, 0), row_id(row.id, MAX_OFFSET)))
        .order(p::id.asc())
        .limit(most)
        .select((p::id, p::at));
    let mut past = None;
    for found in oldest.load_iter::<(i64, i64), _>(connection)? {
        let (id, at) = found?;
        if offset_of(id) > floor && at as u64 > cutoff {
            break;
        }
        past = Some(offset_of(id));
    }
    Ok(past)
}

fn delete_up_to(
    connection: &mut SqliteConnection,
    channel: i64,
    offset: u64,
) -> QueryResult<usize> {
    use journal_publications as p;
    diesel::delete(p::table.filter(p::id.between(row_id(channel, 0), row_id(channel, offset))))
        .execute(connection)
}

fn trim_keys(
    connection: &mut SqliteConnection,
    channel: i64,
    now: u64,
    most: i64,
) -> QueryResult<i64> {
    use journal_keys as k;
    let old: Vec<Vec<u8>> = k::table
        .filter(k::channel.eq(channel))
        .filter(k::at.le(now.saturating_sub(KEY_TTL) as i64))
        .limit(most.max(0))
        .select(k::who)
        .load(connection)?;
    for who in &old {
        diesel::delete(k::table.find((channel, who))).execute(connection)?;
    }
    Ok(old.len() as i64)
}

/// Drops the row of a channel; its name goes on in another life.
fn forget(connection: &mut SqliteConnection, row: &Row) -> QueryResult<()> {
    use journal_lives as l;
    diesel::delete(journal_channels::table.find(row.id)).execute(connection)?;
    let life = super::heads::next_life(connection, &row.name)?.max(row.life as u64 + 1);
    diesel::replace_into(l::table)
        .values((l::slot.eq(numbering::slot(&row.name) as i64), l::life.eq(life as i64)))
        .execute(connection)?;
    Ok(())
}

/// Old feed rows, and writers that have none and are long gone. Says how many rows of the feed went,
/// and whether a writer did.
fn trim_feed(connection: &mut SqliteConnection, now: u64) -> QueryResult<(i64, bool)> {
    use journal_feed as f;
    use journal_writers as w;
    let writers: Vec<(i64, i64)> = w::table.select((w::id, w::at)).load(connection)?;
    let oldest_that_stays = last_writer(connection)? - WRITERS;
    let (mut left, mut dropped) = (ROWS / 2, false);
    for (id, at) in writers {
        let old: Option<(i64, i64)> = f::table
            .filter(f::id.between(row_id(id, 0), row_id(id, MAX_OFFSET)))
            .filter(f::at.le(now.saturating_sub(FEED_TTL) as i64))
            .order(f::id.asc())
            .limit(left)
            .select((f::id, f::at))
            .load::<(i64, i64)>(connection)?
            .pop();
        if let Some((past, past_at)) = old {
            let rows = f::table.filter(f::id.between(row_id(id, 0), past));
            left -= diesel::delete(rows).execute(connection)? as i64;
            diesel::update(w::table.find(id))
                .set((w::seq.eq(offset_of(past) as i64), w::at.eq(past_at)))
                .execute(connection)?;
        } else if id <= oldest_that_stays
            && at as u64 + WRITER_TTL <= now
            && feed::last_batch(connection, id)?.is_none()
        {
            diesel::delete(w::table.find(id)).execute(connection)?;
            dropped = true;
        }
        if left <= 0 {
            break;
        }
    }
    Ok((ROWS / 2 - left, dropped))
}

/// Gives empty pages back. Says whether there are more.
fn vacuum(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let empty: i64 = sql::<BigInt>("PRAGMA freelist_count").get_result(connection)?;
    let back = (empty - SPARE_PAGES).clamp(0, VACUUM_PAGES);
    if back > 0 {
        connection.batch_execute(&format!("PRAGMA incremental_vacuum({back})"))?;
    }
    Ok(empty - SPARE_PAGES > VACUUM_PAGES)
}
