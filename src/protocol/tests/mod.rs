//! Both encodings as a peer sees them: bytes in, bytes out.

mod frames;
mod hostile;
mod messages;
mod round_trips;
