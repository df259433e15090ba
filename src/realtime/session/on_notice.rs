//! What rooms say to a connection, what the server does to it, and what happens when nobody answers.

use std::sync::Arc;

use super::{
    act::{Deed, Refreshed},
    connection::{Connection, Ctx, Doing, Stage},
};
use crate::{
    ids::Channel,
    protocol::{
        ClientInfo, Close, Payload, Push, Refusal, push::Event, refusal::Unsubscribed,
        reply::SubscribeResult,
    },
    realtime::room::{
        request::Leave,
        seat::{Notice, SubscriptionNumber},
    },
};

impl Connection {
    pub(super) fn on_notice(&mut self, notice: Notice, ctx: &mut Ctx) {
        match notice {
            Notice::Entered { channel, number, result } => {
                self.entered(channel, number, *result, ctx);
            }
            Notice::Refused { channel, number, refusal } => {
                self.refused(&channel, number, refusal, ctx);
            }
            Notice::Left { channel, number } => {
                let unsubscribing = matches!(
                    self.doing(),
                    Some(Doing::Unsubscribe(from, as_of)) if *from == channel && *as_of == number
                );
                if unsubscribing {
                    self.done(ctx);
                }
            }
            Notice::Behind { channel, number } => self.behind(&channel, number, ctx),
            Notice::Close(close) => self.close(close, ctx),
        }
    }

    fn doing(&self) -> Option<&Doing> {
        match &self.stage {
            Stage::Open(open) => open.busy.as_ref().map(|busy| &busy.what),
            _ => None,
        }
    }

    fn entered(
        &mut self,
        channel: Channel,
        number: SubscriptionNumber,
        result: SubscribeResult,
        ctx: &mut Ctx,
    ) {
        let (subs, connecting) = match &mut self.stage {
            Stage::Open(open) => (&mut open.subs, None),
            Stage::Connecting(c) => (&mut c.open.subs, Some((&mut c.results, &mut c.awaited))),
            _ => return,
        };
        let Some(sub) = subs.get_mut(&channel).filter(|sub| sub.number == number) else {
            // Given up meanwhile.
            let leave = Leave { seat: self.line.id(), number, command: None };
            self.host.node.house.good_bye(&channel, leave);
            return self.end_if_awaited(&channel, number, ctx);
        };
        sub.live = true;
        let server_side = sub.server_side;
        self.host.node.metrics.subscriptions.inc();
        match (connecting, server_side) {
            (Some((results, awaited)), _) => {
                results.insert(channel.as_str().into(), result);
                *awaited -= 1;
                self.come_in_if_complete(ctx);
            }
            // Its push is queued already.
            (None, true) => {}
            (None, false) => self.end_if_awaited(&channel, number, ctx),
        }
    }

    /// A room has answered the subscribe that waits for it, if one does.
    fn end_if_awaited(&mut self, channel: &Channel, number: SubscriptionNumber, ctx: &mut Ctx) {
        if matches!(&self.stage, Stage::Open(open) if open.entering.awaits(channel, number)) {
            self.end_first(ctx);
        }
    }

    fn refused(
        &mut self,
        channel: &Channel,
        number: SubscriptionNumber,
        refusal: Refusal,
        ctx: &mut Ctx,
    ) {
        let known = match &self.stage {
            Stage::Open(open) => open.subs.get(channel),
            Stage::Connecting(connecting) => connecting.open.subs.get(channel),
            _ => return,
        };
        if known.is_none_or(|sub| sub.number != number) {
            return;
        }
        self.forget(channel);
        if matches!(self.stage, Stage::Connecting(_)) {
            // Leaving the channel out would make the client forget where it stood.
            return self.cancel_connect(refusal);
        }
        if matches!(&self.stage, Stage::Open(open) if open.entering.awaits(channel, number)) {
            self.refuse_first(refusal, ctx);
        }
    }

    fn behind(&mut self, channel: &Channel, number: SubscriptionNumber, ctx: &mut Ctx) {
        let subs = match &self.stage {
            Stage::Open(open) => &open.subs,
            Stage::Connecting(connecting) => &connecting.open.subs,
            _ => return,
        };
        match subs.get(channel) {
            Some(sub) if sub.number == number && sub.server_side => {
                self.close(Close::INSUFFICIENT_STATE, ctx);
            }
            Some(sub) if sub.number == number => {
                self.push_unsubscribe(channel, Unsubscribed::INSUFFICIENT_STATE, ctx);
            }
            _ => {}
        }
    }

