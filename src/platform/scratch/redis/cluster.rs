//! A Redis Cluster of three masters that share all slots, without replicas.

use std::{io, time::Duration};

use super::Redis;
use crate::platform::scratch::free_port;

const NODES: u16 = 3;
const SLOTS: u16 = 16_384;

/// Until all masters know each other and all slots.
const MEETS_WITHIN: Duration = Duration::from_secs(30);

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts three masters with more settings and waits until each of them says that the cluster is whole.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        let nodes = (0..NODES).map(|_| {
            let bus = format!("cluster-port {}", free_port()?);
            let own = ["cluster-enabled yes", "cluster-node-timeout 2000", &bus];
            Ok((Redis::start(&[&own, settings].concat())?, bus))
        });
        let nodes = nodes.collect::<io::Result<Vec<_>>>()?;
        let first = nodes[0].0.port().to_string();
        let bus = nodes[0].1.trim_start_matches("cluster-port ");
        for (n, (node, _)) in (0..NODES).zip(&nodes) {
            let from = (n * SLOTS.div_ceil(NODES)).to_string();
            let to = ((n + 1) * SLOTS.div_ceil(NODES)).min(SLOTS) - 1;
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()])?;
            node.ask(&["CLUSTER", "ADDSLOTSRANGE", &from, &to.to_string()])?;
            if n > 0 {
                node.ask(&["CLUSTER", "MEET", "127.0.0.1", &first, bus])?;
            }
        }
        let cluster = Self { nodes: nodes.into_iter().map(|(node, _)| node).collect() };
        cluster.whole()?;
        Ok(cluster)
    }

    /// The masters.
    pub fn nodes(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// The addresses of all masters.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// Waits until every master sees all others and all slots served.
    pub fn whole(&self) -> io::Result<()> {
        let lines = [
            "cluster_state:ok",
            "cluster_slots_ok:16384",
            "cluster_known_nodes:3",
            "cluster_size:3",
        ];
        self.nodes.iter().try_for_each(|node| {
            node.until(MEETS_WITHIN, &["CLUSTER", "INFO"], |info| {
                info.iter().any(|text| lines.iter().all(|line| text.contains(line)))
            })
        })
    }
}
