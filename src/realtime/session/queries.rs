//! Questions that change nothing: who is here, and what was said.

use super::connection::{Connection, Ctx, Stage};
use crate::{
    ids::Channel,
    protocol::{Epoch, Outcome, Refusal, command::HistoryRequest, reply::HistoryResult},
    realtime::{
        journal::{Direction, Page, Range},
        namespace::Asker,
    },
};

/// Bytes of one page of history, at most: half of what may wait for a reader.
const MOST_BYTES: usize = 512 * 1024;

impl Connection {
    pub(super) fn presence(&mut self, id: u32, name: &str, ctx: &mut Ctx) {
        let channel = match self.may(name, |ns, channel, asker| ns.may_presence(channel, asker)) {
            Ok(channel) => channel,
            Err(refusal) => return self.refuse(id, refusal, ctx),
        };
        let house = self.host.node.house.clone();
        let answer = async move {
            house
                .presence(&channel)
                .await
                .map_or_else(|why| Outcome::Refused(why.into()), Outcome::Presence)
        };
        self.ask(id, answer, ctx);
    }

    pub(super) fn presence_stats(&mut self, id: u32, name: &str, ctx: &mut Ctx) {
        let channel = match self.may(name, |ns, channel, asker| ns.may_presence(channel, asker)) {
            Ok(channel) => channel,
            Err(refusal) => return self.refuse(id, refusal, ctx),
        };
        let house = self.host.node.house.clone();
        let answer = async move {
            house.presence_stats(&channel).await.map_or_else(
                |why| Outcome::Refused(why.into()),
                |s| Outcome::PresenceStats { num_clients: s.clients, num_users: s.users },
            )
        };
        self.ask(id, answer, ctx);
    }

    pub(super) fn history(&mut self, id: u32, request: HistoryRequest, ctx: &mut Ctx) {
        let may = self.may(&request.channel, |ns, channel, asker| ns.may_history(channel, asker));
        let most = self.host.node.settings.client.history_max_publication_limit;
        let (channel, range) = match may.and_then(|channel| Ok((channel, range(&request, most)?))) {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(id, refusal, ctx),
        };
        let house = self.host.node.house.clone();
        let since = request.since.map(|at| at.epoch).unwrap_or_default();
        let answer = async move {
            match read_history(&house, &channel, range, &since).await {
                Ok(page) => Outcome::History(HistoryResult {
                    publications: page.publications,
                    epoch: page.epoch,
                    offset: page.top,
                }),
                Err(refusal) => Outcome::Refused(refusal),
            }
        };
        self.ask(id, answer, ctx);
    }

    fn may<T>(
        &self,
        name: &str,
        rule: impl FnOnce(
            &crate::realtime::namespace::Namespaces,
            &Channel,
            Asker<'_>,
        ) -> Result<T, Refusal>,
    ) -> Result<Channel, Refusal> {
        let Stage::Open(open) = &self.stage else { return Err(Refusal::UNAUTHORIZED) };
        let node = &self.host.node;
        let channel = node.namespaces.channel(name)?;
        let asker = Asker {
            user: &open.user,
            is_subscriber: open.subs.get(&channel).is_some_and(|sub| sub.live),
            insecure: node.settings.client.insecure,
        };
        rule(&node.namespaces, &channel, asker)?;
        Ok(channel)
    }
}

/// What a history request asks of a journal; at most `most` publications.
pub fn range(request: &HistoryRequest, most: usize) -> Result<Range, Refusal> {
    let limit = match request.limit {
        0 => 0,
        n if n < 0 => most,
        n => (n as usize).min(most),
    };
    let direction = match (&request.since, request.reverse) {
        (None, true) => Direction::Before(None),
        (None, false) => Direction::After(0),
        (Some(at), false) => Direction::After(at.offset),
        (Some(at), true) if at.offset == 0 => {
            return Err(Refusal::BAD_REQUEST.because("nothing lies before offset 0"));
        }
        (Some(at), true) => Direction::Before(Some(at.offset)),
    };
    Ok(Range { direction, limit, max_bytes: MOST_BYTES })
}

/// Reads it; 112 if the asker's epoch is not the channel's.
pub async fn read_history(
    house: &crate::realtime::room::house::House,
    channel: &Channel,
    range: Range,
    since: &Epoch,
) -> Result<Page, Refusal> {
    let Some(journal) = house.journal(channel) else {
        return Err(Refusal::NOT_AVAILABLE.because("this channel has no history"));
    };
    let page = journal.read(channel, range).await.map_err(|unavailable| {
        log::warn!("a history could not be read: {}", unavailable.0);
        Refusal::INTERNAL.because("the journal can't be read; try again")
    })?;
    if !since.is_unknown() && *since != page.epoch {
        return Err(Refusal::UNRECOVERABLE_POSITION.because("the channel's epoch is another one"));
    }
    Ok(page)
}
