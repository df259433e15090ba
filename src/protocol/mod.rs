//! The words of the wire: commands that come in, replies and pushes that go out, in JSON and Protobuf. Data only.

pub mod client;
pub mod close;
pub mod command;
pub mod delta;
mod json;
pub mod position;
mod protobuf;
pub mod publication;
pub mod push;
pub mod refusal;
pub mod reply;

mod encoding;

pub use client::{Replies, ServerMessage};
pub use close::Close;
pub use command::{Command, Request};
pub use encoding::{Commands, Encoding, Malformed, NotJson};
pub use position::{Epoch, Position};
pub use publication::{ClientInfo, Payload, Publication, Tags};
pub use push::Push;
pub use refusal::Refusal;
pub use reply::{Outcome, Reply};

#[cfg(feature = "fuzzing")]
pub mod fuzz;
#[cfg(test)]
mod tests;
