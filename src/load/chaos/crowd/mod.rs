//! The clients of a run, all on one thread: they come in, come back as the SDKs do, and what they see is written down.

mod client;
mod coming;
mod talk;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io,
    net::SocketAddr,
    time::Duration,
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mio::{Events, Poll};
use serde_json::json;

use self::client::{Asked, Client, Stage, State, Sub};
pub use self::client::{Door, Newcomer};
use super::{
    dice::Dice,
    ledger::Ledger,
    record::{BY_WISH_CLOSED, Nanos, Outcome, SECOND},
    wire,
};
use crate::load::{Failure, clock::Clock};

/// Publishes of one client under way at a time.
pub const WINDOW: usize = 8;
/// Commands that are not answered for so long will not be; SDKs wait as long.
const ANSWERS_WITHIN: Nanos = 5 * SECOND;
/// The first wait before coming back, and the longest. Half of each is drawn.
const COME_BACK: (Nanos, Nanos) = (SECOND / 5, SECOND);
/// How often clients are looked at for answers that are late.
const LOOK: Nanos = SECOND / 20;
/// A second longer than tokens are good for in any run.
const TOKEN_LIFE: u64 = 24 * 3600;
/// What a client that will stop reading lets wait in the kernel, in bytes.
const SMALL: usize = 4096;

/// Where clients come in, and with which secret their tokens are signed.
pub struct Doors {
    pub nodes: Vec<SocketAddr>,
    pub nginx: Option<SocketAddr>,
    pub secret: String,
}

/// The crowd.
pub struct Crowd {
    pub ledger: Ledger,
    pub clock: Clock,
    clients: Vec<Client>,
    doors: Doors,
    key: EncodingKey,
    tokens: HashMap<u32, String>,
    dice: Dice,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// When somebody dials, or asks again for a channel.
    later: BinaryHeap<Reverse<(Nanos, usize, u32)>>,
    dirty: Vec<usize>,
    looked: Nanos,
    /// Answers to publishes since they were last taken: client, message, outcome.
    outcomes: Vec<(usize, u32, Outcome)>,
}

/// In `later`: not a channel, but the connection.
const DIAL: u32 = u32::MAX;

