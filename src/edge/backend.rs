//! The server API's verbs, done by rooms and users.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::api::{
    Answer, Backend, ChannelInfo, Disconnect, History, NodeInfo, Process, Publish, Refresh,
    Subscribe, Unsubscribe, Whose,
};
use crate::{
    ids::{Channel, NodeId},
    platform::glob::Glob,
    protocol::{
        Position, Publication, Refusal,
        command::HistoryRequest,
        refusal::Unsubscribed,
        reply::{HistoryResult, PresenceResult},
    },
    realtime::{
        journal::writer,
        namespace::Storage,
        room::{
            house::Busy,
            request::{self, Request},
        },
        session::{
            act::{Act, Deed, Grant, Refreshed},
            host::Node,
            in_format, range, read_history, refusal_of,
        },
    },
};

/// Bytes that one answer of the API may hold of a history.
const HISTORY_BYTES: usize = 16 * 1024 * 1024;

/// This node as the API sees it.
pub struct NodeBackend {
    node: Arc<Node>,
    id: NodeId,
    since: Instant,
}

impl NodeBackend {
    pub fn new(node: Arc<Node>, id: NodeId) -> Self {
        Self { node, id, since: Instant::now() }
    }

    fn act(&self, whose: Whose, except: Vec<crate::ids::ClientId>, deed: Deed) {
        let act =
            Act { client: whose.client, except: Arc::new(except.into_iter().collect()), deed };
        self.node.users.act(&whose.user, act);
    }

    async fn published(&self, request: Publish) -> Result<Option<Position>, Refusal> {
        let Publish { channel, publication, skip_history, key, version } = request;
        let namespace = self.node.namespaces.resolve(&channel)?;
        let publication = Publication {
            data: in_format(&namespace, publication.data)?,
            delta: publication.delta || namespace.delta_publish,
            ..publication
        };
        let (told, outcome) = oneshot::channel();
        let answer = writer::Answer::new(move |outcome| {
            let _ = told.send(outcome);
        });
        let publication = Arc::new(publication);
        let publish = request::Publish { publication, key, version, skip_history, answer };
        self.node.house.ask(&channel, Request::Publish(Box::new(publish))).map_err(busy)?;
        let outcome = outcome.await.map_err(|_| Refusal::INTERNAL)?;
        let keeps = namespace.storage() != Storage::None && !skip_history;
        let at = refusal_of(outcome)?;
        Ok(keeps.then_some(at))
    }
}

fn busy(_: Busy) -> Refusal {
    Refusal::INTERNAL.because("the room is full of requests; try again")
}

impl Backend for NodeBackend {
    fn publish(&self, request: Publish) -> Answer<'_, Option<Position>> {
        Box::pin(self.published(request))
    }

    fn subscribe(&self, request: Subscribe) -> Answer<'_, ()> {
        Box::pin(async move {
            self.node.namespaces.resolve(&request.channel)?;
            let grant = Grant {
                channel: request.channel,
                chan_info: request.info,
                data: request.data,
                expire_at: request.expire_at,
                recover: request.recover_since,
                overrides: request.overrides,
            };
            self.act(request.whose, Vec::new(), Deed::Subscribe(Arc::new(grant)));
            Ok(())
        })
    }

    fn unsubscribe(&self, request: Unsubscribe) -> Answer<'_, ()> {
        Box::pin(async move {
            let deed = Deed::Unsubscribe(request.channel, Unsubscribed::BY_SERVER);
            self.act(request.whose, Vec::new(), deed);
            Ok(())
        })
    }

    fn disconnect(&self, request: Disconnect) -> Answer<'_, ()> {
        Box::pin(async move {
            self.act(request.whose, request.spared, Deed::Disconnect(request.close));
            Ok(())
        })
    }

    fn refresh(&self, request: Refresh) -> Answer<'_, ()> {
        Box::pin(async move {
            let Refresh { whose, expired, expire_at, info } = request;
            self.act(whose, Vec::new(), Deed::Refresh(Refreshed { expired, expire_at, info }));
            Ok(())
        })
    }

    fn presence(&self, channel: Channel) -> Answer<'_, PresenceResult> {
        Box::pin(async move {
            self.keeps_presence(&channel)?;
            Ok(self.node.house.presence(&channel).await?)
        })
    }

    fn presence_stats(&self, channel: Channel) -> Answer<'_, (u32, u32)> {
        Box::pin(async move {
            self.keeps_presence(&channel)?;
            let stats = self.node.house.presence_stats(&channel).await?;
            Ok((stats.clients, stats.users))
        })
    }

    fn history(&self, request: History) -> Answer<'_, HistoryResult> {
        Box::pin(async move {
            let History { channel, limit, since, reverse } = request;
            self.node.namespaces.resolve(&channel)?;
            let epoch = since.as_ref().map(|at| at.epoch.clone()).unwrap_or_default();
            let asked = HistoryRequest { channel: channel.as_str().into(), limit, since, reverse };
            let mut range = range(&asked, usize::MAX)?;
            range.max_bytes = HISTORY_BYTES;
            let page = read_history(&self.node.house, &channel, range, &epoch).await?;
            let (publications, epoch, offset) = (page.publications, page.epoch, page.top);
            Ok(HistoryResult { publications, epoch, offset })
        })
    }

    fn history_remove(&self, channel: Channel) -> Answer<'_, ()> {
        Box::pin(async move {
            self.node.namespaces.resolve(&channel)?;
            if self.node.house.journal(&channel).is_none() {
                return Err(Refusal::NOT_AVAILABLE.because("this channel has no history"));
            }
            self.node.house.remove_history(&channel).await.map_err(|unavailable| {
                log::warn!("a history could not be removed: {}", unavailable.0);
                Refusal::INTERNAL.because("the journal can't be written; try again")
            })
        })
    }

    fn channels(&self, pattern: Option<Glob>) -> Answer<'_, BTreeMap<Channel, ChannelInfo>> {
        Box::pin(async move {
            let mut found = BTreeMap::new();
            for channel in self.node.house.channels() {
                if pattern.as_ref().is_some_and(|pattern| !pattern.matches(&channel)) {
                    continue;
                }
                let num_clients = self.node.house.members(&channel).await.map_err(busy)?;
                if num_clients > 0 {
                    found.insert(channel, ChannelInfo { num_clients });
                }
            }
            Ok(found)
        })
    }

    fn info(&self) -> Answer<'_, Vec<NodeInfo>> {
        Box::pin(async move {
            let metrics = &self.node.metrics;
            Ok(vec![NodeInfo {
                uid: self.id.to_string(),
                name: "fanfare".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                num_clients: metrics.connections.get() as u32,
                num_users: self.node.users.len() as u32,
                num_subs: metrics.subscriptions.get() as u32,
                num_channels: self.node.house.rooms() as u32,
                uptime: self.since.elapsed().as_secs(),
                process: None::<Process>,
            }])
        })
    }
}

impl NodeBackend {
    fn keeps_presence(&self, channel: &Channel) -> Result<(), Refusal> {
        match self.node.namespaces.resolve(channel)?.presence {
            true => Ok(()),
            false => Err(Refusal::NOT_AVAILABLE.because("this channel keeps no presence")),
        }
    }
}
