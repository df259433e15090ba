//! What a stranger's bytes may do to the decoders of commands. Behind the feature `fuzzing`; `docs/TESTING.md` says who calls it.

use bytes::Bytes;

use super::Encoding;

/// Each command of the frame is refused, or read; and what was read means the same when it is written again.
///
/// # Panics
///
/// If that is not so.
pub fn commands(encoding: Encoding, frame: &[u8]) {
    for command in encoding.commands(Bytes::copy_from_slice(frame)).flatten() {
        let written = encoding.command(&command).expect("what came in can go out");
        let again: Vec<_> = encoding.commands(written.clone()).collect();
        assert_eq!(again, [Ok(command)], "{encoding:?} {}", written.escape_ascii());
    }
}
