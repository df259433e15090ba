//! What was said, in order: the trait that every store of publications implements, and its contract.
//!
//! A channel's history is a run of publications with offsets 1, 2, 3, ... under one [`Epoch`]. What
//! [`Journal::append`] reports as committed is never lost and never changes its place.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    ids::Channel,
    protocol::{Epoch, Position, Publication},
};

mod columns;
mod complaint;
#[cfg(test)]
mod contract;
pub mod memory;
mod numbering;
mod paging;
pub mod postgres;
pub mod sqlite;
pub mod writer;

pub use crate::ids::WriterId;

/// A future that a journal hands out.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store of publications. All calls may be made from any thread.
pub trait Journal: Send + Sync + 'static {
    /// Commits a batch: all of it or nothing. Results come by ordinal.
    ///
    /// Batches of one writer are appended one after the other; its `seq` rises by 1 with each that is
    /// committed, any other is refused. After an error a writer goes on under a new [`WriterId`].
    /// Never retried by the journal itself; never cancelled by dropping the future.
    fn append(&self, batch: Batch) -> Pending<'_, Result<Vec<Appended>, AppendError>>;

    /// A page of one channel with its epoch and top, all from one snapshot.
    ///
    /// A channel in which nothing was ever published has epoch `<generation>.0` and top 0, and its first
    /// publication keeps that epoch. (Rarely it is another number than 0: when a channel whose name falls
    /// into the same slot was forgotten. All readers agree on it, and it never returns.)
    fn read(&self, channel: &Channel, range: Range) -> Pending<'_, Result<Page, Unavailable>>;

    /// Heads of the channels that were appended to since `cursor`, by any writer of this store, and the
    /// notes that came with these batches: those of a writer in the order of its batches.
    ///
    /// At most [`FEED_PAGE`] batches of each writer in one answer: who is far behind
    /// ([`Cursor::is_far_from`]) asks again.
    fn changes(&self, cursor: Cursor) -> Pending<'_, Result<Changes, Unavailable>>;

    /// Where the feed stands, in one snapshot: who begins here misses nothing that is committed after it.
    fn cursor(&self) -> Pending<'_, Result<Cursor, Unavailable>>;

    /// Where these channels stand, in their order and from one snapshot. At most [`HEADS_PAGE`] of them.
    fn heads(&self, channels: Vec<Channel>) -> Pending<'_, Result<Vec<Position>, Unavailable>>;

    /// Whether the batch (writer, seq) was committed. If it was not, the writer is closed for good,
    /// so that the batch can't appear later: it goes on under a new [`WriterId`].
    fn settle(&self, writer: WriterId, seq: u64) -> Pending<'_, Result<Settled, Unavailable>>;

    /// Forgets every publication of a channel; its epoch and top stay.
    fn remove(&self, channel: &Channel) -> Pending<'_, Result<(), Unavailable>>;

    /// One bounded step of retention: drops what is past its channel's [`Retention`], old idempotency
    /// keys and feed rows, and gives space back. Says whether there is more to do.
    fn trim(&self) -> Pending<'_, Result<Trimmed, Unavailable>>;
}

/// Batches of one writer in one answer of [`Journal::changes`], at most.
pub const FEED_PAGE: usize = 1_000;

/// Channels that one [`Journal::heads`] asks for, at most: a few milliseconds of the store.
pub const HEADS_PAGE: usize = 1_000;

/// Bytes of one note, at most: it is kept for ten minutes and read by every node.
pub const NOTE_BYTES: usize = 64 * 1024;

/// The store's clock: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, numbering::millis)
    })
}

/// How much of a channel is kept. Reads never show more than this, whatever trimming has got to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Publications, at most.
    pub size: u64,
    /// How long each is kept.
    pub ttl: Duration,
    /// How long epoch and top outlive the last publication.
    pub meta_ttl: Duration,
}

/// Tells a journal what to keep of a channel.
pub type RetentionOf = Arc<dyn Fn(&Channel) -> Retention + Send + Sync>;

