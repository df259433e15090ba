//! Which offset, epoch or refusal an append gets: the decisions that every store shares. Pure.

use sha2::{Digest as _, Sha256};

use super::{Append, Key, Retention, Version};
use crate::protocol::{Epoch, Publication};

/// How long a store knows an idempotency key, in milliseconds: 5 minutes as promised, and as much
/// again as a publisher's retry may spend on its way.
pub(super) const KEY_TTL: u64 = 6 * 60 * 1000;

/// How long feed rows are kept, in milliseconds.
pub(super) const FEED_TTL: u64 = 10 * 60 * 1000;

/// 128 bits of SHA-256: enough that two things never share one by chance.
pub(super) type Digest = [u8; 16];

/// What the verdict on an append depends on, of its channel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    pub top: u64,
    pub version: Option<Version>,
}

/// What is known of an idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    /// Digest of what was published under it.
    pub data: Digest,
    pub offset: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// What becomes of an append if its batch commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    New(u64),
    Duplicate(u64),
    KeyReused,
    Superseded(u64),
}

/// Judges one append and moves the head if it is new. A key is looked at before a version: a retry
/// is told what became of the first, also when something newer stands since.
pub(super) fn judge(head: &mut Head, known: Option<Known>, append: &Append, now: u64) -> Verdict {
    if let Some(known) = known.filter(|known| now < known.at.saturating_add(KEY_TTL)) {
        return if known.data == digest_of_data(&append.publication) {
            Verdict::Duplicate(known.offset)
        } else {
            Verdict::KeyReused
        };
    }
    if let (Some(asked), Some(stands)) = (&append.version, &head.version)
        && asked.epoch == stands.epoch
        && asked.number <= stands.number
    {
        return Verdict::Superseded(head.top);
    }
    if append.version.is_some() {
        head.version.clone_from(&append.version);
    }
    head.top += 1;
    Verdict::New(head.top)
}

/// Whether a channel in which nothing stands any more may be forgotten altogether. It stays as long
/// as a key of it may be known or the feed may speak of it, whatever `meta_ttl` says.
pub(super) fn is_forgotten(published_at: u64, retention: &Retention, now: u64) -> bool {
    published_at.saturating_add(millis(retention.meta_ttl).max(KEY_TTL).max(FEED_TTL)) <= now
}

/// Greatest offset that retention by count no longer shows.
pub(super) fn floor_by_size(top: u64, retention: &Retention) -> u64 {
    top.saturating_sub(retention.size)
}

/// Publications of this time or before are no longer shown; 0: none is too old.
pub(super) fn cutoff_by_age(now: u64, retention: &Retention) -> u64 {
    now.saturating_sub(millis(retention.ttl))
}

/// A duration in milliseconds; ends at what a database integer holds.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(i64::MAX as u64)
}

/// The epoch of one life of a channel.
pub(super) fn epoch(generation: &str, life: u64) -> Epoch {
    Epoch::new(&format!("{generation}.{life}"))
}

/// A name for a generation: 48 random bits in hexadecimal.
pub(super) fn new_generation() -> String {
    let mut name = uuid::Uuid::new_v4().simple().to_string();
    name.truncate(12);
    name
}

/// The counter that says in which life a channel of this name begins.
///
/// A channel without a row reads as the life that its counter shows: 0, on every node, without a
/// write. Its first publication creates the row in that same life, so who was there before misses
/// nothing. When a row goes, the counter is raised past the row's life: the name never sees that epoch again.
/// Names share 65,536 counters, so that what is remembered of dropped channels is bounded. The price: a
/// channel without a row sees its epoch change when one of its slot is dropped.
pub(super) fn slot(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    u64::from(u16::from_be_bytes([digest[0], digest[1]]))
}

/// What a key is stored under, whatever its length.
pub(super) fn digest_of_key(key: &Key) -> Digest {
    // The length parts the two, so that no publisher can write itself into another's keys.
    let length = (key.publisher.len() as u64).to_be_bytes();
    short(Sha256::new().chain_update(length).chain_update(&key.publisher).chain_update(&key.key))
}

/// What has to be the same for two publications to count as one.
pub(super) fn digest_of_data(publication: &Publication) -> Digest {
    short(Sha256::new().chain_update(publication.data.bytes()))
}

fn short(hash: Sha256) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ids::Channel, protocol::Payload};

    fn append(data: &'static str, version: Option<(u64, &str)>) -> Append {
        let data = Payload::stored(data.as_bytes().into(), false);
        Append {
            channel: Channel::trusted("a"),
            publication: Arc::new(Publication { data, ..Publication::default() }),
            key: None,
            version: version.map(|(number, epoch)| Version { number, epoch: epoch.into() }),
        }
    }

    #[test]
    fn versions_are_compared_within_their_epoch_only() {
        let mut head = Head::default();
        assert_eq!(judge(&mut head, None, &append("x", Some((5, "a"))), 0), Verdict::New(1));
        assert_eq!(judge(&mut head, None, &append("x", Some((5, "a"))), 0), Verdict::Superseded(1));
        assert_eq!(judge(&mut head, None, &append("x", None), 0), Verdict::New(2));
        assert_eq!(judge(&mut head, None, &append("x", Some((4, "a"))), 0), Verdict::Superseded(2));
        assert_eq!(judge(&mut head, None, &append("x", Some((1, "b"))), 0), Verdict::New(3));
        assert_eq!(judge(&mut head, None, &append("x", Some((6, "a"))), 0), Verdict::New(4));
    }

    #[test]
    fn a_key_is_known_for_its_time_and_no_longer() {
        let mut head = Head { top: 7, version: None };
        let known =
            Known { data: digest_of_data(&append("x", None).publication), offset: 3, at: 10 };
        let last = 10 + KEY_TTL - 1;
        assert_eq!(judge(&mut head, Some(known), &append("x", None), last), Verdict::Duplicate(3));
        assert_eq!(judge(&mut head, Some(known), &append("y", None), last), Verdict::KeyReused);
        assert_eq!(judge(&mut head, Some(known), &append("x", None), last + 1), Verdict::New(8));
    }

    #[test]
    fn keys_of_different_publishers_never_meet() {
        let of = |publisher: &str, key: &str| {
            digest_of_key(&Key { publisher: publisher.into(), key: key.into() })
        };
        assert_ne!(of("user:a", "b"), of("user:ab", ""));
        assert_ne!(of("user:a", "b"), of("user:", "ab"));
        assert_eq!(of("user:a", "b"), of("user:a", "b"));
    }
}
