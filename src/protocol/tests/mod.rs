//! Both encodings as a peer sees them: bytes in, bytes out.

mod documented;
mod from_client;
mod hostile;
mod messages;
mod round_trips;
mod to_client;

use bytes::Bytes;

use super::Payload;

fn json(text: &'static str) -> Payload {
    Payload::json(Bytes::from_static(text.as_bytes()))
}