/// What one commit holds.
#[derive(Clone, Debug)]
pub struct Batch {
    pub writer: WriterId,
    /// Starts at 1.
    pub seq: u64,
    pub appends: Vec<Append>,
    /// What the node says to all that follow the feed; the journal does not know what it means. A batch
    /// may hold nothing else.
    pub notes: Vec<Bytes>,
}

impl Batch {
    /// The only one of its writer.
    fn alone(appends: Vec<Append>) -> Self {
        Self { writer: WriterId(uuid::Uuid::new_v4()), seq: 1, appends, notes: Vec::new() }
    }
}

/// One publication to append.
#[derive(Clone, Debug)]
pub struct Append {
    pub channel: Channel,
    /// Its `offset` is ignored: the journal numbers.
    pub publication: Arc<Publication>,
    /// Makes retries happen once.
    pub key: Option<Key>,
    /// Makes older versions of the same thing be dropped.
    pub version: Option<Version>,
}

/// An idempotency key: known for at least 5 minutes per (channel, publisher).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The user's id, prefixed `user:`, or `api`.
    pub publisher: String,
    pub key: String,
}

/// A version of what a channel shows, for publishers that can't keep order themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Dropped if not greater than the one before it in the same `epoch`.
    pub number: u64,
    /// Versions of different epochs can't be compared: another one starts anew.
    pub epoch: String,
}

/// What became of one append of a committed batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It stands here now.
    New(Position),
    /// The same key and data were appended before, here.
    Duplicate(Position),
    /// The key was used for other data: nothing was appended.
    KeyReused,
    /// A newer version stands already: nothing was appended; the channel's top.
    Superseded(Position),
}

/// Why a batch has no results.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// Nothing of it was committed, nor will be.
    Refused(String),
    /// It may have been committed: ask [`Journal::settle`].
    Unknown(String),
}

/// What to read of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub direction: Direction,
    /// Publications, at most; 0 reads only epoch and top.
    pub limit: usize,
    /// Bytes of data, at most; the page ends before the publication that would pass it (but has at
    /// least one, unless `limit` is 0).
    pub max_bytes: usize,
}

/// Which way to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Offsets greater than this, ascending. 0: from the oldest kept.
    After(u64),
    /// Offsets smaller than this, descending. None: from the newest.
    Before(Option<u64>),
}

/// A page of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    pub epoch: Epoch,
    /// Offset of the newest publication ever appended under this epoch; 0 for none.
    pub top: u64,
    pub publications: Vec<Arc<Publication>>,
}

/// How far a reader of [`Journal::changes`] has come: the last seq of each writer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor(pub std::collections::BTreeMap<WriterId, u64>);

impl Cursor {
    /// Whether an answer that led from `before` to here may have left something out.
    pub fn is_far_from(&self, before: &Self) -> bool {
        let page = FEED_PAGE as u64;
        self.0.iter().any(|(id, seq)| seq - before.0.get(id).unwrap_or(&0).min(seq) >= page)
    }
}

/// Answer of [`Journal::changes`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Highest position of each channel that changed.
    pub heads: Vec<(Channel, Position)>,
    /// What came with the batches.
    pub notes: Vec<Noted>,
    pub cursor: Cursor,
    /// First half of every epoch. Another one than before: all positions of before mean nothing.
    pub generation: Arc<str>,
    /// Some rows between the cursor and now are gone: compare every channel.
    pub hole: bool,
}

/// A note and the batch that it came with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    pub writer: WriterId,
    pub seq: u64,
    pub note: Bytes,
}

/// Answer of [`Journal::settle`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The batch was committed; its results by ordinal.
    Happened(Vec<Appended>),
    /// It was not and never will be.
    Never,
}

/// Answer of [`Journal::trim`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trimmed {
    pub publications: u64,
    pub more: bool,
}

/// The store could not answer; the same call may succeed later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable(pub String);
