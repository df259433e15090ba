//! What a client of the crowd says first, and what it does with what it hears.

use super::{
    ANSWERS_WITHIN, Crowd,
    client::{Asked, Stage, State},
    node_number, user_name,
};
use crate::{
    load::{
        Failure,
        chaos::{
            invariant::is_final_close,
            record::{BY_WISH_LEFT, Nanos, Outcome, SECOND, What},
            wire::{self, Connected, Place, Push, Refusal, Reply, Subscribed},
        },
        frame::{self, Opcode},
        handshake::{self, Answer},
    },
    protocol::Encoding,
};

/// What SDKs allow beyond the interval of pings.
const PING_GRACE: Nanos = 10 * SECOND;
/// Without pings nothing is ever late.
const NEVER: Nanos = Nanos::MAX / 2;
/// The endpoint of clients.
const PATH: &str = "/connection/websocket";

impl Crowd {
    /// Something happened on a client's socket.
    pub(super) fn attend(&mut self, who: usize) -> Result<(), Failure> {
        if self.clients[who].stage == Stage::Dialling {
            match self.clients[who].has_connected() {
                Ok(true) => self.upgrade(who),
                Ok(false) => return Ok(()),
                Err(_) => {
                    self.broken(who, 0);
                    return Ok(());
                }
            }
        }
        if self.clients[who].flush().is_err() {
            self.broken(who, 0);
            return Ok(());
        }
        self.listen(who)
    }

    fn upgrade(&mut self, who: usize) {
        let user = user_name(self.clients[who].made.user);
        let nonce = rand::random();
        let request = handshake::request("127.0.0.1", PATH, Some(&user), Encoding::Json, nonce);
        self.clients[who].stage = Stage::Upgrading;
        self.clients[who].say_raw(&request);
        self.dirty.push(who);
    }

