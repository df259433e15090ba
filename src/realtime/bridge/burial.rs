//! Looking through all that is written down: behind a run that died, whose members leave once, by the hand of one
//! survivor; and for this run, when Redis may not know who is here, or still know who is not.

use std::{collections::HashSet, sync::Arc};

use actix::Addr;
use futures_util::{StreamExt, stream};
use redis::Value;

use super::{
    Arrived, Ears,
    actor::{Ask, Bridge, Tell},
    names::Names,
    registry::{self, Entry, Errand},
};
use crate::{
    ids::{Channel, NodeId},
    protocol::push::Event,
};

/// Channels that are looked through at a time.
const AT_A_TIME: usize = 32;

/// What it takes to ask Redis and to tell the others.
#[derive(Clone)]
pub(super) struct Desk {
    pub bridge: Addr<Bridge>,
    pub names: Names,
    pub ears: Arc<dyn Ears>,
}

impl Desk {
    pub async fn ask(&self, errand: Errand) -> Option<Value> {
        self.bridge.send(Ask(errand)).await.ok().flatten()
    }

    /// Does what follows from a death, unless another survivor does. Half done, it is left to the next who looks.
    pub async fn bury(self, dead: NodeId) {
        if self.ask(registry::bury(&self.names, dead)).await != Some(Value::Int(1)) {
            return;
        }
        if self.clear(dead).await.is_none() {
            self.ask(registry::arise(&self.names, dead)).await;
        }
    }

    /// Compares what is written down for this run with who is here, channel by channel. False if it could not be asked.
    pub async fn census(self, me: NodeId) -> bool {
        let Some(listed) = self.ask(registry::channels_of(&self.names, me)).await else {
            return false;
        };
        let mut channels: HashSet<Channel> = self.ears.channels().into_iter().collect();
        channels.extend(registry::names_in(listed).iter().map(|name| Channel::trusted(name)));
        stream::iter(channels)
            .map(|channel| self.compare(channel, me))
            .buffer_unordered(AT_A_TIME)
            .fold(true, async |all, one| all && one.is_some())
            .await
    }

    async fn compare(&self, channel: Channel, me: NodeId) -> Option<()> {
        let members = self.ask(registry::ask(&self.names, &channel)).await?;
        let mine = registry::members(members).into_iter().filter(|entry| entry.run == me);
        self.ears.written(&channel, mine.map(|entry| entry.info.client.clone()).collect());
        Some(())
    }

    async fn clear(&self, dead: NodeId) -> Option<()> {
        let channels = self.ask(registry::channels_of(&self.names, dead)).await?;
        let channels = registry::names_in(channels);
        log::info!("the members of run {dead} leave {} channels", channels.len());
        let cleared = stream::iter(&channels)
            .map(|name| self.clear_channel(Channel::trusted(name), dead))
            .buffer_unordered(AT_A_TIME)
            .fold(Some(()), async |all, one| all.and(one));
        cleared.await?;
        self.ask(registry::forget(&self.names, dead)).await.map(drop)
    }

    async fn clear_channel(&self, channel: Channel, dead: NodeId) -> Option<()> {
        let members = self.ask(registry::ask(&self.names, &channel)).await?;
        let mut gone = registry::members(members);
        gone.retain(|entry| entry.run == dead);
        if gone.is_empty() {
            return Some(());
        }
        let clients: Vec<&str> = gone.iter().map(|entry| entry.info.client.as_str()).collect();
        self.ask(registry::leave(&self.names, &channel, &clients)).await?;
        for Entry { info, .. } in gone.iter().filter(|entry| entry.join_leave) {
            let left = Arrived::Event(Event::Leave(info.clone()));
            self.ears.arrived(&channel, left.clone());
            #[allow(clippy::disallowed_methods, reason = "one for each member of a dead node")]
            self.bridge.do_send(Tell(channel.clone(), left));
        }
        Some(())
    }
}
