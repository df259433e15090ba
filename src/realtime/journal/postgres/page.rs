//! What a reader sees: epoch, top and publications of a channel from one statement, so from one snapshot.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use diesel_async::RunQueryDsl;

use super::{Shared, text};
use crate::{
    ids::Channel,
    realtime::journal::{Direction, Page, Range, Unavailable, columns::Stored, numbering},
};

/// $1 name, $2 and $3 the offsets asked for, $4 how many, $5 bytes of data, $6 how many retention keeps,
/// $7 for how long, $8 now. A channel without a row reads as the life in which it would begin.
///
/// Rows are counted out in the order of the page: the first comes whatever it weighs.
fn statement(order: &str) -> String {
    format!(
        "select coalesce(c.life, l.life, 0) as life, coalesce(c.top, 0) as top, p.position, p.flags, p.data, \
                p.who, p.client, p.conn_info, p.chan_info, p.tags \
         from (select $1::text as name) asked \
         left join journal_channels c on c.name = asked.name \
         left join journal_lives l on c.id is null and l.slot = journal_slot_v1(asked.name) \
         left join lateral ( \
             select * from ( \
                 select p.*, sum(octet_length(p.data)) over (order by p.position {order}) - octet_length(p.data) \
                     as before \
                 from ( \
                     select position, flags, data, \"user\" as who, client, conn_info, chan_info, tags \
                     from journal_publications \
                     where channel = c.id and position >= $2 and position <= least($3, c.top) \
                         and position > greatest(c.removed, c.top - $6) and at > journal_now_v1($8) - $7 \
                     order by position {order} limit $4 \
                 ) p \
             ) p where p.before <= $5 \
         ) p on true \
         order by p.position {order}"
    )
}

#[derive(QueryableByName)]
struct Row {
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

pub(super) async fn read(
    shared: &Shared,
    channel: Channel,
    range: Range,
) -> Result<Page, Unavailable> {
    let retention = (shared.retention)(&channel);
    let now = shared.now();
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (first, last, order) = match range.direction {
        Direction::After(offset) => (number(offset.saturating_add(1)), i64::MAX, "asc"),
        Direction::Before(None) => (1, i64::MAX, "desc"),
        Direction::Before(Some(offset)) => (1, number(offset.saturating_sub(1)), "desc"),
    };
    shared
        .reading
        .ask(move |connection, generation| {
            Box::pin(async move {
                let rows: Vec<Row> = diesel::sql_query(statement(order))
                    .bind::<Text, _>(channel.as_str())
                    .bind::<BigInt, _>(first)
                    .bind::<BigInt, _>(last)
                    .bind::<BigInt, _>(number(range.limit as u64))
                    .bind::<BigInt, _>(number(range.max_bytes as u64))
                    .bind::<BigInt, _>(number(retention.size))
                    .bind::<BigInt, _>(number(numbering::millis(retention.ttl)))
                    .bind::<Nullable<BigInt>, _>(now)
                    .load(connection)
                    .await?;
                // There is always one, also of a channel that nobody knows.
                let (life, top) =
                    rows.as_slice().first().map_or((0, 0), |row| (row.life as u64, row.top as u64));
                let mut budget = range.budget();
                let stored = rows.into_iter().filter_map(Row::stored);
                let publications = stored
                    .take_while(|stored| budget.takes(stored.data.len()))
                    .map(Stored::into_publication)
                    .collect();
                Ok(Page { epoch: numbering::epoch(&generation, life), top, publications })
            })
        })
        .await
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