    /// Reads until the socket is dry.
    pub(super) fn listen(&mut self, who: usize) -> Result<(), Failure> {
        while self.clients[who].reads && self.clients[who].socket.is_some() {
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = self.clients[who].read(&mut buffer);
            self.buffer = buffer;
            match read {
                Ok(Some(0)) | Err(_) => {
                    self.broken(who, 0);
                    return Ok(());
                }
                Ok(Some(_)) => self.hear(who)?,
                Ok(None) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes whole frames from what was read.
    fn hear(&mut self, who: usize) -> Result<(), Failure> {
        let now = self.clock.now();
        let bytes = std::mem::take(&mut self.clients[who].rest);
        let mut used = 0;
        if self.clients[who].stage == Stage::Upgrading {
            match handshake::answer(&bytes) {
                Answer::More => {
                    self.clients[who].rest = bytes;
                    return Ok(());
                }
                Answer::Agreed(end) => used = end,
                Answer::Refused(_) => {
                    self.broken(who, 0);
                    return Ok(());
                }
            }
            self.introduce(who, now)?;
        }
        let bears = self.clients[who].bears;
        self.clients[who].patience = match self.clients[who].stage {
            Stage::Up => now.saturating_add(bears),
            _ => now + ANSWERS_WITHIN,
        };
        while self.clients[who].socket.is_some() {
            let first = frame::first(&bytes[used..])
                .map_err(|e| Failure(format!("a client was sent a frame {}", e.0)))?;
            let Some(frame) = first else { break };
            used += frame.length;
            match frame.opcode {
                Opcode::Text => self.replies(who, frame.payload, now)?,
                Opcode::Ping => {
                    let mut pong = Vec::new();
                    frame::write_masked(Opcode::Pong, frame.payload, rand::random(), &mut pong);
                    self.clients[who].say_raw(&pong);
                    self.dirty.push(who);
                }
                Opcode::Close => self.closed(who, frame::close(frame.payload).0),
                Opcode::Pong | Opcode::Binary | Opcode::Continuation => {}
            }
        }
        if self.clients[who].socket.is_some() {
            self.clients[who].rest = bytes[used..].to_vec();
        }
        Ok(())
    }

    /// A close frame came: what an SDK takes for final is final here.
    fn closed(&mut self, who: usize, code: u16) {
        if is_final_close(code) {
            self.clients[who].wanted = false;
        }
        self.broken(who, code);
    }

    /// Says who it is, and where it stands in the channel that the server subscribes it to.
    fn introduce(&mut self, who: usize, now: Nanos) -> Result<(), Failure> {
        let token = self.token(self.clients[who].made.user)?;
        let client = &mut self.clients[who];
        client.stage = Stage::Connecting;
        let id = client.ask(Asked::Connect, now);
        let epochs = &self.ledger.history.epochs;
        let personal = client.made.personal.and_then(|channel| {
            let (offset, epoch) = client.sub(channel)?.position?;
            Some((channel, offset, epochs.get(epoch)?.to_string()))
        });
        let subs = personal
            .iter()
            .map(|(channel, offset, epoch)| (self.ledger.name(*channel), *offset, epoch.as_str()));
        let words = wire::connect(id, &token, subs);
        self.say(who, words.as_bytes());
        Ok(())
    }

    fn replies(&mut self, who: usize, payload: &[u8], now: Nanos) -> Result<(), Failure> {
        for reply in wire::replies(payload) {
            let reply = reply.map_err(|e| {
                Failure(format!("user {} can't read a reply: {e}", user_name(who as u32)))
            })?;
            if self.clients[who].socket.is_none() {
                return Ok(());
            }
            if reply.is_ping() {
                if self.clients[who].pongs {
                    self.say(who, b"{}");
                }
            } else if let Some(push) = reply.push {
                self.pushed(who, &push, now);
            } else if let Some(asked) = self.clients[who].take(reply.id) {
                self.replied(who, asked, &reply, now);
            }
        }
        Ok(())
    }

    fn pushed(&mut self, who: usize, push: &Push<'_>, now: Nanos) {
        let subscriber = self.clients[who].subscriber;
        let ledger = &self.ledger;
        let mut subs = self.clients[who].subs.iter_mut();
        let Some(sub) = subs.find(|sub| ledger.name(sub.channel) == push.channel) else {
            return;
        };
        let channel = sub.channel;
        if let Some(publication) = &push.publication {
            let epoch = sub.position.map_or(0, |(_, epoch)| epoch);
            sub.position = Some((publication.offset, epoch));
            self.ledger.delivered(subscriber, channel, publication, now);
        }
        if let Some(ended) = &push.unsubscribe {
            // What is asked for meanwhile is asked for after this, and answered by itself.
            if sub.state == State::In {
                sub.state = State::Out;
            }
            sub.wanted &= ended.code >= 2500;
            self.ledger.saw(subscriber, now, What::Left { channel, code: ended.code });
            self.ask_later(who, channel);
        }
    }

    fn replied(&mut self, who: usize, asked: Asked, reply: &Reply<'_>, now: Nanos) {
        match (asked, &reply.error) {
            (Asked::Publish(attempt), refusal) => {
                let outcome = match refusal {
                    Some(refusal) if refusal.temporary => Outcome::Unknown,
                    Some(refusal) => Outcome::Refused { code: refusal.code },
                    None => self.place(reply),
                };
                self.answered(who, attempt, outcome, now);
            }
            (Asked::Connect, Some(refusal)) => {
                self.refused(who, refusal, now);
                self.broken(who, 0);
            }
            (Asked::Connect, None) => {
                if let Some(connected) = &reply.connect {
                    self.connected(who, connected, now);
                }
            }
            (Asked::Subscribe(channel), Some(refusal)) => {
                self.refused(who, refusal, now);
                if let Some(sub) = self.clients[who].sub(channel) {
                    sub.state = State::Out;
                    sub.wanted &= refusal.temporary;
                }
                self.ask_later(who, channel);
            }
            (Asked::Subscribe(channel), None) => {
                if let Some(granted) = &reply.subscribe {
                    self.joined(who, channel, granted, now);
                }
            }
            (Asked::Unsubscribe(channel), _) => {
                let subscriber = self.clients[who].subscriber;
                let left = What::Left { channel, code: BY_WISH_LEFT };
                self.ledger.saw(subscriber, now, left);
                if let Some(sub) = self.clients[who].sub(channel)
                    && sub.state == State::Leaving
                {
                    sub.state = State::Out;
                }
                self.ask_for(who, channel);
            }
        }
    }

    /// Where a publish was told that it stands. An answer without a place is no answer.
    fn place(&mut self, reply: &Reply<'_>) -> Outcome {
        let data = reply.rpc.as_ref().and_then(|rpc| rpc.data);
        let place = data.and_then(|data| serde_json::from_str::<Place<'_>>(data.get()).ok());
        match place {
            Some(place) => Outcome::Ok {
                offset: place.offset,
                epoch: self.ledger.history.epochs.number(&place.epoch),
            },
            None => Outcome::Unknown,
        }
    }

    fn refused(&mut self, who: usize, refusal: &Refusal, now: Nanos) {
        let what = What::Refused { code: refusal.code, temporary: refusal.temporary };
        self.ledger.saw(self.clients[who].subscriber, now, what);
    }

    fn connected(&mut self, who: usize, connected: &Connected<'_>, now: Nanos) {
        let client = &mut self.clients[who];
        client.stage = Stage::Up;
        client.failures = 0;
        client.pongs = connected.pong;
        client.bears = match connected.ping {
            0 => NEVER,
            seconds => seconds * SECOND + PING_GRACE,
        };
        client.patience = now.saturating_add(client.bears);
        let node = node_number(client.at);
        let (subscriber, personal) = (client.subscriber, client.made.personal);
        let channels: Vec<u32> = client.subs.iter().map(|sub| sub.channel).collect();
        self.ledger.saw(subscriber, now, What::Connected { node });
        if let Some(channel) = personal {
            match connected.subs.get(self.ledger.name(channel)) {
                Some(granted) => self.joined(who, channel, granted, now),
                // An SDK takes it for unsubscribed.
                None => self.ledger.saw(subscriber, now, What::Left { channel, code: 2 }),
            }
        }
        for channel in channels {
            self.ask_for(who, channel);
        }
    }

    fn joined(&mut self, who: usize, channel: u32, granted: &Subscribed<'_>, now: Nanos) {
        let subscriber = self.clients[who].subscriber;
        let Some(sub) = self.clients[who].sub(channel) else { return };
        let before = sub.position;
        sub.state = State::In;
        let wanted = sub.wanted;
        let stands = self.ledger.joined(subscriber, channel, before, granted, now);
        if let Some(sub) = self.clients[who].sub(channel) {
            sub.position = Some(stands);
        }
        if !wanted {
            self.unsubscribe(who, channel);
        }
    }
}
