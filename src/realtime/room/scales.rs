//! The bytes that wait for sockets, as memory sees them: what the members of a room share counts once a worker.
//!
//! Weighed by the copy, a room of a thousand that is half a second behind would look like a gigabyte and get its readers
//! cut, for memory that nobody uses.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use bytes::Bytes;

/// What a message costs beside its bytes.
const OVERHEAD: usize = 64;

/// One a node.
#[derive(Default, Debug)]
pub struct Scales {
    waiting: AtomicI64,
}

impl Scales {
    /// The same bytes; they count until the last outbox has let go of them.
    pub fn weigh(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.waiting.fetch_add(weight(&bytes), Relaxed);
        Bytes::from_owner(Weighed { bytes, scales: self.clone() })
    }

    /// Bytes that wait now.
    pub fn waiting(&self) -> i64 {
        self.waiting.load(Relaxed)
    }
}

fn weight(bytes: &Bytes) -> i64 {
    (bytes.len() + OVERHEAD) as i64
}

struct Weighed {
    bytes: Bytes,
    scales: Arc<Scales>,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.scales.waiting.fetch_sub(weight(&self.bytes), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_counts_once_until_the_last_lets_go() {
        let scales = Arc::new(Scales::default());
        let message = scales.weigh(Bytes::from_static(b"0123456789"));
        let copies = vec![message.clone(); 1000];
        assert_eq!(scales.waiting(), 74);
        let part = message.slice(8..);
        drop((message, copies));
        assert_eq!((&part[..], scales.waiting()), (&b"89"[..], 74));
        drop(part);
        assert_eq!(scales.waiting(), 0);
    }
}
