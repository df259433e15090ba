//! The first command: who is it, may it come in, and what is it subscribed to by the server.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};

use super::{
    act::Grant,
    connection::{Connection, Ctx, Open, Stage, Sub},
    deadlines::Fell,
    user::Device,
    window::Window,
};
use crate::{
    ids::{Channel, ClientId, UserId},
    platform::tokens::{Attached, ConnectionClaims, LEEWAY, Papers, TokenError},
    protocol::{
        ClientInfo, Close, Outcome, Payload, Refusal, Reply,
        command::ConnectRequest,
        reply::{ConnectResult, SubscribeResult},
    },
};

/// What stands in the `version` of a connect result.
pub(super) const VERSION: &str = concat!("fanfare ", env!("CARGO_PKG_VERSION"));

/// Tokens that live longer are refreshed once a year all the same: timers of SDKs overflow.
pub(super) const LONGEST_TTL: i64 = 365 * 86400;

/// A connect that waits for its user's actor and for rooms.
pub(super) struct Connecting {
    pub open: Open,
    pub command: u32,
    pub ttl: Option<u32>,
    /// Server-side subscriptions that rooms have not answered yet.
    pub awaited: usize,
    pub results: BTreeMap<String, SubscribeResult>,
    may_come: bool,
}

impl Connecting {
    pub fn into_parts(self) -> (UserId, ClientId, BTreeMap<Channel, Sub>) {
        (self.open.user, self.open.client, self.open.subs)
    }
}

/// Why a connection is not let in.
enum No {
    Close(Close),
    Refuse(Refusal),
}

impl Connection {
    pub(super) fn connect(&mut self, id: u32, request: ConnectRequest, ctx: &mut Ctx) {
        match self.who(&request.token).and_then(|claims| self.welcome(id, claims, request, ctx)) {
            Ok(()) => {}
            Err(No::Close(close)) => self.close(close, ctx),
            Err(No::Refuse(refusal)) => self.refuse_connect(id, refusal),
        }
    }

    /// Reads the token.
    fn who(&self, token: &str) -> Result<ConnectionClaims, No> {
        let node = &self.host.node;
        let client = &node.settings.client;
        if token.is_empty() {
            if client.insecure || client.allow_anonymous_connect_without_token {
                return Ok(ConnectionClaims {
                    user: UserId::new(""),
                    exp: None,
                    lifetime: None,
                    info: None,
                    subs: BTreeMap::new(),
                    papers: Papers::default(),
                });
            }
            return Err(No::Close(Close::BAD_REQUEST));
        }
        match node.connections.connection(token, node.now()) {
            Ok(mut claims) => {
                if client.insecure {
                    claims.lifetime = None;
                }
                if claims.user.is_anonymous()
                    && client.disallow_anonymous_connection_tokens
                    && !client.insecure
                {
                    return Err(No::Close(Close::PERMISSION_DENIED));
                }
                match self.barrier(&claims.user, &claims.papers) {
                    Some(close) => Err(No::Close(close)),
                    None => Ok(claims),
                }
            }
            Err(TokenError::Expired) => Err(No::Refuse(Refusal::TOKEN_EXPIRED)),
            Err(TokenError::Invalid(why)) => {
                log::debug!("a connection token was refused: {why}");
                Err(No::Close(Close::INVALID_TOKEN))
            }
        }
    }

