//! What became of a batch whose commit was not answered: the writer's row and the feed know.

use diesel::{
    QueryableByName,
    prelude::*,
    sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Uuid},
};
use diesel_async::RunQueryDsl;

use super::Shared;
use crate::{
    platform::postgres::the_one,
    protocol::{Epoch, Position},
    realtime::journal::{
        Appended, Settled, Unavailable, WriterId,
        numbering::{self, Verdict},
    },
};

diesel::define_sql_function! {
    /// The row of the writer if it committed the batch; else the writer is closed.
    #[sql_name = "journal_settle_v1"]
    fn journal_settle(writer: Uuid, seq: BigInt, now: Nullable<BigInt>) -> Nullable<BigInt>;
}

/// The feed row of a batch and the lives of its channels, 0 for those forgotten since.
const ROW: &str = "\
select f.tops, f.heads, f.odd_ordinals, f.odd_kinds, f.odd_positions,
       array(select coalesce(c.life, 0)
             from unnest(f.channels) with ordinality as u(id, n) left join journal_channels c on c.id = u.id
             order by u.n) as lives
from journal_feed f where f.writer = $1 and f.seq = $2";

#[derive(QueryableByName, Clone, Debug, Default)]
struct Row {
    /// By channel of the batch: its greatest new offset, 0 for none.
    #[diesel(sql_type = Array<BigInt>)]
    tops: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    lives: Vec<i64>,
    /// By append: its channel, from 1.
    #[diesel(sql_type = Array<Integer>)]
    heads: Vec<i32>,
    /// Appends that are no new publication.
    #[diesel(sql_type = Array<Integer>)]
    odd_ordinals: Vec<i32>,
    #[diesel(sql_type = Array<SmallInt>)]
    odd_kinds: Vec<i16>,
    #[diesel(sql_type = Array<BigInt>)]
    odd_positions: Vec<i64>,
}

pub(super) async fn settle(
    shared: &Shared,
    writer: WriterId,
    seq: u64,
) -> Result<Settled, Unavailable> {
    let now = shared.now();
    let asked = i64::try_from(seq).unwrap_or(i64::MAX);
    shared
        .appending
        .ask(move |connection, generation| {
            Box::pin(async move {
                let settled = diesel::select(journal_settle(writer.0, asked, now));
                let Some(id) = the_one::<Option<i64>>(settled.load(connection).await)? else {
                    return Ok(Settled::Never);
                };
                let row = diesel::sql_query(ROW).bind::<BigInt, _>(id).bind::<BigInt, _>(asked);
                let row: Option<Row> = row.get_result(connection).await.optional()?;
                let lost = "the batch was committed too long ago to say how";
                let row =
                    row.ok_or_else(|| diesel::result::Error::QueryBuilderError(lost.into()))?;
                row.results(&generation).map(Settled::Happened).ok_or_else(|| {
                    diesel::result::Error::DeserializationError("a feed row can't be read".into())
                })
            })
        })
        .await
}

impl Row {
    /// What became of each append. Offsets of new ones are not written: they end at their channel's top.
    fn results(&self, generation: &str) -> Option<Vec<Appended>> {
        let mut verdicts: Vec<Option<Verdict>> = vec![None; self.heads.len()];
        let odd = self.odd_ordinals.iter().zip(&self.odd_kinds).zip(&self.odd_positions);
        for ((ordinal, kind), offset) in odd {
            let verdict = match kind {
                1 => Verdict::Duplicate(*offset as u64),
                2 => Verdict::KeyReused,
                3 => Verdict::Superseded(*offset as u64),
                _ => return None,
            };
            *verdicts.get_mut(usize::try_from(*ordinal).ok()?)? = Some(verdict);
        }
        let mut next = self.tops.clone();
        for (head, verdict) in self.heads.iter().zip(&mut verdicts).rev() {
            if verdict.is_none() {
                let next = next.get_mut(usize::try_from(*head).ok()?.checked_sub(1)?)?;
                *verdict = Some(Verdict::New(u64::try_from(*next).ok()?));
                *next -= 1;
            }
        }
        let result = |(head, verdict): (&i32, Option<Verdict>)| {
            let life = self.lives.get(usize::try_from(*head).ok()?.checked_sub(1)?)?;
            Some(position(verdict?, numbering::epoch(generation, *life as u64)))
        };
        self.heads.iter().zip(verdicts).map(result).collect()
    }
}

/// A verdict under its epoch.
pub(super) fn position(verdict: Verdict, epoch: Epoch) -> Appended {
    match verdict {
        Verdict::New(offset) => Appended::New(Position { epoch, offset }),
        Verdict::Duplicate(offset) => Appended::Duplicate(Position { epoch, offset }),
        Verdict::KeyReused => Appended::KeyReused,
        Verdict::Superseded(offset) => Appended::Superseded(Position { epoch, offset }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_row_says_what_its_batch_did() {
        let row = Row {
            tops: vec![300, 0],
            lives: vec![1, 2],
            heads: vec![1, 2, 1, 1, 1, 2],
            odd_ordinals: vec![1, 3, 5],
            odd_kinds: vec![3, 1, 2],
            odd_positions: vec![7, 5, 4],
        };
        let at = |life, offset| Position { epoch: numbering::epoch("g", life), offset };
        let expected = [
            Appended::New(at(1, 298)),
            Appended::Superseded(at(2, 7)),
            Appended::New(at(1, 299)),
            Appended::Duplicate(at(1, 5)),
            Appended::New(at(1, 300)),
            Appended::KeyReused,
        ];
        assert_eq!(row.results("g").unwrap(), expected);
    }

    #[test]
    fn a_damaged_row_is_refused() {
        let good = Row { tops: vec![1], lives: vec![0], heads: vec![1], ..Row::default() };
        assert!(good.results("g").is_some());
        assert!(Row { heads: vec![0], ..good.clone() }.results("g").is_none());
        assert!(Row { heads: vec![2], ..good.clone() }.results("g").is_none());
        assert!(Row { lives: vec![], ..good.clone() }.results("g").is_none());
        let odd = Row { odd_ordinals: vec![3], odd_kinds: vec![1], odd_positions: vec![1], ..good };
        assert!(odd.results("g").is_none());
    }
}
