//! Retention at work: walks the channels page by page, deletes a bounded number of rows a step, and never
//! takes a lock that an append needs for longer than one statement.
//!
//! One node at a time does it; what it commits need not wait for the disk.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Bool, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::Shared;
use crate::{
    ids::Channel,
    realtime::journal::{
        RetentionOf, Trimmed, Unavailable,
        numbering::{self, FEED_TTL, KEY_TTL},
    },
};

/// Rows of one kind that one step drops, at most.
const ROWS: i64 = 1_000;

/// Channels that one step looks at.
const CHANNELS: i64 = 256;

/// Rows that a step looks at of each channel, at least.
const SHARE: i64 = 16;

/// How long the row of a writer stays after its last batch: longer than any commit can be under way.
const WRITER_TTL: u64 = 24 * 60 * 60 * 1000;

/// The newest writers stay for ever: the lanes of runs that are merely quiet are among them.
const WRITERS: i64 = 64;

/// Held through a step; a schema of its own has a walk of its own.
const TAKE: &str = "\
set synchronous_commit = off;
select pg_try_advisory_lock(hashtext('fanfare trim'), hashtext(current_schema())) as done";
const GIVE_BACK: &str =
    "select pg_advisory_unlock(hashtext('fanfare trim'), hashtext(current_schema())) as done";

/// $1 after which channel, $2 how many. The oldest publication of each is one look into the index.
const LOOK: &str = "\
select c.id, c.name::text as name, c.top, c.removed, c.published_at, o.position, o.at
from (select * from journal_channels where id > $1 order by id limit $2) c
left join lateral (
    select position, at from journal_publications p where p.channel = c.id order by p.position limit 1
) o on true
order by c.id";

/// $1 channels, $2 up to which offset, $3 up to which time, $4 rows of each, $5 rows in all. What is past
/// retention is a beginning of its channel: neither offsets nor times ever fall.
const DROP: &str = "\
with past as materialized (
    select o.channel, o.position
    from unnest($1, $2, $3) as t(channel, floor, cutoff)
    cross join lateral (
        select p.channel, p.position, p.at from journal_publications p
        where p.channel = t.channel order by p.position limit $4
    ) o
    where o.position <= t.floor or o.at <= t.cutoff
    limit $5
), gone as (
    delete from journal_publications p using past
    where p.channel = past.channel and p.position = past.position
    returning p.channel
)
select count(*) as rows from gone group by channel";

const FORGET: &str = "\
select count(*) as rows
from (select journal_forget_v1(f.id, f.at) as gone from unnest($1, $2) as f(id, at)) f where f.gone";

/// $1 keys of which time or before, $2 how many. A key that is being used again is left alone.
const KEYS: &str = "\
with gone as (
    delete from journal_keys k using (
        select channel, who from journal_keys where at <= $1 order by at limit $2 for update skip locked
    ) old where k.channel = old.channel and k.who = old.who returning 1
)
select count(*) as rows from gone";

/// $1 feed rows of which time or before, $2 how many: of each writer a beginning.
const FEED: &str = "\
with gone as (
    delete from journal_feed f using (
        select writer, seq from journal_feed where at <= $1 order by at, seq limit $2
    ) old where f.writer = old.writer and f.seq = old.seq returning 1
)
select count(*) as rows from gone";

/// $1 of which time or before, $2 how many of the newest stay.
const QUIET: &str = "\
with gone as (
    delete from journal_writers w
    where w.at <= $1 and w.id <= (select max(id) from journal_writers) - $2
        and not exists (select from journal_feed f where f.writer = w.id)
    returning 1
)
select count(*) as rows from gone";

const REMOVE: &str = "update journal_channels set removed = top where name = $1";

/// How far the walk has come: the last channel that is done with; 0 before the first.
#[derive(Default)]
pub(super) struct Walk(i64);

