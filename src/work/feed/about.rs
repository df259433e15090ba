//! What a node says of itself in each beat, and what it makes of what others say of themselves.

use std::{collections::BTreeSet, time::Instant};

use sha2::{Digest as _, Sha256};

use crate::{
    platform::settings::Settings,
    realtime::{
        peers::{Info, Peer},
        session::host::Node,
    },
};

/// What stays the same as long as the node runs.
#[derive(Debug)]
pub struct About {
    name: String,
    namespaces: String,
    since: Instant,
    /// Nodes with other namespaces that the log has named.
    said: BTreeSet<String>,
}

impl About {
    pub fn of(settings: &Settings) -> Self {
        let (name, namespaces) = (settings.node_name(), digest(settings));
        Self { name, namespaces, since: Instant::now(), said: BTreeSet::new() }
    }

    /// As of now.
    pub fn now(&self, node: &Node) -> Info {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let gauge = |gauge: &prometheus::IntGauge| u32::try_from(gauge.get()).unwrap_or_default();
        Info {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            namespaces: self.namespaces.clone(),
            uptime: self.since.elapsed().as_secs(),
            clients: gauge(&node.metrics.connections),
            users: count(node.users.len()),
            subscriptions: gauge(&node.metrics.subscriptions),
            channels: count(node.house.rooms()),
        }
    }

    /// Names of nodes with other namespaces; the log names each once.
    pub fn different(&mut self, peers: &[Peer]) -> Vec<String> {
        let different = peers.iter().filter(|peer| peer.info.namespaces != self.namespaces);
        let names: Vec<_> = different.map(|peer| peer.info.name.clone()).collect();
        for name in &names {
            if self.said.insert(name.clone()) {
                log::warn!("node {name} has other namespaces: it treats some channels differently");
            }
        }
        self.said.retain(|name| names.contains(name));
        names
    }
}

/// Of all that decides what a channel is.
fn digest(settings: &Settings) -> String {
    let hash = Sha256::digest(format!("{:?}", settings.channel));
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;

    #[test]
    fn who_has_other_namespaces_is_named() {
        let (mut ours, mut theirs) = (Settings::default(), Settings::default());
        let mut about = About::of(&ours);
        theirs.channel.max_length += 1;
        let peer = |name: &str, settings: &Settings| Peer {
            run: NodeId::new(),
            info: Info { name: name.into(), namespaces: digest(settings), ..Info::default() },
        };
        ours.http_server.port += 1;
        let peers = [peer("b", &ours), peer("c", &theirs)];
        assert_eq!(about.different(&peers), ["c"]);
    }
}
