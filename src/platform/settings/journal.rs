//! Settings of what is kept: where the journal is, and what rooms remember of it.

use super::{kinds::Size, section::section};

section! {
    /// The journal: durable channels are kept here.
    pub struct Journal {
        /// The SQLite file, on a local disk. Empty: `fanfare.db` in `data_dir`. Not used when
        /// `postgres.url` is set.
        pub path: String = String::new(),
        /// Bytes of recent publications that a room keeps in memory for those who come back, so
        /// that a storm of them does not storm the disk. 0: none.
        pub ring_size: Size = Size::kib(64),
    }
}
