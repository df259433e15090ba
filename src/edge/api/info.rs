//! What the nodes are doing.

use serde::Serialize;

use super::{
    Api,
    method::{Outcome, written},
};

/// A node and what it has to do.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NodeInfo {
    /// Of this run.
    pub uid: String,
    pub name: String,
    pub version: String,
    pub num_clients: u32,
    pub num_users: u32,
    pub num_subs: u32,
    pub num_channels: u32,
    /// Seconds since its start.
    pub uptime: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// What a node takes of its machine.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Process {
    /// Percent of one core.
    pub cpu: f64,
    /// Resident memory, bytes.
    pub rss: u64,
}

pub(super) async fn info(api: &Api) -> Outcome {
    #[derive(Serialize)]
    struct Info {
        nodes: Vec<NodeInfo>,
    }
    written(Info { nodes: api.backend.info().await? })
}
