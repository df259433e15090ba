//! People with a dashboard open: each looks, thinks, now and then buys something and looks at once whether it is there.
//!
//! Thousands of kept connections on one thread, one request under way on each.

use std::{
    cmp::Reverse, collections::BinaryHeap, io, net::SocketAddr, sync::PoisonError, time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{
    figures::Figures,
    judge::{Bought, judge},
    person::{Doing, Person},
    watchers::Known,
    wire::{self, Whole},
};
use crate::{
    domain::{decimal::Decimal, moment::Moment},
    load::{
        Failure,
        clock::{Clock, nanos},
        target::Target,
    },
    platform::dice::Dice,
};

/// An answer that takes longer is an error.
const DEADLINE: u64 = 10_000_000_000;
/// How often late answers are looked for, in nanoseconds.
const LOOK: u64 = 500_000_000;
/// The longest wait of one turn.
const TURN: Duration = Duration::from_millis(20);
const EVENTS: usize = 1024;
const BUFFER: usize = 256 * 1024;
/// What is bought: so little that no sum becomes too large, however long it goes on.
const QUANTITY: &str = "0.001";

/// How people behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// How long they think between two looks, on average; half to one and a half of it.
    pub think: Duration,
    /// Of a thousand visits, those on which something is bought.
    pub buys: u64,
}

/// Whom they ask.
pub struct Server {
    /// Taken in turn.
    pub doors: Vec<SocketAddr>,
    /// For the `Host` header.
    pub host: String,
}

impl Server {
    pub fn of(target: &Target) -> Self {
        Self { doors: target.doors.clone(), host: target.host.clone() }
    }
}

/// All people of a run.
pub struct Crowd {
    server: Server,
    manner: Manner,
    people: Vec<Person>,
    clock: Clock,
    dice: Dice,
    quantity: Decimal,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// When who looks next.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    looked: u64,
    /// Visits that were due earlier are not measured.
    from: u64,
    closing: bool,
    busy: usize,
    arrived: usize,
    pub figures: Figures,
    /// An answer that was right.
    pub sample: Vec<u8>,
    /// What so many of the first people see is known to those who watch.
    shows: Option<(usize, Known)>,
}

