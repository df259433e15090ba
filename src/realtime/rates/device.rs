//! What one connection has taken, and whether it knocks on although it was told to wait. Pure.

use super::{
    What,
    bucket::{Bucket, Limit, Micros, TOKEN},
};

/// Refused commands that are borne, in bursts of the limit that refuses them.
const PATIENCE: u64 = 10;

/// The buckets of a connection, inline: 48 bytes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Device {
    commands: Bucket,
    publishes: Bucket,
    /// Commands that were refused.
    refused: Bucket,
}

impl Device {
    /// The bucket of a kind; none for what a connection does only once.
    pub(super) fn bucket(&mut self, what: What) -> Option<&mut Bucket> {
        match what {
            What::Command => Some(&mut self.commands),
            What::Publish => Some(&mut self.publishes),
            What::Connect => None,
        }
    }

    /// Takes one of each.
    pub(super) fn spend(&mut self, all: &[What]) {
        for what in all {
            if let Some(bucket) = self.bucket(*what) {
                bucket.add(TOKEN);
            }
        }
    }

    /// One more was refused, by that limit. True when it is enough: ten bursts more than its rate would have allowed.
    pub(super) fn knocks_on(&mut self, limit: Limit, now: Micros) -> bool {
        self.refused.take(limit.times(PATIENCE), now).is_err()
    }
}
