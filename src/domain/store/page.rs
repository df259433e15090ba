//! A part of a list.

/// What part of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<K> {
    /// The last entry of the part before; none for the first part.
    pub after: Option<K>,
    /// Entries, at most.
    pub limit: usize,
}

impl<K> Page<K> {
    /// From the beginning.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// What an id that is none sorts before: the beginning of every list by id.
pub(super) fn start<K: ToString>(after: Option<K>) -> String {
    after.map_or_else(String::new, |id| id.to_string())
}
