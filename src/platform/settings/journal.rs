//! Settings of what is kept: the journal's file, its queues and how it is tidied.

use std::time::Duration;

use super::{
    kinds::Size,
    section::{Wrong, section},
};

section! {
    /// The journal: durable channels are kept here.
    #[check(check_journal)]
    pub struct Journal {
        /// The SQLite file, on a local disk. Empty: `fanfare.db` in `data_dir`.
        pub path: String = String::new(),
        /// Publishes that may wait to be committed. Past it they are refused as temporary.
        pub queue_max_length: usize = 16384,
        /// Bytes of publishes that may wait to be committed, likewise.
        pub queue_max_size: Size = Size::mib(64),
        /// Publishes in one commit, at most.
        pub batch_max_length: usize = 1024,
        /// Bytes of publishes in one commit, at most.
        pub batch_max_size: Size = Size::mib(4),
        /// A commit that takes longer is given up, and it is found out whether it happened.
        pub commit_timeout: Duration = Duration::from_secs(10),
        /// Connections that read, each on a thread of its own.
        pub readers: usize = 4,
        /// Reads that may wait for one of them. Past it they are refused as temporary.
        pub read_queue: usize = 4096,
        /// Bytes of recent publications that a room keeps in memory for those who come back.
        pub ring_size: Size = Size::kib(64),
        /// A room in which nothing was published for this long lets go of them.
        pub ring_ttl: Duration = Duration::from_secs(60),
        /// What is past its retention is removed in small steps this often.
        pub trim_interval: Duration = Duration::from_secs(1),
        /// The pause between two steps while there is more to remove, so that publishes go first.
        pub trim_pause: Duration = Duration::from_millis(20),
    }
}

fn check_journal(journal: &Journal, wrong: &mut Wrong) {
    for (key, count) in [
        ("queue_max_length", journal.queue_max_length),
        ("batch_max_length", journal.batch_max_length),
        ("readers", journal.readers),
        ("read_queue", journal.read_queue),
    ] {
        wrong.unless(count > 0, key, "1 or more");
    }
    wrong.unless(journal.readers <= 64, "readers", "64 or fewer: each is a thread and a cache");
    for (key, size) in
        [("queue_max_size", journal.queue_max_size), ("batch_max_size", journal.batch_max_size)]
    {
        wrong.unless(size >= Size::kib(64), key, "64KiB or more");
    }
    for (key, time) in
        [("commit_timeout", journal.commit_timeout), ("trim_interval", journal.trim_interval)]
    {
        wrong.unless(!time.is_zero(), key, "more than 0s");
    }
}
