//! What one batch writes: numbered in the order it came, written in the order the disk likes.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    fault::Faults,
    feed::{self, Body},
    heads::{Heads, Lane, MAX_CHANNEL, MAX_OFFSET, Standing, next_life, row_id},
    rows::NewPublication,
    schema::{journal_channels, journal_feed, journal_keys, journal_publications},
};
use crate::{
    ids::Channel,
    platform::mutant::mutant,
    protocol::Position,
    realtime::journal::{
        Append, Appended, Batch,
        numbering::{self, Digest, Head, Known, Verdict},
    },
};

/// Why a batch goes no further.
#[derive(Debug)]
pub(super) enum Stop {
    Query(diesel::result::Error),
    Refused(String),
}

impl From<diesel::result::Error> for Stop {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Query(error) => error.fmt(f),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// What to remember once the batch is committed.
#[derive(Clone)]
pub(super) struct Outcome {
    pub results: Vec<Appended>,
    heads: Vec<(Channel, Standing)>,
    lane: Lane,
    next_channel: Option<i64>,
}

impl Outcome {
    /// Remembers it. Only after the commit.
    pub fn remember(self, batch: &Batch, heads: &mut Heads) -> Vec<Appended> {
        for (channel, standing) in self.heads {
            heads.moved(channel, standing);
        }
        heads.given(self.next_channel);
        heads.wrote(batch.writer, Lane { id: self.lane.id, seq: batch.seq });
        self.results
    }
}

/// One channel of the batch.
struct Draft {
    channel: Channel,
    standing: Standing,
    /// It has no row yet; which life it begins.
    begins: Option<u64>,
    versioned: bool,
}

/// Works a batch into the open transaction of `connection`.
pub(super) struct Work<'a> {
    pub connection: &'a mut SqliteConnection,
    pub heads: &'a Heads,
    pub generation: &'a str,
    pub now: u64,
    pub faults: &'a Faults,
}