impl Crowd {
    /// People with these tokens; nobody has arrived.
    pub fn new(
        server: Server,
        tokens: &[String],
        manner: Manner,
        clock: Clock,
    ) -> Result<Self, Failure> {
        Ok(Self {
            server,
            manner,
            people: tokens.iter().map(|token| Person::new(token)).collect(),
            clock,
            dice: Dice::new(rand::random()),
            quantity: QUANTITY
                .parse::<Decimal>()
                .map_err(|bad| Failure(format!("{QUANTITY}: {bad}")))?,
            poll: Poll::new().map_err(|e| Failure(format!("can't poll sockets: {e}")))?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER],
            due: BinaryHeap::new(),
            looked: 0,
            from: u64::MAX,
            closing: false,
            busy: 0,
            arrived: 0,
            figures: Figures::default(),
            sample: Vec::new(),
            shows: None,
        })
    }

    /// From now on those who watch are held against what the first people see.
    pub fn show(&mut self, people: usize, known: Known) {
        self.shows = Some((people, known));
    }

    /// Lets everybody come, evenly over `window`.
    pub fn come(&mut self, window: Duration) {
        let (now, count) = (self.clock.now(), self.people.len().max(1) as u64);
        for who in 0..self.people.len() {
            self.due.push(Reverse((now + nanos(window) / count * who as u64, who)));
        }
    }

    /// How many have seen their dashboard.
    pub fn arrived(&self) -> usize {
        self.arrived
    }

    /// Visits that are due from now on are measured.
    pub fn measure(&mut self) {
        self.from = self.clock.now();
    }

    /// Nobody looks any more; what is under way is waited for.
    pub fn close(&mut self) -> Result<(), Failure> {
        self.closing = true;
        let end = self.clock.now() + DEADLINE + LOOK;
        while self.busy > 0 && self.clock.now() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Moves things on, for some milliseconds at most.
    pub fn turn(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        while let Some(Reverse((due, who))) =
            self.due.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.due.pop();
            if !self.closing {
                self.visit(who, due)?;
            }
        }
        if now.saturating_sub(self.looked) > LOOK {
            self.looked = now;
            self.give_up_late(now);
        }
        let next =
            self.due.peek().map_or(TURN, |next| Duration::from_nanos(next.0.0 - now.min(next.0.0)));
        match self.poll.poll(&mut self.events, Some(next.min(TURN))) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure(format!("can't poll sockets: {e}")));
            }
            _ => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut heard = Ok(());
        for event in &events {
            let who = event.token().0;
            heard = heard.and_then(|()| self.attend(who, event.is_writable()));
        }
        self.events = events;
        heard
    }

    fn visit(&mut self, who: usize, due: u64) -> Result<(), Failure> {
        let buys = self.dice.below(1000) < self.manner.buys;
        let (person, host) = (&self.people[who], &self.server.host);
        let purchase = buys.then(|| person.buy(host, self.quantity, Moment::now())).flatten();
        match purchase {
            Some(request) => self.ask(who, Doing::Buying, due, request),
            None => self.look(who, due),
        }
    }

    fn look(&mut self, who: usize, due: u64) -> Result<(), Failure> {
        let request = self.people[who].look(&self.server.host);
        self.ask(who, Doing::Looking, due, request)
    }

    fn ask(&mut self, who: usize, doing: Doing, due: u64, request: String) -> Result<(), Failure> {
        self.busy += 1;
        let person = &mut self.people[who];
        (person.doing, person.since, person.unsent) = (doing, due, request.into_bytes());
        if person.socket.is_none() {
            let door = self.server.doors[who % self.server.doors.len()];
            let mut socket = TcpStream::connect(door)
                .map_err(|e| Failure(format!("person {who} can't dial {door}: {e}")))?;
            let _ = socket.set_nodelay(true);
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(who), both)
                .map_err(|e| Failure(format!("can't poll a socket: {e}")))?;
            // Sent when it is told that it may be.
            person.socket = Some(socket);
            return Ok(());
        }
        match person.flush() {
            Ok(()) => Ok(()),
            Err(e) => self.broken(who, &format!("sending failed: {e}")),
        }
    }

    fn attend(&mut self, who: usize, writable: bool) -> Result<(), Failure> {
        let person = &mut self.people[who];
        if writable && !person.unsent.is_empty() {
            let sent = match person.socket.as_ref().map(TcpStream::take_error) {
                Some(Ok(Some(e)) | Err(e)) => Err(e),
                _ => person.flush(),
            };
            if let Err(e) = sent {
                return self.broken(who, &format!("connecting or sending failed: {e}"));
            }
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let heard = self.people[who].hear(&mut buffer);
        self.buffer = buffer;
        match heard {
            Err(e) => self.broken(who, &format!("receiving failed: {e}")),
            Ok(true) => self.read(who),
            Ok(false) => {
                // What came before may be a whole answer; what follows from that is asked on another connection.
                self.people[who].socket = None;
                self.read(who)?;
                match self.people[who].socket {
                    Some(_) => Ok(()),
                    None => self.broken(who, "the server hung up"),
                }
            }
        }
    }

    /// Takes a whole answer, if there is one.
    fn read(&mut self, who: usize) -> Result<(), Failure> {
        if self.people[who].doing == Doing::Nothing {
            return Ok(());
        }
        let inbox = std::mem::take(&mut self.people[who].inbox);
        match wire::answer(&inbox) {
            Err(bad) => self.broken(who, bad.0),
            Ok(None) => {
                self.people[who].inbox = inbox;
                Ok(())
            }
            Ok(Some(whole)) => {
                if !whole.keep {
                    self.people[who].socket = None;
                }
                self.answered(who, &whole, whole.body(&inbox))
            }
        }
    }

    fn answered(&mut self, who: usize, whole: &Whole, body: &[u8]) -> Result<(), Failure> {
        let now = self.clock.now();
        self.busy -= 1;
        let person = &mut self.people[who];
        let (doing, since) = (person.doing, person.since);
        person.doing = Doing::Nothing;
        if since >= self.from {
            self.figures.answered(doing == Doing::Buying, now - since, !person.arrived);
        }
        match (doing, whole.status) {
            (Doing::Buying, 201) => {
                person.bought = Some(Bought(self.quantity));
                return self.look(who, now);
            }
            (Doing::Looking, 200) => {
                match judge(body, person.known.as_ref(), person.bought.take()) {
                    Ok(known) => {
                        person.known = Some(known);
                        if let Some((people, known)) = &self.shows
                            && who < *people
                        {
                            known.lock().unwrap_or_else(PoisonError::into_inner).shown(body);
                        }
                        if self.sample.is_empty() {
                            self.sample = body.to_vec();
                        }
                    }
                    Err(wrong) => {
                        person.known = None;
                        self.figures.wrong(wrong.0);
                    }
                }
                self.arrived += usize::from(!std::mem::replace(&mut person.arrived, true));
            }
            (_, status) => {
                (person.known, person.bought) = (None, None);
                let words = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                self.figures.error(format!("status {status}: {words}"));
            }
        }
        self.think(who, now);
        Ok(())
    }

    /// Its connection is gone; an error if something was under way.
    fn broken(&mut self, who: usize, why: &str) -> Result<(), Failure> {
        let person = &mut self.people[who];
        person.socket = None;
        person.inbox.clear();
        person.unsent.clear();
        if person.doing == Doing::Nothing {
            return Ok(());
        }
        // What was written may be there or not.
        (person.doing, person.known, person.bought) = (Doing::Nothing, None, None);
        self.busy -= 1;
        self.figures.error(why.to_owned());
        self.think(who, self.clock.now());
        Ok(())
    }

    fn give_up_late(&mut self, now: u64) {
        for who in 0..self.people.len() {
            let person = &self.people[who];
            if person.doing != Doing::Nothing && now.saturating_sub(person.since) > DEADLINE {
                // Nothing of it can fail: no request is made.
                let _ = self.broken(who, "no answer within 10 s");
            }
        }
    }

    fn think(&mut self, who: usize, now: u64) {
        let mean = nanos(self.manner.think);
        self.due.push(Reverse((now + mean / 2 + self.dice.below(mean + 1), who)));
    }
}
