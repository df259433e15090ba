//! A journal that lives and dies with the process: for streams that need no disk, and for tests.
//!
//! Its generation is drawn anew each time, so that every client learns that a restart forgot. What it
//! holds is bounded by retention: what an append pushes out is gone at once, what grows too old goes
//! with [`Journal::trim`].

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{
    Append, AppendError, Appended, Batch, Changes, Clock, Cursor, FEED_PAGE, Journal, Noted, Page,
    Pending, Range, RetentionOf, Settled, Trimmed, Unavailable, WriterId,
    numbering::{self, Digest, FEED_TTL, KEY_TTL, Known, Verdict},
    system_clock,
};
use crate::{ids::Channel, protocol::Position};

mod stream;

use stream::Stream;

/// Batches of each writer that the feed keeps, at most: it serves readers of this process only, and
/// who is further behind compares its channels.
const FEED_ROWS: usize = 256;

/// Channels that one step of trimming looks at: a few hundred microseconds under the lock.
const TRIM_STEP: usize = 1_000;

/// Streams in memory. See the module.
pub struct MemoryJournal {
    state: Mutex<State>,
    retention: RetentionOf,
    clock: Clock,
}

#[derive(Default)]
struct State {
    generation: Arc<str>,
    streams: BTreeMap<Channel, Stream>,
    lives: HashMap<u64, u64>,
    keys: HashMap<(Channel, Digest), Known>,
    /// Keys by age, for trimming: the oldest first.
    key_ages: VecDeque<(u64, Channel, Digest)>,
    writers: BTreeMap<WriterId, Writer>,
    /// The last channel that trimming looked at.
    trimmed_to: Option<Channel>,
}

#[derive(Default)]
struct Writer {
    seq: u64,
    closed: bool,
    rows: VecDeque<FeedRow>,
}

struct FeedRow {
    seq: u64,
    at: u64,
    results: Vec<Appended>,
    heads: Vec<(Channel, u64)>,
    notes: Vec<Bytes>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new(retention: RetentionOf) -> Self {
        Self::with_clock(retention, system_clock())
    }

    /// The same by another clock.
    pub fn with_clock(retention: RetentionOf, clock: Clock) -> Self {
        let state = State { generation: numbering::new_generation().into(), ..State::default() };
        Self { state: Mutex::new(state), retention, clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed when it panics: each decides first and then writes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>> {
        let result = self.state().append(batch, &self.retention, (self.clock)());
        Box::pin(std::future::ready(result.map_err(AppendError::Refused)))
    }

    fn read(&self, channel: &Channel, range: Range) -> Pending<'_, Result<Page, Unavailable>> {
        let page = self.state().read(channel, range, &self.retention, (self.clock)());
        Box::pin(std::future::ready(Ok(page)))
    }

    fn changes(&self, cursor: Cursor) -> Pending<'_, Result<Changes, Unavailable>> {
        let changes = self.state().changes(cursor);
        Box::pin(std::future::ready(Ok(changes)))
    }

    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>> {
        let cursor = self.state().writers.iter().map(|(id, writer)| (*id, writer.seq)).collect();
        Box::pin(std::future::ready(Ok(Cursor(cursor))))
    }

    fn heads(&self, channels: Vec<Channel>) -> Pending<'_, Result<Vec<Position>, Unavailable>> {
        let state = self.state();
        let heads = channels.iter().map(|channel| state.head(channel)).collect();
        Box::pin(std::future::ready(Ok(heads)))
    }

    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>> {
        let settled = self.state().settle(writer, seq);
        Box::pin(std::future::ready(settled))
    }

    fn remove(&self, channel: &Channel) -> Pending<'_, Result<(), Unavailable>> {
        if let Some(stream) = self.state().streams.get_mut(&**channel) {
            stream.kept.clear();
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>> {
        let trimmed = self.state().trim(&self.retention, (self.clock)());
        Box::pin(std::future::ready(Ok(trimmed)))
    }
}

impl State {
    fn append(
        &mut self,
        batch: Batch,
        retention: &RetentionOf,
        now: u64,
    ) -> Result<Vec<Appended>, String> {
        let writer = self.writers.entry(batch.writer).or_default();
        if writer.closed {
            return Err("this writer was closed".into());
        }
        if batch.seq != writer.seq + 1 {
            return Err(format!("batch {} of a writer came after {}", batch.seq, writer.seq));
        }
        let mut heads = BTreeMap::new();
        let mut results = Vec::with_capacity(batch.appends.len());
        for append in &batch.appends {
            let result = self.append_one(append, retention, now);
            if let Appended::New(position) = &result {
                heads.insert(append.channel.clone(), position.offset);
            }
            results.push(result);
        }
        let writer = self.writers.entry(batch.writer).or_default();
        writer.seq = batch.seq;
        let heads = heads.into_iter().collect();
        let (seq, at, notes) = (batch.seq, now, batch.notes);
        writer.rows.push_back(FeedRow { seq, at, results: results.clone(), heads, notes });
        if writer.rows.len() > FEED_ROWS {
            writer.rows.pop_front();
        }
        Ok(results)
    }

