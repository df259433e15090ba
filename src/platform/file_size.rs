//! A limit of file sizes (`ulimit -f`) is an error of the write that meets it, not the end of the process.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// From now on a write past the limit fails with `EFBIG`, which the journal treats as a full disk.
///
/// The kernel sends SIGXFSZ with it, which ends a process that neither ignores nor blocks it, and no
/// part of the standard library does. It is blocked for this thread and those that it starts: call it
/// before there are others.
pub fn survive_limit() -> io::Result<()> {
    SigSet::from(Signal::SIGXFSZ).thread_block().map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn threads_that_come_later_are_spared_too() {
        let seen = thread::spawn(|| {
            survive_limit().unwrap();
            thread::spawn(|| SigSet::thread_get_mask().unwrap()).join().unwrap()
        });
        assert!(seen.join().unwrap().contains(Signal::SIGXFSZ));
    }
}
