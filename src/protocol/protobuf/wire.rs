//! The messages of the schema, as far as they are spoken here: names and numbers of the Centrifuge protocol.

mod command;
mod push;
mod reply;

use prost::Message;

pub use command::*;
pub use push::*;
pub use reply::*;

/// A message that says everything by being there.
#[derive(Clone, PartialEq, Message)]
pub struct Empty {}
