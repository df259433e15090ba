//! What a run starts around itself: nodes of this binary, and the servers that make one of them.

mod cluster;
mod node;
mod plan;

pub use cluster::Cluster;
pub use node::Node;
pub use plan::{Plan, Secrets};