impl Crowd {
    /// Nobody yet.
    pub fn new(ledger: Ledger, clock: Clock, doors: Doors, seed: u64) -> Result<Self, Failure> {
        Ok(Self {
            ledger,
            clock,
            clients: Vec::new(),
            key: EncodingKey::from_secret(doors.secret.as_bytes()),
            doors,
            tokens: HashMap::new(),
            dice: Dice::new(seed),
            poll: Poll::new().map_err(|e| Failure(format!("can't poll sockets: {e}")))?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            later: BinaryHeap::new(),
            dirty: Vec::new(),
            looked: 0,
            outcomes: Vec::new(),
        })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u8 {
        self.doors.nodes.len() as u8
    }

    /// A new client, which connects.
    pub fn add(&mut self, made: Newcomer) -> usize {
        let made = Newcomer { home: self.door(made.home), ..made };
        let subscriber = self.ledger.subscriber(made.role, made.user, made.slow);
        let publisher = self.ledger.publisher();
        let who = self.clients.len();
        self.clients.push(Client::new(made, subscriber, publisher));
        self.come(who);
        who
    }

    /// NGINX where there is one, else the first node.
    fn door(&self, door: Door) -> Door {
        match door {
            Door::Nginx if self.doors.nginx.is_none() => Door::Node(0),
            door => door,
        }
    }

    /// Whether a client is connected.
    pub fn is_up(&self, who: usize) -> bool {
        self.clients[who].stage == Stage::Up
    }

    /// Whether a client is a member of a channel.
    pub fn is_in(&self, who: usize, channel: u32) -> bool {
        self.clients[who].is_in(channel)
    }

    /// Whether everybody has what it wants.
    pub fn is_settled(&self) -> bool {
        self.clients.iter().all(|client| {
            let all_in = || client.subs.iter().all(|s| !s.wanted || s.state == State::In);
            !client.wanted || client.stage == Stage::Up && all_in()
        })
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Who does not have what it wants, for people.
    pub fn unsettled(&self) -> String {
        let waits = |client: &&Client| {
            let lacks = client.subs.iter().any(|sub| sub.wanted && sub.state != State::In);
            client.wanted && (client.stage != Stage::Up || lacks)
        };
        let some = self.clients.iter().filter(waits).take(3).map(|client| {
            let lacks = client.subs.iter().filter(|sub| sub.wanted && sub.state != State::In);
            format!(
                "{} at {:?} is {:?} and lacks {} channels",
                client.made.role,
                client.at,
                client.stage,
                lacks.count()
            )
        });
        some.collect::<Vec<_>>().join("; ")
    }

    /// Who found its door closed and came in elsewhere goes home, so that each node has its people again.
    pub fn go_home(&mut self) {
        for who in 0..self.clients.len() {
            let client = &self.clients[who];
            if client.wanted && client.at != client.made.home {
                self.hop(who, client.made.home);
            }
        }
    }

    /// Nobody stays frozen.
    pub fn everybody_reads(&mut self) -> Result<(), Failure> {
        (0..self.clients.len()).try_for_each(|who| self.read(who, true))
    }

    /// Lets a client connect.
    pub fn come(&mut self, who: usize) {
        self.clients[who].wanted = true;
        if self.clients[who].stage == Stage::Down {
            let now = self.clock.now();
            self.later.push(Reverse((now, who, DIAL)));
        }
    }

    /// Lets a client go, without a word, until it is told to come.
    pub fn go(&mut self, who: usize) {
        self.clients[who].wanted = false;
        self.drop_connection(who, BY_WISH_CLOSED);
    }

    /// Lets a client come in elsewhere from now on.
    pub fn hop(&mut self, who: usize, door: Door) {
        let door = self.door(door);
        self.clients[who].made.home = door;
        self.clients[who].at = door;
        self.drop_connection(who, BY_WISH_CLOSED);
        self.come(who);
    }

    /// Lets a client read, or not.
    pub fn read(&mut self, who: usize, reads: bool) -> Result<(), Failure> {
        let client = &mut self.clients[who];
        let was_frozen = !std::mem::replace(&mut client.reads, reads);
        match client.stage {
            _ if !reads => Ok(()),
            Stage::Down if was_frozen => self.dial(who),
            _ => self.listen(who),
        }
    }

    /// A client wants to be a member.
    pub fn subscribe(&mut self, who: usize, channel: u32) {
        let client = &mut self.clients[who];
        match client.sub(channel) {
            Some(sub) => sub.wanted = true,
            None => {
                client.subs.push(Sub { channel, wanted: true, state: State::Out, position: None })
            }
        }
        self.ask_for(who, channel);
    }

    /// A client does not want to be a member any more.
    pub fn unsubscribe(&mut self, who: usize, channel: u32) {
        let now = self.clock.now();
        let client = &mut self.clients[who];
        let Some(sub) = client.sub(channel) else { return };
        sub.wanted = false;
        if sub.state != State::In {
            return;
        }
        sub.state = State::Leaving;
        let id = client.ask(Asked::Unsubscribe(channel), now);
        let words = wire::unsubscribe(id, self.ledger.name(channel));
        self.say(who, words.as_bytes());
    }

    /// Publishes a message; false if the client has no connection or no place in its window.
    pub fn publish(&mut self, who: usize, message: u32) -> bool {
        let client = &mut self.clients[who];
        if client.stage != Stage::Up || client.publishing >= WINDOW {
            return false;
        }
        let now = self.clock.now();
        let node = node_number(client.at);
        let attempt = self.ledger.invoked(message, node, now);
        let id = client.ask(Asked::Publish(attempt), now);
        let known = self.ledger.history.messages[message as usize];
        let payload = self.ledger.payload(message);
        let key = known.keyed.then(|| format!("k{message}"));
        let words = wire::publish(id, self.ledger.name(known.channel), &payload, key.as_deref());
        self.say(who, &words);
        true
    }

    /// Says something new, if the client has a connection and a place in its window; returns the message.
    pub fn tell(&mut self, who: usize, channel: u32, size: u32, keyed: bool) -> Option<u32> {
        let client = &self.clients[who];
        if client.stage != Stage::Up || client.publishing >= WINDOW {
            return None;
        }
        let message = self.ledger.message(client.publisher, channel, size, keyed);
        self.publish(who, message).then_some(message)
    }

    /// Answers to publishes since the last time.
    pub fn take_outcomes(&mut self) -> Vec<(usize, u32, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }

    /// Moves things on: dials, sends, and hears what came within `wait`.
    pub fn turn(&mut self, wait: Duration) -> Result<(), Failure> {
        self.do_what_is_due()?;
        self.flush();
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure(format!("can't poll sockets: {e}")));
            }
            _ => {}
        }
        for event in &events {
            self.attend(event.token().0)?;
        }
        self.events = events;
        self.flush();
        Ok(())
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        for who in std::mem::take(&mut self.dirty) {
            if self.clients[who].stage != Stage::Dialling && self.clients[who].flush().is_err() {
                self.broken(who, 0);
            }
        }
    }

    fn say(&mut self, who: usize, payload: &[u8]) {
        self.clients[who].say(payload);
        self.dirty.push(who);
    }

    /// Asks for a channel that is wanted and not there.
    fn ask_for(&mut self, who: usize, channel: u32) {
        let now = self.clock.now();
        let client = &mut self.clients[who];
        if client.stage != Stage::Up || client.made.personal == Some(channel) {
            return;
        }
        let Some(sub) = client.sub(channel).filter(|s| s.wanted && s.state == State::Out) else {
            return;
        };
        sub.state = State::Asked;
        let position = sub.position;
        let id = client.ask(Asked::Subscribe(channel), now);
        let epoch = position.and_then(|(_, epoch)| self.ledger.history.epochs.get(epoch));
        let epoch = epoch.map(|epoch| epoch.to_string());
        let from = position.map(|(offset, _)| offset).zip(epoch.as_deref());
        let words = wire::subscribe(id, self.ledger.name(channel), from);
        self.say(who, words.as_bytes());
    }

    /// Asks again after a moment.
    fn ask_later(&mut self, who: usize, channel: u32) {
        let due = self.clock.now() + COME_BACK.0 / 2 + self.dice.below(COME_BACK.0);
        self.later.push(Reverse((due, who, channel)));
    }

    fn answered(&mut self, who: usize, attempt: u32, outcome: Outcome, now: Nanos) {
        self.ledger.answered(attempt, outcome, now);
        if let Some(attempt) = self.ledger.history.attempts.get(attempt as usize) {
            self.outcomes.push((who, attempt.message, outcome));
        }
    }

    /// A connection token, signed with the secret (HS256); drawn once for each user.
    fn token(&mut self, user: u32) -> Result<String, Failure> {
        if let Some(token) = self.tokens.get(&user) {
            return Ok(token.clone());
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let until = now.unwrap_or_default().as_secs() + TOKEN_LIFE;
        let claims = json!({ "sub": user_name(user), "exp": until });
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .map_err(|e| Failure(format!("can't sign a token: {e}")))?;
        self.tokens.insert(user, token.clone());
        Ok(token)
    }
}

/// What a user is called.
pub fn user_name(user: u32) -> String {
    format!("u{user}")
}

/// As in the records.
fn node_number(door: Door) -> u8 {
    match door {
        Door::Node(node) => node,
        Door::Nginx => u8::MAX,
    }
}
