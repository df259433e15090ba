//! What a reader sees: epoch, top and publications of a channel from one statement, so from one snapshot.
//!
//! Reads gather: who wants a page waits for its answer or for a connection, and whoever gets a connection asks for
//! all that wait. So a node whose thousand rooms open at once asks some dozens of questions, not a thousand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, BigInt, Binary, Integer, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::sync::oneshot;

use super::{Shared, text};
use crate::{
    ids::Channel,
    realtime::journal::{Page, Range, RetentionOf, Unavailable, columns::Stored, numbering},
};

/// Who may wait, at most: all rooms of a node that open at once, since many are served together.
pub(super) const WAITING: usize = 32 * 1024;

/// Pages that one statement asks for, at most.
const MOST: usize = 64;

/// Bytes of data that one statement asks for, at most; a page may be as big as its reader wants it.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// $1 names, $2 and $3 the offsets asked for, $4 how many, $5 bytes of data, $6 how many retention keeps,
/// $7 for how long, $8 now. A channel without a row reads as the life in which it would begin.
///
/// Rows are counted out in the order of the page: the first comes whatever it weighs.
fn statement(order: &str) -> String {
    format!(
        "select asked.number, coalesce(c.life, l.life, 0) as life, coalesce(c.top, 0) as top, p.position, p.flags, \
                p.data, p.who, p.client, p.conn_info, p.chan_info, p.tags \
         from unnest($1, $2, $3, $4, $5, $6, $7) with ordinality \
             as asked(name, first, last, most, bytes, size, ttl, number) \
         left join journal_channels c on c.name = asked.name \
         left join journal_lives l on c.id is null and l.slot = journal_slot_v1(asked.name) \
         left join lateral ( \
             select * from ( \
                 select p.*, sum(octet_length(p.data)) over (order by p.position {order}) - octet_length(p.data) \
                     as before \
                 from ( \
                     select position, flags, data, \"user\" as who, client, conn_info, chan_info, tags \
                     from journal_publications \
                     where channel = c.id and position >= asked.first and position <= least(asked.last, c.top) \
                         and position > greatest(c.removed, c.top - asked.size) \
                         and at > journal_now_v1($8) - asked.ttl \
                     order by position {order} limit asked.most \
                 ) p \
             ) p where p.before <= asked.bytes \
         ) p on true \
         order by asked.number, p.position {order}"
    )
}

#[derive(QueryableByName)]
struct Row {
    /// Which of the pages it belongs to, from 1.
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = BigInt)]
    life: i64,
    #[diesel(sql_type = BigInt)]
    top: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    position: Option<i64>,
    #[diesel(sql_type = Nullable<Integer>)]
    flags: Option<i32>,
    #[diesel(sql_type = Nullable<Binary>)]
    data: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    who: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    client: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    conn_info: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    chan_info: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    tags: Option<String>,
}

/// A page that somebody waits for.
struct Wanted {
    channel: Channel,
    range: Range,
    answer: oneshot::Sender<Result<Page, Unavailable>>,
}

/// Pages that nobody has asked the database for yet, in the order of coming.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<Wanted>>);

impl Waiting {
    fn push(&self, wanted: Wanted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(wanted);
    }

    /// The first of them, as many as go together. Whoever gave up is left out.
    fn take(&self) -> Vec<Wanted> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<Wanted> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = waiting.front() {
            if !next.answer.is_closed() {
                bytes += if next.range.limit == 0 { 0 } else { next.range.max_bytes };
                let goes_along = |first: &Wanted| {
                    taken.len() < MOST
                        && bytes <= MOST_BYTES
                        && first.range.ascends() == next.range.ascends()
                };
                if !taken.as_slice().first().is_none_or(goes_along) {
                    break;
                }
                taken.extend(waiting.pop_front());
            } else {
                waiting.pop_front();
            }
        }
        taken
    }
}

