//! The server API's verbs, done by rooms and users.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::api::{
    Answer, Backend, ChannelInfo, Disconnect, History, NodeInfo, Process, Publish, Refresh,
    Subscribe, Unsubscribe, Whose,
};
use crate::{
    ids::{Channel, NodeId},
    protocol::{
        Position, Publication, Refusal,
        command::HistoryRequest,
        refusal::Unsubscribed,
        reply::{HistoryResult, PresenceResult},
    },
    realtime::{
        barred::{Bar, BarStore},
        journal::{Unavailable, writer},
        namespace::Storage,
        peers::Peer,
        room::{
            busy::Busy,
            request::{self, Request},
        },
        session::{
            act::{Act, Deed, Grant, Refreshed},
            everywhere::{self, Everywhere, Order, Undone},
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
    others: Others,
}

/// What a node shares with others, or would.
pub struct Others {
    /// The way to them; none for a node alone.
    pub everywhere: Option<Arc<dyn Everywhere>>,
    pub bars: Arc<dyn BarStore>,
}

impl NodeBackend {
    pub fn new(node: Arc<Node>, id: NodeId, others: Others) -> Self {
        Self { node, id, since: Instant::now(), others }
    }

    async fn act(
        &self,
        whose: Whose,
        except: Vec<crate::ids::ClientId>,
        deed: Deed,
    ) -> Result<(), Refusal> {
        let act =
            Act { client: whose.client, except: Arc::new(except.into_iter().collect()), deed };
        match Order::act(&whose.user, &act) {
            Some(order) => self.order(order).await,
            None => Ok(()),
        }
    }

    /// On every node, or here if there are no others.
    async fn order(&self, order: Order) -> Result<(), Refusal> {
        match &self.others.everywhere {
            Some(everywhere) => everywhere.order(order).await.map_err(undone),
            None => {
                order.carry_out(&self.node);
                Ok(())
            }
        }
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

fn undone(why: Undone) -> Refusal {
    match why {
        Undone::TooLong => Refusal::BAD_REQUEST.because(why),
        Undone::TooMany => Refusal::LIMIT_EXCEEDED.because(why),
        Undone::Busy | Undone::NotNoted | Undone::Lagging { .. } => Refusal::INTERNAL.because(why),
    }
}

/// A bar that could not be kept is none: it would be gone with the process.
fn unkept(why: Unavailable) -> Refusal {
    log::warn!("{}", why.0);
    Refusal::INTERNAL.because("the database can't be written; try again")
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
            self.act(request.whose, Vec::new(), Deed::Subscribe(Arc::new(grant))).await
        })
    }

    fn unsubscribe(&self, request: Unsubscribe) -> Answer<'_, ()> {
        Box::pin(async move {
            let deed = Deed::Unsubscribe(request.channel, Unsubscribed::BY_SERVER);
            self.act(request.whose, Vec::new(), deed).await
        })
    }

    fn disconnect(&self, request: Disconnect) -> Answer<'_, ()> {
        Box::pin(async move {
            self.act(request.whose, request.spared, Deed::Disconnect(request.close)).await
        })
    }

    fn refresh(&self, request: Refresh) -> Answer<'_, ()> {
        Box::pin(async move {
            let Refresh { whose, expired, expire_at, info } = request;
            let refreshed = Refreshed { expired, expire_at, info };
            self.act(whose, Vec::new(), Deed::Refresh(refreshed)).await
        })
    }

    fn bar(&self, bar: Bar) -> Answer<'_, ()> {
        Box::pin(async move {
            // Kept first: a node that starts between the two reads it there.
            let kept = self.others.bars.put(bar.clone(), self.node.now()).await;
            kept.map_err(unkept)?;
            self.order(Order::Bar(bar)).await
        })
    }

    fn allow(&self, user: String) -> Answer<'_, ()> {
        Box::pin(async move {
            self.others.bars.allow(user.clone()).await.map_err(unkept)?;
            self.order(Order::Allow(user)).await
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

    fn channels(&self, pattern: Option<String>) -> Answer<'_, BTreeMap<String, ChannelInfo>> {
        Box::pin(async move {
            let mut found = match &self.others.everywhere {
                Some(all) => all.channels(pattern.clone()).await.map_err(undone)?,
                None => Vec::new(),
            };
            found.push(everywhere::channels(&self.node, pattern.as_deref()).await);
            let mut sum: BTreeMap<String, ChannelInfo> = BTreeMap::new();
            for (channel, num_clients) in found.into_iter().flatten() {
                sum.entry(channel).or_default().num_clients += num_clients;
            }
            Ok(sum)
        })
    }

    fn info(&self) -> Answer<'_, Vec<NodeInfo>> {
        Box::pin(async move {
            let node = &self.node;
            let me = NodeInfo {
                uid: self.id.to_string(),
                name: node.settings.node_name(),
                version: env!("CARGO_PKG_VERSION").into(),
                num_clients: node.metrics.connections.get() as u32,
                num_users: node.users.len() as u32,
                num_subs: node.metrics.subscriptions.get() as u32,
                num_channels: node.house.rooms() as u32,
                uptime: self.since.elapsed().as_secs(),
                process: None::<Process>,
            };
            let others = self.others.everywhere.iter().flat_map(|everywhere| everywhere.peers());
            Ok(std::iter::once(me).chain(others.map(told)).collect())
        })
    }
}

/// Another node, as of its last beat.
fn told(Peer { run, info }: Peer) -> NodeInfo {
    NodeInfo {
        uid: run.to_string(),
        name: info.name,
        version: info.version,
        num_clients: info.clients,
        num_users: info.users,
        num_subs: info.subscriptions,
        num_channels: info.channels,
        uptime: info.uptime,
        process: None,
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
