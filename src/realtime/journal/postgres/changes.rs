//! The feed, as followers read it: what each writer has committed beyond the last look; and where all stands.

use std::collections::BTreeMap;

use bytes::Bytes;
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Binary, Nullable, Text, Uuid},
};
use diesel_async::RunQueryDsl;

use super::Shared;
use crate::{
    ids::Channel,
    protocol::Position,
    realtime::journal::{Changes, Cursor, FEED_PAGE, Noted, Unavailable, WriterId, numbering},
};

/// A row for each batch beyond the cursor, and at least one for each writer. One statement: one snapshot.
const BATCHES: &str = "\
select w.name, w.seq as last, f.seq, f.channels, f.tops, f.notes
from journal_writers w
left join unnest($1, $2) as seen(name, seq) on seen.name = w.name
left join lateral (
    select f.seq, f.channels, f.tops, f.notes from journal_feed f
    where f.writer = w.id and f.seq > coalesce(seen.seq, 0) order by f.seq limit $3
) f on true
order by w.id, f.seq";

const WRITERS: &str = "select name, seq as last from journal_writers";

/// A row for each name, in their order. One statement: one snapshot.
const HEADS: &str = "\
select coalesce(c.life, l.life, 0) as life, coalesce(c.top, 0) as top
from unnest($1) with ordinality as u(name, n)
left join journal_channels c on c.name = u.name collate \"C\"
left join journal_lives l on c.id is null and l.slot = journal_slot_v1(u.name)
order by u.n";

const NAMES: &str = "select id, name::text as name, life from journal_channels where id = any($1)";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Uuid)]
    name: uuid::Uuid,
    /// The writer's last committed batch.
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    seq: Option<i64>,
    #[diesel(sql_type = Nullable<Array<BigInt>>)]
    channels: Option<Vec<i64>>,
    #[diesel(sql_type = Nullable<Array<BigInt>>)]
    tops: Option<Vec<i64>>,
    #[diesel(sql_type = Nullable<Array<Binary>>)]
    notes: Option<Vec<Vec<u8>>>,
}

#[derive(QueryableByName)]
struct Writer {
    #[diesel(sql_type = Uuid)]
    name: uuid::Uuid,
    #[diesel(sql_type = BigInt)]
    last: i64,
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    life: i64,
    #[diesel(sql_type = BigInt)]
    top: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    life: i64,
}

pub(super) async fn changes(shared: &Shared, cursor: Cursor) -> Result<Changes, Unavailable> {
    shared
        .following
        .ask(move |connection, generation| {
            Box::pin(async move {
                let (names, seqs): (Vec<_>, Vec<_>) =
                    cursor.0.iter().map(|(writer, seq)| (writer.0, *seq as i64)).unzip();
                let rows: Vec<Row> = diesel::sql_query(BATCHES)
                    .bind::<Array<Uuid>, _>(names)
                    .bind::<Array<BigInt>, _>(seqs)
                    .bind::<BigInt, _>(FEED_PAGE as i64)
                    .load(connection)
                    .await?;
                let followed = follow(rows, &cursor);
                let mut heads = Vec::with_capacity(followed.tops.len());
                if !followed.tops.is_empty() {
                    let ids: Vec<i64> = followed.tops.keys().copied().collect();
                    let names = diesel::sql_query(NAMES).bind::<Array<BigInt>, _>(ids);
                    // A channel that was forgotten since has nothing to look for.
                    for Name { id, name, life } in names.load(connection).await? {
                        let Some(offset) = followed.tops.get(&id) else { continue };
                        let epoch = numbering::epoch(&generation, life as u64);
                        heads.push((Channel::trusted(&name), Position { epoch, offset: *offset }));
                    }
                }
                let Followed { notes, cursor, hole, .. } = followed;
                Ok(Changes { heads, notes, cursor, generation, hole })
            })
        })
        .await
}

pub(super) async fn cursor(shared: &Shared) -> Result<Cursor, Unavailable> {
    shared
        .following
        .ask(|connection, _| {
            Box::pin(async move {
                let writers: Vec<Writer> = diesel::sql_query(WRITERS).load(connection).await?;
                let writers = writers.iter().map(|row| (WriterId(row.name), row.last as u64));
                Ok(Cursor(writers.collect()))
            })
        })
        .await
}

