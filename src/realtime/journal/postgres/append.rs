//! A batch on its way: one call of a function in the database, which commits by itself.
//!
//! No lock is held while a node thinks, and there is no COMMIT that could be left out.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use deadpool::managed::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::timeout;

use super::{Shared, text};
use crate::{
    platform::postgres::the_one,
    realtime::journal::{
        AppendError, Appended, Batch,
        columns::Columns,
        numbering::{self, Digest, Verdict},
        postgres::settle::position,
    },
};

use call::journal_append;

/// A batch has its answer after this time, with the wait for a connection: below the writer's patience
/// (5 s), so that the connection is gone before the fate of the batch is asked for.
const COMMIT: Duration = Duration::from_millis(4_500);

#[allow(clippy::too_many_arguments, reason = "a column of the batch each")]
mod call {
    use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, Text, Uuid};

    diesel::define_sql_function! {
        /// `migrations/postgres` says what it takes and gives.
        #[sql_name = "journal_append_v1"]
        fn journal_append(
            writer: Uuid, seq: BigInt, now: Nullable<BigInt>, names: Array<Text>, heads: Array<Integer>,
            keys: Array<Nullable<Binary>>, digests: Array<Nullable<Binary>>,
            version_numbers: Array<Nullable<BigInt>>, version_epochs: Array<Nullable<Text>>,
            flags: Array<Integer>, data: Array<Binary>, users: Array<Nullable<Text>>,
            clients: Array<Nullable<Text>>, conn_infos: Array<Nullable<Binary>>,
            chan_infos: Array<Nullable<Binary>>, tags: Array<Nullable<Text>>,
            notes: Array<Binary>,
        ) -> Array<BigInt>;
    }
}

/// Numbers that the function returns for each append.
const WIDTH: usize = 4;

pub(super) async fn append(shared: &Shared, batch: Batch) -> Result<Vec<Appended>, AppendError> {
    let deadline = Instant::now() + COMMIT;
    let Ok(seq) = i64::try_from(batch.seq) else {
        return Err(AppendError::Refused("a batch out of turn".into()));
    };
    let mut lease = shared.appending.get().await.map_err(AppendError::Refused)?;
    // What was said of earlier statements is of no matter.
    lease.link.take_warning();
    let columns = Arrays::of(&batch);
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(AppendError::Refused("there was no connection in time; try again".into()));
    }
    let asked = columns.send(lease.link.query(), batch.writer.0, seq, shared.now());
    let why = match timeout(left, asked).await {
        Ok(Ok(numbers)) if !lease.link.take_warning() => {
            let results = results(&numbers, batch.appends.len(), &lease.generation);
            return results.ok_or_else(|| {
                drop(Object::take(lease));
                AppendError::Unknown("the database answered something else".into())
            });
        }
        Ok(Ok(_)) => AppendError::Unknown("the database warned with the commit".into()),
        Ok(Err(error)) => {
            let why = format!("the database refused it: {error}");
            match lease.link.has_given_up(&error, &shared.options).await {
                true => AppendError::Refused(why),
                false => AppendError::Unknown(why),
            }
        }
        Err(_) => AppendError::Unknown("the database did not answer in time".into()),
    };
    // Whatever the error says.
    drop(Object::take(lease));
    Err(why)
}

/// The batch by columns, as the function takes it.
#[derive(Default)]
pub(super) struct Arrays<'a> {
    names: Vec<&'a str>,
    heads: Vec<i32>,
    keys: Vec<Option<Digest>>,
    digests: Vec<Option<Digest>>,
    version_numbers: Vec<Option<i64>>,
    version_epochs: Vec<Option<Cow<'a, str>>>,
    flags: Vec<i32>,
    data: Vec<&'a [u8]>,
    users: Vec<Option<Cow<'a, str>>>,
    clients: Vec<Option<Cow<'a, str>>>,
    conn_infos: Vec<Option<&'a [u8]>>,
    chan_infos: Vec<Option<&'a [u8]>>,
    tags: Vec<Option<String>>,
    notes: Vec<&'a [u8]>,
}

