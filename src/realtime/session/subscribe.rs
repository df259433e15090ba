//! Entering and leaving channels: by the client's wish, by its token, by the server's API.

use std::sync::Arc;

use super::{
    act::Grant,
    connect::payload,
    connection::{Connection, Ctx, Doing, Stage, Sub},
    deadlines::Fell,
};
use crate::{
    ids::Channel,
    platform::tokens::{Overrides, SubscriptionClaims, TokenError},
    protocol::{ClientInfo, Close, Outcome, Payload, Refusal, command::SubscribeRequest},
    realtime::{
        namespace::{Asker, Namespace},
        room::{
            busy::Busy,
            request::{Leave, Request, Subscribe},
            seat::{Announced, Identity, SubscriptionNumber, Told, Wishes},
        },
    },
};

/// `flag` of a subscribe request: refuse rather than start at the top.
const ELSE_REFUSE: i64 = 2;

/// The only delta format there is.
const FOSSIL: &str = "fossil";

/// Why a subscribe does not go on.
enum No {
    Close(Close),
    Refuse(Refusal),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl Connection {
    pub(super) fn subscribe(&mut self, id: u32, request: SubscribeRequest, ctx: &mut Ctx) {
        match self.admit(id, request) {
            Ok((channel, request)) => self.line_up(id, channel, request, ctx),
            Err(No::Refuse(refusal)) => self.refuse(id, refusal, ctx),
            Err(No::Close(close)) => self.close(close, ctx),
        }
    }

    /// Decides whether, and as what, the client may enter.
    fn admit(&mut self, id: u32, request: SubscribeRequest) -> Result<(Channel, Subscribe), No> {
        let node = self.host.node.clone();
        let Stage::Open(open) = &self.stage else { return Err(No::Close(Close::BAD_REQUEST)) };
        if request.channel.is_empty() {
            return Err(No::Close(Close::BAD_REQUEST));
        }
        let channel = node.namespaces.channel(&request.channel)?;
        if open.subs.contains_key(&channel) {
            return Err(Refusal::ALREADY_SUBSCRIBED.into());
        }
        let most = node.settings.client.channel_limit;
        if open.subs.len() >= most {
            let why = format_args!("a connection has at most {most} subscriptions");
            return Err(Refusal::LIMIT_EXCEEDED.because(why).into());
        }
        if request.kind != 0 {
            let why = format_args!("subscriptions are of type 0, a stream; got {}", request.kind);
            return Err(Refusal::BAD_REQUEST.because(why).into());
        }
        if request.has_filter {
            return Err(Refusal::BAD_REQUEST.because("tags filters are not served").into());
        }
        if !request.delta.is_empty() && request.delta != FOSSIL {
            return Err(No::Close(Close::BAD_REQUEST));
        }
        let claims = match request.token.as_str() {
            "" => None,
            token => Some(self.verified(token, &channel)?),
        };
        let Stage::Open(open) = &self.stage else { return Err(No::Close(Close::BAD_REQUEST)) };
        let asker = Asker {
            user: &open.user,
            is_subscriber: false,
            insecure: node.settings.client.insecure,
        };
        let namespace = node.namespaces.may_subscribe(&channel, asker, claims.is_some())?;
        let may_history = node.namespaces.may_history(&channel, asker).is_ok();
        let overrides = claims.as_ref().map_or_else(Overrides::default, |c| c.overrides);
        let wishes = wishes(&namespace, &request, overrides, may_history);
        let (lifetime, chan_info, data) = match claims {
            None => (None, Payload::default(), Payload::default()),
            Some(claims) => (
                claims.lifetime.filter(|_| !node.settings.client.insecure),
                claims.info.map_or_else(Payload::default, payload),
                claims.data.map_or_else(Payload::default, payload),
            ),
        };
        let (expires_at, ttl) = self.subscription_ttl(lifetime)?;
        let who = self.enroll(&channel, chan_info, expires_at, false);
        let recover = request.recover.filter(|_| wishes.recoverable);
        let else_refuse = request.flag & ELSE_REFUSE != 0;
        let told = Told::Reply(id);
        Ok((channel, Subscribe { who, wishes, recover, else_refuse, data, ttl, told }))
    }

    /// A subscription token that is good for this connection and channel.
    pub(super) fn verified(
        &self,
        token: &str,
        channel: &Channel,
    ) -> Result<SubscriptionClaims, NoToken> {
        let node = &self.host.node;
        let Stage::Open(open) = &self.stage else { return Err(NoToken::Wrong) };
        match node.subscriptions.subscription(token, node.now()) {
            Ok(claims) => {
                let for_client = claims.client.as_ref();
                let is_ours = claims.channel == channel.as_str()
                    && claims.user == open.user
                    && for_client.is_none_or(|client| *client == open.info.client);
                if !is_ours {
                    return Err(NoToken::Wrong);
                }
                match self.barrier(&claims.user, &claims.papers) {
                    Some(_) => Err(NoToken::Invalid("it was revoked".into())),
                    None => Ok(claims),
                }
            }
            Err(TokenError::Expired) => Err(NoToken::Expired),
            Err(TokenError::Invalid(why)) => {
                log::debug!("a subscription token was refused: {why}");
                Err(NoToken::Invalid(why.to_string()))
            }
        }
    }

    /// When a subscription ends on the worker's clock, and its seconds as SDKs are told them.
    pub(super) fn subscription_ttl(
        &self,
        lifetime: Option<i64>,
    ) -> Result<(Option<std::time::Duration>, Option<u32>), Refusal> {
        let Some(at) = lifetime else { return Ok((None, None)) };
        let (left, ttl) = self.time_left(at)?;
        let grace = self.host.node.settings.client.expired_sub_close_delay;
        Ok((Some(self.host.roster.now() + left + grace), Some(ttl)))
    }

    /// Notes the subscription, so that whatever is said about it is understood.
    fn enroll(
        &mut self,
        channel: &Channel,
        chan_info: Payload,
        expires_at: Option<std::time::Duration>,
        server_side: bool,
    ) -> Identity {
        let seat = self.line.id();
        let open = match &mut self.stage {
            Stage::Open(open) => open.as_mut(),
            Stage::Connecting(connecting) => &mut connecting.open,
            _ => return Identity { seat, number: 0, info: Arc::default() },
        };
        open.count += 1;
        let number = open.count;
        let info = if chan_info.is_empty() {
            open.info.clone()
        } else {
            Arc::new(ClientInfo { chan_info, ..(*open.info).clone() })
        };
        let sub = Sub { number, live: false, server_side, expires_at, info: info.clone() };
        open.subs.insert(channel.clone(), sub);
        self.file_subscription_expiry();
        Identity { seat, number, info }
    }

    /// A subscription that the client did not ask for.
    pub(super) fn subscribe_by_server(&mut self, grant: &Grant) -> Result<(), Busy> {
        let told = match self.stage {
            Stage::Connecting(_) => Told::Connect,
            _ => Told::Push,
        };
        let node = self.host.node.clone();
        let Ok(namespace) = node.namespaces.resolve(&grant.channel) else { return Ok(()) };
        let Ok((expires_at, ttl)) = self.subscription_ttl(grant.expire_at) else { return Ok(()) };
        let asked = SubscribeRequest { join_leave: true, ..SubscribeRequest::default() };
        let wishes = wishes(&namespace, &asked, grant.overrides, false);
        let recover = grant.recover.clone().filter(|_| wishes.recoverable);
        let who = self.enroll(&grant.channel, grant.chan_info.clone(), expires_at, true);
        let data = grant.data.clone();
        let request = Subscribe { who, wishes, recover, else_refuse: false, data, ttl, told };
        node.house.ask(&grant.channel, Request::Subscribe(Box::new(request)))
    }

    // Leaving.

    pub(super) fn unsubscribe(&mut self, id: u32, name: &str, ctx: &mut Ctx) {
        let Stage::Open(open) = &mut self.stage else { return };
        let Ok(channel) = self.host.node.namespaces.channel(name) else {
            return self.reply(id, Outcome::Unsubscribe, ctx);
        };
        match open.subs.get(&channel) {
            Some(sub) if !sub.server_side => {
                let number = sub.number;
                let leave = Leave { seat: self.line.id(), number, command: Some(id) };
                self.forget(&channel);
                if self.host.node.house.good_bye(&channel, leave) {
                    // The reply comes through the hub, behind the last publication.
                    self.begin(id, Doing::Unsubscribe(channel, number));
                } else {
                    self.reply(id, Outcome::Unsubscribe, ctx);
                }
            }
            Some(_) => {
                self.leave(&channel);
                self.reply(id, Outcome::Unsubscribe, ctx);
            }
            None => self.reply(id, Outcome::Unsubscribe, ctx),
        }
    }

    /// Leaves a channel without a word to the client.
    pub(super) fn leave(&mut self, channel: &Channel) {
        if let Some(number) = self.forget(channel) {
            let leave = Leave { seat: self.line.id(), number, command: None };
            self.host.node.house.good_bye(channel, leave);
        }
    }

    /// Drops a subscription from the list.
    pub(super) fn forget(&mut self, channel: &Channel) -> Option<SubscriptionNumber> {
        let open = match &mut self.stage {
            Stage::Open(open) => open.as_mut(),
            Stage::Connecting(connecting) => &mut connecting.open,
            _ => return None,
        };
        let sub = open.subs.remove(channel)?;
        if sub.live {
            self.host.node.metrics.subscriptions.dec();
        }
        Some(sub.number)
    }

    /// The next end of a subscription whose token runs out.
    pub(super) fn file_subscription_expiry(&mut self) {
        let open = match &self.stage {
            Stage::Open(open) => open.as_ref(),
            Stage::Connecting(connecting) => &connecting.open,
            _ => return,
        };
        match open.subs.values().filter_map(|sub| sub.expires_at).min() {
            Some(at) => self.deadlines.set(Fell::SubscriptionExpired, at),
            None => self.deadlines.clear(Fell::SubscriptionExpired),
        }
    }
}

/// What is wrong with a subscription token.
pub(super) enum NoToken {
    Expired,
    Invalid(String),
    /// It is good, but not for this user, channel or connection.
    Wrong,
}

impl From<NoToken> for No {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::Expired => Self::Refuse(Refusal::TOKEN_EXPIRED),
            NoToken::Invalid(why) => Self::Refuse(Refusal::PERMISSION_DENIED.because(why)),
            NoToken::Wrong => Self::Close(Close::INVALID_TOKEN),
        }
    }
}

/// What the member gets of what it asked for, by the namespace and what its token overrides in it.
fn wishes(
    namespace: &Namespace,
    asked: &SubscribeRequest,
    overrides: Overrides,
    may_history: bool,
) -> Wishes {
    let has_history = namespace.has_history();
    let force_recovery = overrides.force_recovery.unwrap_or(namespace.force_recovery);
    let force_positioning = overrides.force_positioning.unwrap_or(namespace.force_positioning);
    let recoverable = has_history
        && (force_recovery || asked.recoverable && (namespace.allow_recovery || may_history));
    let positioned = has_history
        && (recoverable
            || force_positioning
            || asked.positioned && (namespace.allow_positioning || may_history));
    let join_leave = overrides.join_leave.unwrap_or(namespace.join_leave);
    let force_push = overrides.force_push_join_leave.unwrap_or(namespace.force_push_join_leave);
    Wishes {
        positioned,
        recoverable,
        join_leave: join_leave && (force_push || asked.join_leave),
        delta: asked.delta == FOSSIL && namespace.allows_fossil() && has_history,
        announced: Announced {
            presence: overrides.presence.unwrap_or(namespace.presence),
            join_leave,
        },
    }
}
