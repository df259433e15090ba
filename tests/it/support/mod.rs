//! What the tests stand on: a node in a process of its own, a client that can misbehave, tokens.

mod client;
mod cluster;
mod crowd;
mod http;
mod member;
#[cfg(feature = "failpoints")]
mod mutant;
mod node;
mod provider;
mod relay;
mod socket;
mod sql;
mod token;
mod wait;

pub use client::Client;
pub use cluster::Cluster;
pub use crowd::{Crowd, Person};
pub use http::{Answer, request};
pub use member::Member;
#[cfg(feature = "failpoints")]
pub use mutant::assert_caught;
pub use node::{API_KEY, Node, SECRET, run};
pub use provider::Provider;
pub use relay::Relay;
pub use socket::{Close, Frame, Refused, Socket, frame, head};
pub use sql::{file_sql, sql};
pub use token::sign;
pub use wait::{DEADLINE, until};