impl<'a> Arrays<'a> {
    pub fn of(batch: &'a Batch) -> Self {
        let appends = &batch.appends;
        // In the order of their bytes, from 1: the order in which the database locks them.
        let mut places: BTreeMap<&str, i32> =
            appends.iter().map(|append| (append.channel.as_str(), 0)).collect();
        for (place, n) in places.values_mut().zip(1..) {
            *place = n;
        }
        let mut arrays = Self {
            names: places.keys().copied().collect(),
            notes: batch.notes.iter().map(|note| &note[..]).collect(),
            ..Self::default()
        };
        for append in appends {
            let version = append.version.as_ref();
            let key = append.key.as_ref();
            arrays.heads.extend(places.get(append.channel.as_str()));
            arrays.keys.push(key.map(numbering::digest_of_key));
            arrays.digests.push(key.map(|_| numbering::digest_of_data(&append.publication)));
            arrays.version_numbers.push(version.map(|version| ordered(version.number)));
            arrays.version_epochs.push(version.map(|version| text::stored(&version.epoch)));
            let columns = Columns::of(&append.publication);
            arrays.flags.push(columns.flags);
            arrays.data.push(columns.data);
            arrays.users.push(columns.user.map(text::stored));
            arrays.clients.push(columns.client.map(text::stored));
            arrays.conn_infos.push(columns.conn_info);
            arrays.chan_infos.push(columns.chan_info);
            arrays.tags.push(columns.tags);
        }
        arrays
    }

    pub async fn send(
        &self,
        connection: &mut AsyncPgConnection,
        writer: uuid::Uuid,
        seq: i64,
        now: Option<i64>,
    ) -> diesel::QueryResult<Vec<i64>> {
        let call = diesel::select(journal_append(
            writer,
            seq,
            now,
            &self.names,
            &self.heads,
            bytes(&self.keys),
            bytes(&self.digests),
            &self.version_numbers,
            &self.version_epochs,
            &self.flags,
            &self.data,
            &self.users,
            &self.clients,
            &self.conn_infos,
            &self.chan_infos,
            &self.tags,
            &self.notes,
        ));
        the_one(call.load(connection).await)
    }
}

fn bytes(digests: &[Option<Digest>]) -> Vec<Option<&[u8]>> {
    digests.iter().map(|digest| digest.as_ref().map(|digest| &digest[..])).collect()
}

/// A signed number in the place of an unsigned one, in the same order.
fn ordered(number: u64) -> i64 {
    (number ^ 1 << 63) as i64
}

/// What became of each append, by its number; none if one is left out or not understood.
pub(super) fn results(numbers: &[i64], appends: usize, generation: &str) -> Option<Vec<Appended>> {
    let mut results: Vec<Option<Appended>> = vec![None; appends];
    for row in numbers.chunks(WIDTH) {
        let [ordinal, kind, offset, life] = *row else { return None };
        let offset = offset as u64;
        let verdict = match kind {
            0 => Verdict::New(offset),
            1 => Verdict::Duplicate(offset),
            2 => Verdict::KeyReused,
            3 => Verdict::Superseded(offset),
            _ => return None,
        };
        let epoch = numbering::epoch(generation, life as u64);
        *results.get_mut(usize::try_from(ordinal).ok()?)? = Some(position(verdict, epoch));
    }
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_keep_their_order_as_signed_numbers() {
        let numbers = [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];
        assert!(numbers.is_sorted_by(|a, b| ordered(*a) < ordered(*b)));
    }

    #[test]
    fn results_are_told_by_their_number_and_never_by_their_place() {
        let numbers = [1, 1, 7, 2, 0, 0, 9, 3];
        let results = results(&numbers, 2, "g").unwrap();
        let at =
            |life, offset| crate::protocol::Position { epoch: numbering::epoch("g", life), offset };
        assert_eq!(results, [Appended::New(at(3, 9)), Appended::Duplicate(at(2, 7))]);
    }

    #[test]
    fn an_append_without_a_result_is_not_taken_for_done() {
        for (numbers, appends) in
            [(&[0, 0, 1, 0][..], 2), (&[0, 0, 1], 1), (&[1, 0, 1, 0], 1), (&[0, 9, 1, 0], 1)]
        {
            assert_eq!(results(numbers, appends, "g"), None, "{numbers:?}");
        }
    }
}