    /// Asks the user's actor and the rooms; the reply goes out when all have answered.
    fn welcome(
        &mut self,
        id: u32,
        claims: ConnectionClaims,
        request: ConnectRequest,
        ctx: &mut Ctx,
    ) -> Result<(), No> {
        let node = self.host.node.clone();
        // A close and no refusal: the socket is free at once, and clients come back later and later all the same.
        node.rates.connect(&claims.user).map_err(|_| No::Close(Close::TOO_MANY_REQUESTS))?;
        let ttl = self.live_until(claims.lifetime).map_err(No::Refuse)?;
        let grants = self.grants(&claims, &request)?;
        let client = ClientId::new();
        let answers = Arc::new(AtomicBool::new(true));
        let info = Arc::new(ClientInfo {
            user: claims.user.as_str().into(),
            client: client.to_string(),
            conn_info: claims.info.map_or_else(Payload::default, payload),
            chan_info: Payload::default(),
        });
        let session = ctx.address().recipient();
        let device = Device { client, session, answers: answers.clone() };
        let busy = Refusal::INTERNAL.because("too much is going on; try again");
        let answer = node.users.join(&claims.user, device).map_err(|_| No::Refuse(busy))?;
        let open = Open {
            client,
            user: claims.user,
            info,
            answers,
            subs: BTreeMap::new(),
            token_subs: claims.subs.into_keys().collect(),
            papers: claims.papers,
            window: Window::default(),
            device: Default::default(),
            entering: Default::default(),
            busy: None,
            count: 0,
        };
        self.deadlines.clear(Fell::Stale);
        let by = self.host.roster.now() + node.settings.client.command_timeout;
        self.deadlines.set(Fell::Command, by);
        self.stage = Stage::Connecting(Box::new(Connecting {
            open,
            command: id,
            ttl,
            awaited: grants.len(),
            results: BTreeMap::new(),
            may_come: answer.is_none(),
        }));
        for grant in grants {
            if self.subscribe_by_server(&grant).is_err() {
                self.cancel_connect(Refusal::INTERNAL.because("a room is too busy; try again"));
                return Ok(());
            }
        }
        match answer {
            None => self.come_in_if_complete(ctx),
            Some(answer) => {
                let answer = answer.into_actor(self).map(|may, connection, ctx| {
                    let Stage::Connecting(connecting) = &mut connection.stage else { return };
                    match may {
                        Ok(true) => {
                            connecting.may_come = true;
                            connection.come_in_if_complete(ctx);
                        }
                        Ok(false) => connection.close(Close::CONNECTION_LIMIT, ctx),
                        // The user's actor fell. 3504 would keep the client away for ever.
                        Err(_) => connection.cancel_connect(
                            Refusal::INTERNAL.because("nobody knows yet; try again"),
                        ),
                    }
                });
                ctx.spawn(answer);
            }
        }
        Ok(())
    }

    /// Server-side subscriptions: those of the token, and the user's own channel.
    fn grants(
        &self,
        claims: &ConnectionClaims,
        request: &ConnectRequest,
    ) -> Result<Vec<Grant>, No> {
        let namespaces = &self.host.node.namespaces;
        let mut grants = Vec::new();
        let recover = |name: &str| request.subs.get(name).cloned();
        for (name, told) in &claims.subs {
            let channel = namespaces.channel(name).map_err(No::Refuse)?;
            grants.push(Grant {
                recover: recover(name),
                channel,
                chan_info: told.info.clone().map_or_else(Payload::default, payload),
                data: told.data.clone().map_or_else(Payload::default, payload),
                expire_at: None,
                overrides: told.overrides,
            });
        }
        if let Some(channel) = namespaces.personal_channel(&claims.user).map_err(No::Refuse)?
            && !claims.subs.contains_key(channel.as_str())
        {
            grants.push(Grant {
                recover: recover(&channel),
                channel,
                chan_info: Payload::default(),
                data: Payload::default(),
                expire_at: None,
                overrides: Default::default(),
            });
        }
        for grant in &grants {
            namespaces.resolve(&grant.channel).map_err(No::Refuse)?;
        }
        if grants.len() > self.host.node.settings.client.channel_limit {
            return Err(No::Close(Close::CHANNEL_LIMIT));
        }
        Ok(grants)
    }

