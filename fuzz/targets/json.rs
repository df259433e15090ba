//! Frames of commands in JSON.

#![no_main]

use fanfare::protocol::{Encoding, fuzz::commands};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| commands(Encoding::Json, bytes));
