//! How clients come in, lose their connections and come back: as the SDKs do.

use std::{cmp::Reverse, io, time::Duration};

use mio::{Interest, Token, net::TcpStream};
use socket2::SockRef;

use super::{
    ANSWERS_WITHIN, COME_BACK, Crowd, DIAL, LOOK, SMALL,
    client::{Asked, Door, Stage},
};
use crate::load::{
    Failure,
    chaos::record::{BY_WISH_CLOSED, Nanos, Outcome, What},
};

impl Crowd {
    pub(super) fn do_what_is_due(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        while let Some(Reverse((due, who, what))) = self.later.peek().copied() {
            if due > now {
                break;
            }
            self.later.pop();
            match what {
                DIAL => self.dial(who)?,
                channel => self.ask_for(who, channel),
            }
        }
        if now < self.looked + LOOK {
            return Ok(());
        }
        self.looked = now;
        for who in 0..self.clients.len() {
            self.look_at_the_clock(who, now);
        }
        Ok(())
    }

    /// What an SDK does when answers or pings don't come.
    fn look_at_the_clock(&mut self, who: usize, now: Nanos) {
        let client = &self.clients[who];
        if client.stage == Stage::Down || !client.reads {
            return;
        }
        let mut late = Vec::new();
        let mut hopeless = now > client.patience;
        for (id, (what, since)) in &client.asked {
            if now > since + ANSWERS_WITHIN {
                match what {
                    Asked::Publish(attempt) => late.push((*id, *attempt)),
                    _ => hopeless = true,
                }
            }
        }
        for (id, attempt) in late {
            self.clients[who].take(id);
            self.answered(who, attempt, Outcome::Unknown, now);
        }
        if hopeless {
            self.broken(who, 0);
        }
    }

    pub(super) fn dial(&mut self, who: usize) -> Result<(), Failure> {
        let client = &mut self.clients[who];
        if client.stage != Stage::Down || !client.wanted {
            return Ok(());
        }
        let address = match client.at {
            Door::Node(node) => self.doors.nodes[usize::from(node)],
            Door::Nginx => self.doors.nginx.unwrap_or(self.doors.nodes[0]),
        };
        let failed = |e: io::Error| Failure(format!("a client can't dial {address}: {e}"));
        let Ok(mut socket) = TcpStream::connect(address) else {
            self.failed(who);
            return Ok(());
        };
        let _ = socket.set_nodelay(true);
        if client.made.slow {
            let _ = SockRef::from(&socket).set_recv_buffer_size(SMALL);
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(who), both).map_err(failed)?;
        client.socket = Some(socket);
        client.stage = Stage::Dialling;
        client.patience = self.clock.now() + ANSWERS_WITHIN;
        Ok(())
    }

    /// Closes a connection if there is one, and writes down what that means.
    pub(super) fn drop_connection(&mut self, who: usize, code: u16) {
        let now = self.clock.now();
        let client = &mut self.clients[who];
        if client.stage == Stage::Down {
            return;
        }
        let was_up = client.stage == Stage::Up;
        let subscriber = client.subscriber;
        if let Some(socket) = &client.socket {
            // A reset leaves no socket waiting in the kernel.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
        for attempt in client.hang_up() {
            self.answered(who, attempt, Outcome::Unknown, now);
        }
        if was_up || code > BY_WISH_CLOSED {
            self.ledger.saw(subscriber, now, What::Closed { code });
        }
    }

    /// The connection ended, and nobody here had asked for it.
    pub(super) fn broken(&mut self, who: usize, code: u16) {
        let was_up = self.clients[who].stage == Stage::Up;
        self.drop_connection(who, code);
        if was_up && code == 0 {
            self.clients[who].failures = 0;
        }
        self.failed(who);
    }

    /// Comes back after a while, longer each time; from the second time on at the next door.
    pub(super) fn failed(&mut self, who: usize) {
        let nodes = self.nodes();
        let client = &mut self.clients[who];
        client.failures += 1;
        if let Door::Node(node) = client.at
            && client.failures > 1
        {
            client.at = Door::Node((node + 1) % nodes);
        }
        let (first, longest) = COME_BACK;
        let wait = (first << (client.failures - 1).min(8)).min(longest);
        let due = self.clock.now() + wait / 2 + self.dice.below(wait / 2);
        self.later.push(Reverse((due, who, DIAL)));
    }
}
