//! New tokens for old: the connection's, and those of its subscriptions.

use super::{
    connection::{Connection, Ctx, Stage},
    subscribe::NoToken,
};
use crate::{
    platform::tokens::TokenError,
    protocol::{
        Close, Outcome, Push, Refusal, push::Event, refusal::Unsubscribed, reply::RefreshResult,
    },
};

impl Connection {
    pub(super) fn refresh(&mut self, id: u32, token: &str, ctx: &mut Ctx) {
        let node = self.host.node.clone();
        if token.is_empty() {
            return self.close(Close::BAD_REQUEST, ctx);
        }
        let claims = match node.connections.connection(token, node.now()) {
            Ok(claims) => claims,
            Err(TokenError::Expired) => return self.close(Close::EXPIRED, ctx),
            Err(TokenError::Invalid(why)) => {
                log::debug!("a token to refresh with was refused: {why}");
                return self.close(Close::INVALID_TOKEN, ctx);
            }
        };
        let Stage::Open(open) = &self.stage else { return };
        if claims.user != open.user {
            return self.close(Close::INVALID_TOKEN, ctx);
        }
        if !self.has_same_subscriptions(&claims.subs) {
            return self.close(Close::INSUFFICIENT_STATE, ctx);
        }
        if let Some(close) = self.barrier(&claims.user, &claims.papers) {
            return self.close(close, ctx);
        }
        let client = open.info.client.clone();
        let Ok(ttl) = self.live_until(claims.lifetime) else {
            return self.close(Close::EXPIRED, ctx);
        };
        if let Stage::Open(open) = &mut self.stage {
            open.papers = claims.papers;
        }
        let result = RefreshResult {
            client,
            version: super::connect::VERSION.into(),
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
        };
        self.reply(id, Outcome::Refresh(result), ctx);
    }

    /// Whether the server-side subscriptions of a new token are those that the connection began with.
    fn has_same_subscriptions<T>(&self, told: &std::collections::BTreeMap<String, T>) -> bool {
        let Stage::Open(open) = &self.stage else { return false };
        open.token_subs.len() == told.len()
            && told.keys().all(|name| open.token_subs.contains(name))
    }

    pub(super) fn sub_refresh(&mut self, id: u32, name: &str, token: &str, ctx: &mut Ctx) {
        if name.is_empty() {
            return self.close(Close::BAD_REQUEST, ctx);
        }
        let found = self.host.node.namespaces.channel(name).ok().filter(
            |channel| matches!(&self.stage, Stage::Open(open) if open.subs.contains_key(channel)),
        );
        let Some(channel) = found else {
            let refusal = Refusal::PERMISSION_DENIED.because("not subscribed to this channel");
            return self.refuse(id, refusal, ctx);
        };
        if token.is_empty() {
            let refusal = Refusal::BAD_REQUEST.because("a subscription token is missing");
            return self.refuse(id, refusal, ctx);
        }
        match self.verified(token, &channel) {
            Ok(claims) => {
                let (expires_at, ttl) = match self.subscription_ttl(claims.lifetime) {
                    Ok(times) => times,
                    Err(refusal) => return self.refuse(id, refusal, ctx),
                };
                let Stage::Open(open) = &mut self.stage else { return };
                if let Some(sub) = open.subs.get_mut(&channel) {
                    sub.expires_at = expires_at;
                }
                self.file_subscription_expiry();
                let outcome =
                    Outcome::SubRefresh { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() };
                self.reply(id, outcome, ctx);
            }
            // An error would end the subscription for good; this makes the client come back with another.
            Err(NoToken::Expired) => {
                self.push_unsubscribe(&channel, Unsubscribed::EXPIRED, ctx);
            }
            Err(NoToken::Invalid(_) | NoToken::Wrong) => self.close(Close::INVALID_TOKEN, ctx),
        }
    }

    /// Ends the subscriptions whose time is over.
    pub(super) fn expire_subscriptions(&mut self, ctx: &mut Ctx) {
        let now = self.host.roster.now();
        let Stage::Open(open) = &self.stage else { return };
        let over: Vec<_> = open
            .subs
            .iter()
            .filter(|(_, sub)| sub.expires_at.is_some_and(|at| at <= now))
            .map(|(channel, sub)| (channel.clone(), sub.server_side))
            .collect();
        for (channel, server_side) in over {
            if server_side {
                return self.close(Close::SUBSCRIPTION_EXPIRED, ctx);
            }
            self.push_unsubscribe(&channel, Unsubscribed::EXPIRED, ctx);
        }
        self.file_subscription_expiry();
    }

    /// Ends a subscription and tells the client why.
    pub(super) fn push_unsubscribe(
        &mut self,
        channel: &crate::ids::Channel,
        why: Unsubscribed,
        ctx: &mut Ctx,
    ) {
        self.leave(channel);
        self.push(&Push { channel: channel.clone(), event: Event::Unsubscribe(why) }, ctx);
    }
}