pub(super) async fn read(
    shared: &Shared,
    channel: Channel,
    range: Range,
) -> Result<Page, Unavailable> {
    let (answer, mut answered) = oneshot::channel();
    shared.waiting.push(Wanted { channel, range, answer });
    loop {
        let lease = tokio::select! {
            biased;
            page = &mut answered => return page.unwrap_or_else(|_| Err(fell())),
            lease = shared.reading.get() => lease.map_err(Unavailable)?,
        };
        // Its own is among them, unless many came before.
        let wanted = shared.waiting.take();
        if wanted.is_empty() {
            drop(lease);
            return answered.await.unwrap_or_else(|_| Err(fell()));
        }
        let asked: Vec<_> = wanted.iter().map(|one| (one.channel.clone(), one.range)).collect();
        let now = shared.now();
        let retention = shared.retention.clone();
        let pages = shared.reading.ask_on(lease, move |connection, generation| {
            Box::pin(pages(connection, generation, asked, retention, now))
        });
        match pages.await {
            Ok(pages) => {
                for (one, page) in wanted.into_iter().zip(pages) {
                    one.answer.send(Ok(page)).ok();
                }
            }
            Err(why) => {
                for one in wanted {
                    one.answer.send(Err(why.clone())).ok();
                }
            }
        }
    }
}

fn fell() -> Unavailable {
    Unavailable("a question to the journal fell".into())
}

/// Pages of one direction, in the order asked for.
async fn pages(
    connection: &mut AsyncPgConnection,
    generation: Arc<str>,
    asked: Vec<(Channel, Range)>,
    retention: RetentionOf,
    now: Option<i64>,
) -> QueryResult<Vec<Page>> {
    let ascends = asked.as_slice().first().is_none_or(|(_, range)| range.ascends());
    let order = if ascends { "asc" } else { "desc" };
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let column = |of: &dyn Fn(&Channel, &Range) -> u64| -> Vec<i64> {
        asked.iter().map(|(channel, range)| number(of(channel, range))).collect()
    };
    let names: Vec<&str> = asked.iter().map(|(channel, _)| channel.as_str()).collect();
    let rows: Vec<Row> = diesel::sql_query(statement(order))
        .bind::<Array<Text>, _>(names)
        .bind::<Array<BigInt>, _>(column(&|_, range| range.window(0, u64::MAX).first))
        .bind::<Array<BigInt>, _>(column(&|_, range| range.window(0, u64::MAX).last))
        .bind::<Array<BigInt>, _>(column(&|_, range| range.limit as u64))
        .bind::<Array<BigInt>, _>(column(&|_, range| range.max_bytes as u64))
        .bind::<Array<BigInt>, _>(column(&|channel, _| retention(channel).size))
        .bind::<Array<BigInt>, _>(column(&|channel, _| numbering::millis(retention(channel).ttl)))
        .bind::<Nullable<BigInt>, _>(now)
        .load(connection)
        .await?;
    let mut rows = rows.into_iter().peekable();
    let pages = asked.iter().zip(1..).map(|((_, range), number)| {
        let mut page =
            Page { epoch: numbering::epoch(&generation, 0), top: 0, publications: Vec::new() };
        let mut budget = range.budget();
        let mut is_full = false;
        // There is always one, also of a channel that nobody knows.
        while let Some(row) = rows.next_if(|row| row.number == number) {
            if page.publications.is_empty() {
                page.epoch = numbering::epoch(&generation, row.life as u64);
                page.top = row.top as u64;
            }
            let Some(stored) = row.stored() else { continue };
            is_full |= !budget.takes(stored.data.len());
            if !is_full {
                page.publications.push(stored.into_publication());
            }
        }
        page
    });
    Ok(pages.collect())
}

impl Row {
    fn stored(self) -> Option<Stored> {
        Some(Stored {
            offset: self.position? as u64,
            flags: self.flags?,
            data: self.data?,
            user: self.who.map(text::loaded),
            client: self.client.map(text::loaded),
            conn_info: self.conn_info,
            chan_info: self.chan_info,
            tags: self.tags,
        })
    }
}