impl Work<'_> {
    pub fn append(mut self, batch: &Batch) -> Result<Outcome, Stop> {
        let lane = self.lane(batch)?;
        let mut drafts: Vec<Draft> = Vec::new();
        let mut by_name: HashMap<&Channel, usize> = HashMap::new();
        let mut next_channel = None;
        let mut keys: HashMap<(usize, Digest), Known> = HashMap::new();
        let mut body = Body { notes: batch.notes.clone(), ..Body::default() };
        for append in &batch.appends {
            let index = match by_name.get(&append.channel) {
                Some(index) => *index,
                None => {
                    drafts.push(self.draft(&append.channel, &mut next_channel)?);
                    by_name.insert(&append.channel, drafts.len() - 1);
                    drafts.len() - 1
                }
            };
            let draft = &mut drafts[index];
            let key = append.key.as_ref().map(numbering::digest_of_key);
            let known = match key {
                None => None,
                Some(key) => match keys.get(&(index, key)) {
                    Some(known) => Some(*known),
                    None => self.known(draft, key)?,
                },
            };
            let verdict = numbering::judge(&mut draft.standing.head, known, append, self.now);
            if let Verdict::New(offset) = verdict {
                if offset >= MAX_OFFSET {
                    return Err(Stop::Refused("a channel is full: use another one".into()));
                }
                draft.versioned |= append.version.is_some();
                if let Some(key) = key {
                    let data = numbering::digest_of_data(&append.publication);
                    keys.insert((index, key), Known { data, offset, at: self.now });
                }
            }
            body.results.push((index, verdict));
        }
        for draft in &mut drafts {
            // Times never fall within a channel, or retention by age would tear holes into it.
            draft.standing.at = draft.standing.at.max(self.now);
        }
        body.heads = drafts.iter().map(|d| (d.standing.id, d.standing.head.top)).collect();
        self.write_channels(&drafts)?;
        self.write_publications(&drafts, &body, &batch.appends)?;
        self.write_keys(&drafts, keys)?;
        self.write_feed(lane, batch.seq, &body)?;
        if mutant!(ResultsByIndex) {
            body.results.sort_by_key(|(index, _)| *index);
        }
        let results = results(&drafts, &body);
        let heads = drafts.into_iter().map(|draft| (draft.channel, draft.standing)).collect();
        Ok(Outcome { results, heads, lane, next_channel })
    }

    fn lane(&mut self, batch: &Batch) -> Result<Lane, Stop> {
        self.faults.at("writer")?;
        let lane = match self.heads.lane(self.connection, batch.writer)? {
            Some((_, true)) => return Err(Stop::Refused("this writer was closed".into())),
            Some((lane, false)) => lane,
            None => feed::open_lane(self.connection, batch.writer, self.now, false)?,
        };
        if batch.seq != lane.seq + 1 || batch.seq >= MAX_OFFSET || lane.id > MAX_CHANNEL {
            let why = format!("batch {} of a writer came after {}", batch.seq, lane.seq);
            return Err(Stop::Refused(why));
        }
        Ok(lane)
    }

    fn draft(&mut self, channel: &Channel, next: &mut Option<i64>) -> Result<Draft, Stop> {
        self.faults.at("head")?;
        let channel = channel.clone();
        if let Some(standing) = self.heads.find(self.connection, self.generation, &channel)? {
            return Ok(Draft { channel, standing, begins: None, versioned: false });
        }
        let id = match *next {
            Some(id) => id,
            None => self.heads.next_channel(self.connection)?,
        };
        if id > MAX_CHANNEL {
            return Err(Stop::Refused("the journal has no room for another channel".into()));
        }
        *next = Some(id + 1);
        let life = next_life(self.connection, &channel)?;
        let epoch = numbering::epoch(self.generation, life);
        let standing = Standing { id, epoch, head: Head::default(), at: 0 };
        Ok(Draft { channel, standing, begins: Some(life), versioned: false })
    }

    fn known(&mut self, draft: &Draft, key: Digest) -> Result<Option<Known>, Stop> {
        if draft.begins.is_some() {
            return Ok(None);
        }
        self.faults.at("key")?;
        use journal_keys as k;
        let row: Option<(Vec<u8>, i64, i64)> = k::table
            .find((draft.standing.id, key.as_slice()))
            .select((k::data, k::position, k::at))
            .first(self.connection)
            .optional()?;
        Ok(row.map(|(data, offset, at)| {
            let data = Digest::try_from(data).unwrap_or_default();
            Known { data, offset: offset as u64, at: at as u64 }
        }))
    }

    fn write_channels(&mut self, drafts: &[Draft]) -> Result<(), Stop> {
        use journal_channels as c;
        for draft in drafts {
            let version = draft.standing.head.version.as_ref();
            let number = version.map(|version| version.number as i64);
            let epoch = version.map(|version| version.epoch.as_str());
            if let Some(life) = draft.begins {
                self.faults.at("channel")?;
                diesel::insert_into(c::table)
                    .values((
                        c::id.eq(draft.standing.id),
                        c::name.eq(&*draft.channel),
                        c::life.eq(life as i64),
                        c::top.eq(0),
                        c::removed.eq(0),
                        c::published_at.eq(self.now as i64),
                        c::version_number.eq(number),
                        c::version_epoch.eq(epoch),
                    ))
                    .execute(self.connection)?;
            } else if draft.versioned {
                self.faults.at("version")?;
                diesel::update(c::table.find(draft.standing.id))
                    .set((c::version_number.eq(number), c::version_epoch.eq(epoch)))
                    .execute(self.connection)?;
            }
        }
        Ok(())
    }

    /// In the order of their ids: each page of the table is met once.
    fn write_publications(
        &mut self,
        drafts: &[Draft],
        body: &Body,
        appends: &[Append],
    ) -> Result<(), Stop> {
        let mut rows = Vec::with_capacity(appends.len());
        for ((index, verdict), append) in body.results.iter().zip(appends) {
            if let Verdict::New(offset) = verdict {
                let standing = &drafts[*index].standing;
                rows.push((row_id(standing.id, *offset), standing.at, &append.publication));
            }
        }
        rows.sort_unstable_by_key(|(id, ..)| *id);
        for (id, at, publication) in rows {
            let insert = diesel::insert_into(journal_publications::table)
                .values(NewPublication::of(id, at, publication));
            let inserted =
                self.faults.at("publication").and_then(|()| insert.execute(self.connection));
            if !mutant!(BatchGoesOnAfterAnError) {
                inserted?;
            }
        }
        Ok(())
    }

    fn write_keys(
        &mut self,
        drafts: &[Draft],
        keys: HashMap<(usize, Digest), Known>,
    ) -> Result<(), Stop> {
        use journal_keys as k;
        let mut keys: Vec<_> = keys
            .into_iter()
            .map(|((index, key), known)| (drafts[index].standing.id, key, known))
            .collect();
        keys.sort_unstable_by_key(|(channel, key, _)| (*channel, *key));
        for (channel, key, known) in keys {
            self.faults.at("key.written")?;
            diesel::replace_into(k::table)
                .values((
                    k::channel.eq(channel),
                    k::who.eq(key.as_slice()),
                    k::data.eq(known.data.as_slice()),
                    k::position.eq(known.offset as i64),
                    k::at.eq(known.at as i64),
                ))
                .execute(self.connection)?;
        }
        Ok(())
    }

    fn write_feed(&mut self, lane: Lane, seq: u64, body: &Body) -> Result<(), Stop> {
        use journal_feed as f;
        self.faults.at("feed")?;
        diesel::insert_into(f::table)
            .values((
                f::id.eq(row_id(lane.id, seq)),
                f::at.eq(self.now as i64),
                f::body.eq(body.encode()),
            ))
            .execute(self.connection)?;
        Ok(())
    }
}

fn results(drafts: &[Draft], body: &Body) -> Vec<Appended> {
    let result = |(index, verdict): &(usize, Verdict)| {
        let at = |offset| Position { epoch: drafts[*index].standing.epoch.clone(), offset };
        match *verdict {
            Verdict::New(offset) => Appended::New(at(offset)),
            Verdict::Duplicate(offset) => Appended::Duplicate(at(offset)),
            Verdict::KeyReused => Appended::KeyReused,
            Verdict::Superseded(top) => Appended::Superseded(at(top)),
        }
    };
    body.results.iter().map(result).collect()
}