    /// The connection lives until then; none: for ever. Seconds until then, as SDKs are told them.
    pub(super) fn live_until(&mut self, lifetime: Option<i64>) -> Result<Option<u32>, Refusal> {
        let Some(at) = lifetime else {
            self.deadlines.clear(Fell::Expired);
            return Ok(None);
        };
        self.ttl(at).map(Some)
    }

    /// Seconds until `at`, and files the end that follows the grace after it.
    fn ttl(&mut self, at: i64) -> Result<u32, Refusal> {
        let (left, ttl) = self.time_left(at)?;
        let grace = self.host.node.settings.client.expired_close_delay;
        self.deadlines.set(Fell::Expired, self.host.roster.now() + left + grace);
        Ok(ttl)
    }

    /// Time until `at` (Unix seconds), and the same in whole seconds as SDKs are told it. A moment that
    /// is past, but within the leeway of clocks, is now.
    pub(super) fn time_left(&self, at: i64) -> Result<(std::time::Duration, u32), Refusal> {
        let left = at - self.host.node.now();
        if left < -LEEWAY {
            return Err(Refusal::EXPIRED);
        }
        let left = left.clamp(1, LONGEST_TTL) as u32;
        Ok((std::time::Duration::from_secs(left.into()), left))
    }

    /// Answers `connect` once user and rooms have answered.
    pub(super) fn come_in_if_complete(&mut self, ctx: &mut Ctx) {
        match &self.stage {
            Stage::Connecting(c) if c.may_come && c.awaited == 0 => {}
            _ => return,
        }
        let Stage::Connecting(connecting) = std::mem::replace(&mut self.stage, Stage::New) else {
            return;
        };
        let Connecting { open, command, ttl, results, .. } = *connecting;
        let client = &self.host.node.settings.client;
        let result = ConnectResult {
            client: open.client.to_string(),
            version: VERSION.into(),
            expires: ttl.is_some(),
            ttl: ttl.unwrap_or_default(),
            data: Payload::default(),
            subs: results,
            ping: if self.native_ping { 0 } else { client.ping_interval.as_secs() as u32 },
            pong: !self.native_ping,
        };
        self.stage = Stage::Open(Box::new(open));
        // Barred since its token was looked at, and then it may not have been there to be told.
        if self.is_barred(ctx) {
            return;
        }
        self.deadlines.clear(Fell::Command);
        self.handshake = None;
        let reply = Reply { id: command, outcome: Outcome::Connect(Box::new(result)) };
        match crate::realtime::room::seat::Seat::encoding(&*self.line).reply(&reply) {
            Ok(bytes) => self.line.open(bytes),
            Err(_) => return self.close(Close::INAPPROPRIATE_PROTOCOL, ctx),
        }
        self.start_pinging();
        self.pump(ctx);
    }

    /// Something that a connect needs could not be had: the client is told to try again.
    pub(super) fn cancel_connect(&mut self, refusal: Refusal) {
        let Stage::Connecting(connecting) = &self.stage else { return };
        let command = connecting.command;
        self.leave_everything();
        self.refuse_connect(command, refusal);
    }

    fn refuse_connect(&mut self, id: u32, refusal: Refusal) {
        self.host.node.metrics.refused_total.code(refusal.code).inc();
        self.stage = Stage::Refused;
        self.handshake = None;
        self.deadlines.clear(Fell::Command);
        let by = self.host.roster.now() + self.host.node.settings.client.stale_close_delay;
        self.deadlines.set(Fell::Stale, by);
        let reply = Reply { id, outcome: Outcome::Refused(refusal) };
        if let Ok(bytes) = crate::realtime::room::seat::Seat::encoding(&*self.line).reply(&reply) {
            self.line.open(bytes);
        }
        self.file_deadlines();
    }
}

/// What a token carries along, as a payload.
pub(super) fn payload(attached: Attached) -> Payload {
    match attached {
        Attached::Json(json) => Payload::json(json),
        Attached::Binary(bytes) => Payload::inspect(bytes),
    }
}
