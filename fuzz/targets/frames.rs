//! Frames of WebSocket, as the socket gives them.

#![no_main]

use fanfare::realtime::session::fuzz::frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames(bytes));
