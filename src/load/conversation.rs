//! The swarm's side of each conversation: upgrade, connect and subscribe, then listen.

use super::{
    Failure,
    connection::{Incoming, Stage},
    frame::{self, Opcode},
    handshake::{self, Answer},
    hearing::{self, Heard, Refusal, Subscribed},
    swarm::{Ear, End, Manner, Swarm, sent_away},
    words,
};

impl Swarm {
    /// TCP stands: ask for a WebSocket, or listen at once.
    pub(super) fn begin(&mut self, who: usize, ear: &mut impl Ear) {
        if self.manner == Manner::Bare {
            if let Some(room) = self.connections[who].member.room {
                ear.joined(who, room, &Subscribed::default());
            }
            self.now_up(who);
            return;
        }
        let target = self.target.clone();
        let user = target.named.then(|| target.user(self.connections[who].member.user));
        let request = handshake::request(
            &target.host,
            &target.path,
            user.as_deref(),
            target.encoding,
            rand::random(),
        );
        self.connections[who].stage = Stage::Upgrading;
        self.say_raw(who, &request);
    }

    /// Reads all that the socket holds. A read that does not fill the buffer has emptied the socket, so there is no
    /// second one to learn that; unless the server `hung_up`, which only a further read tells.
    pub(super) fn listen(
        &mut self,
        who: usize,
        hung_up: bool,
        buffer: &mut Vec<u8>,
        ear: &mut impl Ear,
    ) -> Result<(), End> {
        loop {
            let read = self.connections[who].read(buffer);
            let (total, more) = match read {
                Ok(Incoming::Last(0)) => return Ok(()),
                Ok(Incoming::Last(total)) => (total, false),
                Ok(Incoming::More(total)) => (total, true),
                Ok(Incoming::End) => {
                    return Err(sent_away("hung up without a close frame".into(), None));
                }
                Err(e) => return Err(sent_away(format!("reading failed: {e}"), None)),
            };
            let used = self.hear(who, &buffer[..total], ear)?;
            if used < total {
                self.connections[who].keep(&buffer[used..total]);
            }
            if !more && !hung_up {
                return Ok(());
            }
        }
    }