#[derive(QueryableByName)]
struct Done {
    #[diesel(sql_type = Bool)]
    done: bool,
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[derive(QueryableByName)]
struct Look {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    top: i64,
    #[diesel(sql_type = BigInt)]
    removed: i64,
    #[diesel(sql_type = BigInt)]
    published_at: i64,
    /// Of the oldest publication.
    #[diesel(sql_type = Nullable<BigInt>)]
    position: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    at: Option<i64>,
}

/// What is to be done with the channels of a page. Pure.
#[derive(Default, Debug)]
struct Plan {
    /// (channel, up to which offset, up to which time).
    drop: (Vec<i64>, Vec<i64>, Vec<i64>),
    /// (channel, time of its newest publication), if it is empty then.
    forget: (Vec<i64>, Vec<i64>),
}

/// Forgets all publications of a channel. Trimming takes the rows away: a channel of any size is removed at once.
pub(super) async fn remove(shared: &Shared, channel: Channel) -> Result<(), Unavailable> {
    let removed = shared.appending.ask(move |connection, _| {
        Box::pin(async move {
            diesel::sql_query(REMOVE).bind::<Text, _>(channel.as_str()).execute(connection).await
        })
    });
    removed.await.map(drop)
}

/// One step.
pub(super) async fn step(shared: &Shared) -> Result<Trimmed, Unavailable> {
    let mut walk = shared.walk.lock().await;
    let (from, now, retention) = (walk.0, shared.now(), shared.retention.clone());
    let stepped = shared.trimming.ask(move |connection, _| {
        Box::pin(async move {
            let (set, take) = TAKE.split_once('\n').unwrap_or(("", TAKE));
            connection.batch_execute(set).await?;
            let taken: Done = diesel::sql_query(take).get_result(connection).await?;
            if !taken.done {
                return Ok((Trimmed::default(), 0));
            }
            // An error drops the connection, and what it holds with it.
            let stepped = trim(connection, from, now, &retention).await?;
            diesel::sql_query(GIVE_BACK).execute(connection).await?;
            Ok(stepped)
        })
    });
    let (trimmed, reached) = stepped.await?;
    walk.0 = reached;
    Ok(trimmed)
}

async fn trim(
    connection: &mut AsyncPgConnection,
    from: i64,
    now: Option<i64>,
    retention: &RetentionOf,
) -> QueryResult<(Trimmed, i64)> {
    let now = match now {
        Some(now) => now,
        None => rows(connection, "select journal_now_v1(null) as rows").await?,
    };
    let before = |ttl: u64| now.saturating_sub(ttl as i64);
    let mut full = false;
    for (statement, until, most) in [
        (KEYS, before(KEY_TTL), ROWS),
        (FEED, before(FEED_TTL), ROWS),
        (QUIET, before(WRITER_TTL), WRITERS),
    ] {
        let gone: Rows = diesel::sql_query(statement)
            .bind::<BigInt, _>(until)
            .bind::<BigInt, _>(most)
            .get_result(connection)
            .await?;
        full |= gone.rows >= ROWS;
    }
    let page: Vec<Look> = diesel::sql_query(LOOK)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(CHANNELS)
        .load(connection)
        .await?;
    let plan = Plan::of(&page, retention, now as u64);
    let (publications, again) = plan.carry_out(connection).await?;
    let last = page.last().filter(|_| page.len() as i64 == CHANNELS);
    let reached = if again { from } else { last.map_or(0, |look| look.id) };
    Ok((Trimmed { publications, more: full || again || last.is_some() }, reached))
}

async fn rows(connection: &mut AsyncPgConnection, statement: &str) -> QueryResult<i64> {
    let rows: Rows = diesel::sql_query(statement).get_result(connection).await?;
    Ok(rows.rows)
}

impl Plan {
    fn of(page: &[Look], retention: &RetentionOf, now: u64) -> Self {
        let mut plan = Self::default();
        for look in page {
            let retention = retention(&Channel::trusted(&look.name));
            let floor = numbering::floor_by_size(look.top as u64, &retention) as i64;
            let (floor, cutoff) =
                (floor.max(look.removed), numbering::cutoff_by_age(now, &retention) as i64);
            let is_past = |offset: i64, at: i64| offset <= floor || at <= cutoff;
            if look.position.zip(look.at).is_some_and(|(offset, at)| is_past(offset, at)) {
                plan.drop.0.push(look.id);
                plan.drop.1.push(floor);
                plan.drop.2.push(cutoff);
            }
            let empty = look.position.is_none() || is_past(look.top, look.published_at);
            if empty && numbering::is_forgotten(look.published_at as u64, &retention, now) {
                plan.forget.0.push(look.id);
                plan.forget.1.push(look.published_at);
            }
        }
        plan
    }

    /// Says how many publications went, and whether the same page has more.
    async fn carry_out(self, connection: &mut AsyncPgConnection) -> QueryResult<(u64, bool)> {
        let (mut gone, mut again) = (0, false);
        if !self.drop.0.is_empty() {
            let share = (ROWS / self.drop.0.len() as i64).max(SHARE);
            let dropped: Vec<Rows> = diesel::sql_query(DROP)
                .bind::<Array<BigInt>, _>(self.drop.0)
                .bind::<Array<BigInt>, _>(self.drop.1)
                .bind::<Array<BigInt>, _>(self.drop.2)
                .bind::<BigInt, _>(share)
                .bind::<BigInt, _>(ROWS)
                .load(connection)
                .await?;
            gone = dropped.iter().map(|dropped| dropped.rows).sum();
            again = gone >= ROWS || dropped.iter().any(|dropped| dropped.rows >= share);
        }
        if !again && !self.forget.0.is_empty() {
            diesel::sql_query(FORGET)
                .bind::<Array<BigInt>, _>(self.forget.0)
                .bind::<Array<BigInt>, _>(self.forget.1)
                .get_result::<Rows>(connection)
                .await?;
        }
        Ok((gone as u64, again))
    }
}