    /// Whoever should have answered did not.
    pub(super) fn on_command_deadline(&mut self, ctx: &mut Ctx) {
        let late = Refusal::INTERNAL.because("it took too long; try again");
        if matches!(self.stage, Stage::Connecting(_)) {
            return self.cancel_connect(late);
        }
        let Stage::Open(open) = &mut self.stage else { return };
        let Some(busy) = open.busy.take() else {
            log::warn!("a subscribe was not answered in time");
            return self.refuse_first(late, ctx);
        };
        log::warn!("a command was not answered in time: {:?}", std::mem::discriminant(&busy.what));
        match busy.what {
            // Unsubscribe never fails; a client that gets no answer connects again.
            Doing::Unsubscribe(..) => return self.close(Close::INTERNAL, ctx),
            Doing::Ask => self.refuse(busy.command, late, ctx),
        }
        self.done(ctx);
    }

    pub(super) fn on_act(&mut self, deed: Deed, ctx: &mut Ctx) {
        if !matches!(self.stage, Stage::Open(_)) {
            // A connect under way is cut short: the client comes back, and the act is done by then.
            if matches!(self.stage, Stage::Connecting(_)) {
                let close = match deed {
                    Deed::Disconnect(close) => close,
                    // Asked again when all else is answered.
                    Deed::Recheck => return,
                    _ => Close::FORCE_RECONNECT,
                };
                self.close(close, ctx);
            }
            return;
        }
        match deed {
            Deed::Disconnect(close) => self.close(close, ctx),
            Deed::Recheck => drop(self.is_barred(ctx)),
            Deed::Unsubscribe(Some(channel), why) => self.unsubscribe_by_server(&channel, why, ctx),
            Deed::Unsubscribe(None, why) => {
                let Stage::Open(open) = &self.stage else { return };
                for channel in open.subs.keys().cloned().collect::<Vec<_>>() {
                    self.unsubscribe_by_server(&channel, why.clone(), ctx);
                }
            }
            Deed::Subscribe(grant) => {
                let Stage::Open(open) = &self.stage else { return };
                let most = self.host.node.settings.client.channel_limit;
                if open.subs.contains_key(&grant.channel) || open.subs.len() >= most {
                    return;
                }
                if self.subscribe_by_server(&grant).is_err() {
                    self.close(Close::INSUFFICIENT_STATE, ctx);
                }
            }
            Deed::Refresh(refreshed) => self.refresh_by_server(refreshed, ctx),
        }
    }

    fn unsubscribe_by_server(&mut self, channel: &Channel, why: Unsubscribed, ctx: &mut Ctx) {
        let Stage::Open(open) = &self.stage else { return };
        if open.subs.get(channel).is_some_and(|sub| sub.live) {
            self.push_unsubscribe(channel, why, ctx);
        }
    }

    fn refresh_by_server(&mut self, refreshed: Refreshed, ctx: &mut Ctx) {
        if refreshed.expired {
            return self.close(Close::EXPIRED, ctx);
        }
        let Ok(ttl) = self.live_until(refreshed.expire_at) else {
            return self.close(Close::EXPIRED, ctx);
        };
        if let Some(info) = refreshed.info {
            self.tell_others(&info);
        }
        let event = Event::Refresh { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() };
        self.push(&Push { channel: Channel::trusted(""), event }, ctx);
    }

    /// Says something else of itself with all that it publishes from now on. In presence it stays who it was when it
    /// entered.
    fn tell_others(&mut self, conn_info: &Payload) {
        let Stage::Open(open) = &mut self.stage else { return };
        let changed = |info: &ClientInfo| {
            Arc::new(ClientInfo { conn_info: conn_info.clone(), ..info.clone() })
        };
        open.info = changed(&open.info);
        for sub in open.subs.values_mut() {
            sub.info = changed(&sub.info);
        }
    }

    /// Says good-bye to user and rooms of a connect that is not to be.
    pub(super) fn leave_everything(&mut self) {
        let subs: Vec<Channel> = match &self.stage {
            Stage::Connecting(connecting) => connecting.open.subs.keys().cloned().collect(),
            _ => return,
        };
        for channel in &subs {
            self.leave(channel);
        }
        if let Stage::Connecting(connecting) = &self.stage {
            self.host.node.users.leave(&connecting.open.user, connecting.open.client);
        }
    }
}
