//! Frames of commands in Protobuf.

#![no_main]

use fanfare::protocol::{Encoding, fuzz::commands};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| commands(Encoding::Protobuf, bytes));