    fn append_one(&mut self, append: &Append, retention: &RetentionOf, now: u64) -> Appended {
        let key = append.key.as_ref().map(numbering::digest_of_key);
        let known = key.and_then(|key| self.keys.get(&(append.channel.clone(), key)).copied());
        let stream = match self.streams.entry(append.channel.clone()) {
            std::collections::btree_map::Entry::Occupied(stream) => stream.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let life = self.lives.get(&numbering::slot(&append.channel)).copied().unwrap_or(0);
                place.insert(Stream::new(numbering::epoch(&self.generation, life), life))
            }
        };
        let at = |offset| Position { epoch: stream.epoch.clone(), offset };
        let verdict = numbering::judge(&mut stream.head, known, append, now);
        let result = match verdict {
            Verdict::New(offset) => Appended::New(at(offset)),
            Verdict::Duplicate(offset) => Appended::Duplicate(at(offset)),
            Verdict::KeyReused => Appended::KeyReused,
            Verdict::Superseded(top) => Appended::Superseded(at(top)),
        };
        if let Verdict::New(offset) = verdict {
            stream.push(offset, &append.publication, now);
            stream.expire(&retention(&append.channel), now);
            if let Some(key) = key {
                let data = numbering::digest_of_data(&append.publication);
                let known = Known { data, offset, at: now };
                self.keys.insert((append.channel.clone(), key), known);
                self.key_ages.push_back((now, append.channel.clone(), key));
            }
        }
        result
    }

    fn read(&self, channel: &Channel, range: Range, retention: &RetentionOf, now: u64) -> Page {
        let Some(stream) = self.streams.get(&**channel) else {
            let Position { epoch, offset: top } = self.head(channel);
            return Page { epoch, top, publications: Vec::new() };
        };
        let window = range.window(stream.floor(&retention(channel), now), stream.head.top);
        let mut budget = range.budget();
        let mut publications = Vec::new();
        let mut take = |offset: u64| {
            let (_, publication) = &stream.kept[stream.index(offset)];
            let fits = budget.takes(publication.data.len());
            if fits {
                publications.push(publication.clone());
            }
            fits
        };
        if range.ascends() {
            (window.first..=window.last).all(&mut take);
        } else {
            (window.first..=window.last).rev().all(&mut take);
        }
        Page { epoch: stream.epoch.clone(), top: stream.head.top, publications }
    }

    fn head(&self, channel: &Channel) -> Position {
        match self.streams.get(&**channel) {
            Some(stream) => Position { epoch: stream.epoch.clone(), offset: stream.head.top },
            None => {
                let life = self.lives.get(&numbering::slot(channel)).copied().unwrap_or(0);
                Position { epoch: numbering::epoch(&self.generation, life), offset: 0 }
            }
        }
    }

    fn changes(&self, mut cursor: Cursor) -> Changes {
        let mut heads = BTreeMap::new();
        let mut notes = Vec::new();
        let mut hole = false;
        for (&id, writer) in &self.writers {
            let seen = cursor.0.get(&id).copied().unwrap_or(0);
            let oldest = writer.rows.front().map_or(writer.seq + 1, |row| row.seq);
            hole |= seen < writer.seq && oldest > seen + 1;
            let mut last = if writer.rows.is_empty() { writer.seq } else { seen };
            for row in writer.rows.iter().filter(|row| row.seq > seen).take(FEED_PAGE) {
                heads.extend(row.heads.iter().cloned());
                let noted = |note: &Bytes| Noted { writer: id, seq: row.seq, note: note.clone() };
                notes.extend(row.notes.iter().map(noted));
                last = row.seq;
            }
            cursor.0.insert(id, last.max(seen));
        }
        cursor.0.retain(|id, _| self.writers.contains_key(id));
        let heads = heads.into_keys().filter(|channel| self.streams.contains_key(&**channel));
        let heads = heads.map(|channel| {
            let position = self.head(&channel);
            (channel, position)
        });
        let generation = self.generation.clone();
        Changes { heads: heads.collect(), notes, cursor, generation, hole }
    }

    fn settle(&mut self, id: WriterId, seq: u64) -> Result<Settled, Unavailable> {
        let writer = self.writers.entry(id).or_default();
        if seq > writer.seq {
            writer.closed = true;
            return Ok(Settled::Never);
        }
        match writer.rows.iter().find(|row| row.seq == seq) {
            Some(row) => Ok(Settled::Happened(row.results.clone())),
            None => Err(Unavailable("the batch was committed too long ago to say how".into())),
        }
    }

    fn trim(&mut self, retention: &RetentionOf, now: u64) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let from = self.trimmed_to.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut forgotten = Vec::new();
        let mut looked_at = 0;
        for (channel, stream) in self.streams.range_mut((from, Bound::Unbounded)).take(TRIM_STEP) {
            let retention = retention(channel);
            trimmed.publications += stream.expire(&retention, now);
            if stream.kept.is_empty()
                && numbering::is_forgotten(stream.published_at, &retention, now)
            {
                forgotten.push(channel.clone());
            }
            looked_at += 1;
            self.trimmed_to = Some(channel.clone());
        }
        trimmed.more = looked_at == TRIM_STEP;
        if !trimmed.more {
            self.trimmed_to = None;
        }
        for channel in forgotten {
            if let Some(stream) = self.streams.remove(&channel) {
                let next = self.lives.entry(numbering::slot(&channel)).or_default();
                *next = (*next).max(stream.life + 1);
            }
        }
        self.forget_keys_and_feed(now);
        trimmed
    }

    fn forget_keys_and_feed(&mut self, now: u64) {
        while self.key_ages.front().is_some_and(|(at, ..)| at + KEY_TTL <= now) {
            if let Some((at, channel, key)) = self.key_ages.pop_front() {
                let name = (channel, key);
                // It may have been used anew since.
                if self.keys.get(&name).is_some_and(|known| known.at == at) {
                    self.keys.remove(&name);
                }
            }
        }
        for writer in self.writers.values_mut() {
            while writer.rows.front().is_some_and(|row| row.at + FEED_TTL <= now) {
                writer.rows.pop_front();
            }
        }
    }
}
