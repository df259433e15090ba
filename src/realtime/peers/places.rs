//! Which notes of the feed each run has read: how a node knows that all others have done what it asked.
//!
//! A note stands at (writer, seq). A run's writers follow one another, and each beats on: whoever has read a note of a
//! run has read all that it noted before.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{NodeId, Peers};
use crate::ids::WriterId;

/// Writers of this run that are remembered: it takes another after each unknown commit.
const WRITERS: usize = 64;

/// Where a note stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub writer: WriterId,
    pub seq: u64,
}

fn write<S: Serializer>(writer: &WriterId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&writer.0.hyphenated())
}

fn read<'de, D: Deserializer<'de>>(from: D) -> Result<WriterId, D::Error> {
    let text = String::deserialize(from)?;
    uuid::Uuid::try_parse(&text).map(WriterId).map_err(|_| D::Error::custom("expected a UUID"))
}

/// What was read here.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Up to where all that a run noted was done.
    passed: BTreeMap<NodeId, Place>,
    /// Read in a look that has not come to its end.
    reading: BTreeMap<NodeId, Place>,
    /// Writers of this run, in their order.
    mine: VecDeque<WriterId>,
}

impl Places {
    /// All that was begun is done.
    pub fn pass(&mut self) {
        self.passed.append(&mut self.reading);
    }

    pub fn passed(&self) -> &BTreeMap<NodeId, Place> {
        &self.passed
    }

    pub fn forget(&mut self, run: NodeId) {
        self.passed.remove(&run);
        self.reading.remove(&run);
    }

    /// Whether someone who stands at `at` has read this run's note at `place`.
    fn reaches(&self, at: Option<&Place>, place: Place) -> bool {
        let Some(at) = at else { return false };
        let order = |writer| self.mine.iter().position(|mine| *mine == writer);
        match (order(at.writer), order(place.writer)) {
            _ if at.writer == place.writer => at.seq >= place.seq,
            (Some(at), Some(place)) => at > place,
            _ => false,
        }
    }
}

impl Peers {
    /// A note of a run is being read: what it says is done when the look [comes to its end](Peers::read).
    pub fn noted(&mut self, run: NodeId, place: Place) {
        self.places.reading.insert(run, place);
    }

    /// This run notes something under that writer.
    pub fn writes(&mut self, writer: WriterId) {
        let mine = &mut self.places.mine;
        if !mine.contains(&writer) {
            mine.push_back(writer);
        }
        if mine.len() > WRITERS {
            mine.pop_front();
        }
    }

    /// Live runs, this one included, that have not done yet what this run noted at that place.
    pub fn lagging(&self, place: Place) -> usize {
        let me = usize::from(!self.places.reaches(self.places.passed.get(&self.me), place));
        let reaches = |beat: &super::Beat| self.places.reaches(beat.passed.get(&self.me), place);
        me + self.runs.values().filter(|run| !reaches(&run.beat)).count()
    }

    /// Live runs, this one included.
    pub fn count(&self) -> usize {
        self.runs.len() + 1
    }

    /// The other live runs.
    pub fn others(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.runs.keys().copied()
    }
}