pub(super) async fn heads(
    shared: &Shared,
    channels: Vec<Channel>,
) -> Result<Vec<Position>, Unavailable> {
    shared
        .following
        .ask(move |connection, generation| {
            Box::pin(async move {
                let names: Vec<&str> = channels.iter().map(Channel::as_str).collect();
                let heads = diesel::sql_query(HEADS).bind::<Array<Text>, _>(names);
                let heads: Vec<Head> = heads.load(connection).await?;
                let position = |Head { life, top }: Head| Position {
                    epoch: numbering::epoch(&generation, life as u64),
                    offset: top as u64,
                };
                Ok(heads.into_iter().map(position).collect())
            })
        })
        .await
}

#[derive(Default)]
struct Followed {
    /// Greatest new offset by channel.
    tops: BTreeMap<i64, u64>,
    notes: Vec<Noted>,
    cursor: Cursor,
    hole: bool,
}

fn follow(rows: Vec<Row>, seen: &Cursor) -> Followed {
    let mut followed = Followed::default();
    for row in rows {
        let writer = WriterId(row.name);
        let before = match followed.cursor.0.get(&writer) {
            Some(before) => *before,
            None => seen.0.get(&writer).copied().unwrap_or(0),
        };
        // Without a row, all up to the last batch is gone or was seen.
        let now = row.seq.map_or_else(|| before.max(row.last as u64), |seq| seq as u64);
        let next = if row.seq.is_some() { now } else { now + 1 };
        followed.hole |= next > before + 1;
        followed.cursor.0.insert(writer, now);
        let noted = |note| Noted { writer, seq: now, note: Bytes::from(note) };
        followed.notes.extend(row.notes.into_iter().flatten().map(noted));
        for (channel, top) in row.channels.iter().flatten().zip(row.tops.iter().flatten()) {
            if *top > 0 {
                let highest = followed.tops.entry(*channel).or_default();
                *highest = (*highest).max(*top as u64);
            }
        }
    }
    followed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: u128, last: i64, seq: Option<i64>) -> Row {
        let name = uuid::Uuid::from_u128(name);
        let (channels, tops) = (seq.map(|_| vec![1, 2]), seq.map(|n| vec![n, 0]));
        Row { name, last, seq, channels, tops, notes: seq.map(|n| vec![vec![n as u8]]) }
    }

    fn seen(seqs: &[(u128, u64)]) -> Cursor {
        let seen = seqs.iter().map(|(name, seq)| (WriterId(uuid::Uuid::from_u128(*name)), *seq));
        Cursor(seen.collect())
    }

    #[test]
    fn a_follower_goes_on_from_its_last_batch() {
        let followed =
            follow(vec![row(1, 5, Some(4)), row(1, 5, Some(5)), row(2, 0, None)], &seen(&[(1, 3)]));
        assert!(!followed.hole);
        assert_eq!(followed.cursor, seen(&[(1, 5), (2, 0)]));
        assert_eq!(followed.tops, BTreeMap::from([(1, 5)]), "channel 2 got nothing new");
        let notes: Vec<_> = followed.notes.iter().map(|it| (it.seq, it.note[0])).collect();
        assert_eq!(notes, [(4, 4), (5, 5)]);
    }

    #[test]
    fn what_is_gone_is_a_hole_wherever_it_is() {
        assert!(follow(vec![row(1, 9, Some(5))], &seen(&[(1, 3)])).hole, "before the first row");
        assert!(follow(vec![row(1, 9, Some(4)), row(1, 9, Some(6))], &seen(&[(1, 3)])).hole);
        let all_gone = follow(vec![row(1, 9, None)], &seen(&[(1, 3)]));
        assert!(all_gone.hole);
        assert_eq!(all_gone.cursor, seen(&[(1, 9)]));
        assert!(!follow(vec![row(1, 9, None)], &seen(&[(1, 9)])).hole);
    }
}
