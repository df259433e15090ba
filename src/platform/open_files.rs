//! How many files the process may hold open, and how many connections that leaves room for.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are no connections of clients: journal, log, listeners, operators, handshakes refused.
const RESERVE: u64 = 256;
/// What is taken for "any number": more sockets than a node has memory for.
const MOST: u64 = 1 << 20;

/// Raises the soft limit to the hard one and returns what holds then.
///
/// Where raising fails the soft limit stands, and the error says why beside it.
pub fn raise() -> Result<u64, (u64, io::Error)> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| (RESERVE * 2, errno.into()))?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Ok(hard),
        Err(errno) => Err((soft, errno.into())),
    }
}

/// The connections that a node takes: `configured`, or if that is 0 what `open_files` leave room for.
pub fn connection_limit(configured: usize, open_files: u64) -> usize {
    match configured {
        0 => {
            let open_files = open_files.min(MOST);
            let reserve = RESERVE.max(open_files / 32).min(open_files / 2);
            usize::try_from(open_files - reserve).unwrap_or(usize::MAX).max(1)
        }
        configured => configured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_open_files_is_kept_for_others() {
        for (configured, open_files, expected) in [
            (0, 1024, 768),
            (0, 65536, 63488),
            (0, 100, 50),
            (0, 0, 1),
            (0, u64::MAX, 1015808),
            (7, 1024, 7),
        ] {
            assert_eq!(connection_limit(configured, open_files), expected, "{open_files}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let limit = raise().unwrap_or_else(|(limit, _)| limit);
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, limit);
    }
}
