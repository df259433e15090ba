//! Where in a channel's history something stands: (epoch, offset).

use std::{fmt, sync::Arc};

/// Names one history of a channel. Offsets of different epochs can't be compared.
///
/// Never empty in what a server says; a client may say "" for "I know none yet".
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Any string names an epoch.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// As written on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the epoch of a client that knows none.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a channel's history. Offsets start at 1 and rise by 1; offset 0 is before the first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Which history.
    pub epoch: Epoch,
    /// How far in it.
    pub offset: u64,
}