    /// Takes whole frames from the start of `bytes`; returns how many bytes they were.
    fn hear(&mut self, who: usize, bytes: &[u8], ear: &mut impl Ear) -> Result<usize, End> {
        let now = self.clock.now();
        let mut used = 0;
        if self.connections[who].stage == Stage::Upgrading {
            match handshake::answer(bytes) {
                Answer::More => return Ok(0),
                Answer::Agreed(end) => used = end,
                Answer::Refused(refused) => {
                    let words = format!("{} {}", refused.status, refused.text);
                    return Err(match refused.is_temporary() {
                        true => sent_away(words, refused.retry_after),
                        false => fatal(format!("the server refused the WebSocket: {words}")),
                    });
                }
            }
            self.introduce(who, ear)?;
        }
        while let Some(frame) =
            frame::first(&bytes[used..]).map_err(|e| fatal(format!("a frame {}", e.0)))?
        {
            used += frame.length;
            match frame.opcode {
                Opcode::Text | Opcode::Binary if frame.last => {
                    self.replies(who, frame.payload, now, ear)?
                }
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    let whole = self.connections[who]
                        .assemble(frame.payload, frame.last)
                        .map_err(|e| fatal(format!("a frame {}", e.0)))?;
                    if let Some(message) = whole {
                        self.replies(who, &message, now, ear)?;
                    }
                }
                Opcode::Ping => {
                    let mut pong = Vec::new();
                    frame::write_masked(Opcode::Pong, frame.payload, rand::random(), &mut pong);
                    self.say_raw(who, &pong);
                }
                Opcode::Pong => {}
                Opcode::Close => return Err(closed(frame.payload)),
            }
        }
        Ok(used)
    }

    /// The WebSocket stands: say who it is and what it wants, in one frame, as the SDKs do.
    fn introduce(&mut self, who: usize, ear: &mut impl Ear) -> Result<(), End> {
        let member = self.connections[who].member;
        let target = self.target.clone();
        let token = target.token(member.user).map_err(End::Fatal)?;
        let recover = ear.position(who);
        let commands = match (self.manner, member.room) {
            (Manner::Personal, Some(room)) => {
                vec![words::connect(
                    token,
                    recover.map(|position| (target.channel(room), position)),
                )]
            }
            (_, Some(room)) => {
                vec![words::connect(token, None), words::subscribe(target.channel(room), recover)]
            }
            (_, None) => vec![words::connect(token, None)],
        };
        self.connections[who].stage = Stage::Joining;
        let payload = words::together(target.encoding, &commands).map_err(End::Fatal)?;
        self.say(who, &payload);
        Ok(())
    }

    /// Asks once more for the subscription of a connection that stands.
    pub(super) fn subscribe(&mut self, who: usize, ear: &impl Ear) -> Result<(), Failure> {
        if let Some(room) = self.connections[who].member.room {
            let subscribe = words::subscribe(self.target.channel(room), ear.position(who));
            let payload = words::together(self.target.encoding, &[subscribe])?;
            self.say(who, &payload);
        }
        Ok(())
    }

    fn replies(
        &mut self,
        who: usize,
        payload: &[u8],
        now: u64,
        ear: &mut impl Ear,
    ) -> Result<(), End> {
        for heard in hearing::replies(self.target.encoding, payload) {
            match heard {
                Ok(Heard::Publication { channel, message }) => {
                    let room = self.connections[who].member.room;
                    if room.is_none_or(|room| !self.target.is_channel(room, channel)) {
                        let name = String::from_utf8_lossy(channel);
                        return Err(fatal(format!(
                            "connection {who} was told of {name}, where it is no member"
                        )));
                    }
                    ear.delivered(who, message, now);
                }
                Ok(Heard::Published { id }) => ear.answered(who, id, Ok(()), now),
                Ok(Heard::Ping) => {
                    if self.connections[who].pongs {
                        self.say(who, words::pong(self.target.encoding));
                    }
                }
                Ok(Heard::Connected { pong, subs }) => {
                    self.connected(who, pong, &subs, now, ear)?
                }
                Ok(Heard::Subscribed(granted)) => self.seated(who, &granted, now, ear),
                Ok(Heard::Refused { id, refusal }) => self.refused(who, id, refusal, now, ear)?,
                Ok(Heard::Unsubscribed { code }) => self.unsubscribed(who, code)?,
                Ok(Heard::Other) => {}
                Err(_) => {
                    let start =
                        String::from_utf8_lossy(&payload[..payload.len().min(120)]).into_owned();
                    return Err(fatal(format!(
                        "a reply is unreadable; its frame begins with {start:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn connected(
        &mut self,
        who: usize,
        pong: bool,
        subs: &[(&[u8], Subscribed<'_>)],
        now: u64,
        ear: &mut impl Ear,
    ) -> Result<(), End> {
        self.connections[who].pongs = pong;
        let room = self.connections[who].member.room;
        match (self.manner, room) {
            (Manner::Personal, Some(room)) => {
                let found = subs.iter().find(|(channel, _)| self.target.is_channel(room, channel));
                let Some((_, granted)) = found else {
                    return Err(fatal(format!(
                        "the server did not subscribe a user to {}: turn on \
                         client.subscribe_to_user_personal_channel (and history in its namespace)",
                        self.target.channel(room)
                    )));
                };
                self.seated(who, granted, now, ear);
            }
            (_, None) => self.now_up(who),
            (_, Some(_)) => {}
        }
        Ok(())
    }

    fn seated(&mut self, who: usize, granted: &Subscribed<'_>, now: u64, ear: &mut impl Ear) {
        if let Some(room) = self.connections[who].member.room {
            ear.joined(who, room, granted);
            for message in &granted.publications {
                ear.delivered(who, *message, now);
            }
            self.now_up(who);
        }
    }

    fn refused(
        &mut self,
        who: usize,
        id: u32,
        refusal: Refusal<'_>,
        now: u64,
        ear: &mut impl Ear,
    ) -> Result<(), End> {
        let what = match id {
            words::CONNECT => "connect",
            words::SUBSCRIBE => "subscribe",
            _ => {
                ear.answered(who, id, Err(refusal), now);
                return Ok(());
            }
        };
        let words = format!("{what} refused: {} {}", refusal.code, refusal.message);
        match id {
            _ if !refusal.temporary => Err(fatal(format!("the server said: {words}"))),
            words::SUBSCRIBE => {
                self.subscribe_later(who, words);
                Ok(())
            }
            _ => Err(sent_away(words, None)),
        }
    }

    /// The server ended a subscription: from 2500 on the client asks for it again, with its position.
    fn unsubscribed(&mut self, who: usize, code: u32) -> Result<(), End> {
        let words = format!("unsubscribed with {code}");
        match (code, self.manner) {
            (2500.., Manner::Client) => {
                self.subscribe_later(who, words);
                Ok(())
            }
            (2500.., _) => Err(sent_away(words, None)),
            _ => Err(fatal(format!("the server ended a subscription for good: {words}"))),
        }
    }
}

fn fatal(words: String) -> End {
    End::Fatal(Failure(words))
}

/// A close frame: whether its code lets a client come back is the protocol's to say.
fn closed(payload: &[u8]) -> End {
    let (code, reason) = frame::close(payload);
    let words = format!("closed with {code} {reason}");
    match code {
        1009 | 3500..=3999 | 4500..=4999 => {
            fatal(format!("the server sent a client away for good: {words}"))
        }
        _ => sent_away(words, None),
    }
}
