//! The members of one channel on one worker thread, and who of them gets what. No actor, no clock.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use bytes::Bytes;

use super::{
    broadcast::{Broadcast, Shape},
    scales::Scales,
    seat::{Announced, Seat, SeatId, SubscriptionNumber, Wishes},
};
use crate::{
    fail_point,
    platform::mutant::mutant,
    protocol::{ClientInfo, Encoding, Epoch, NotJson, Position, Push, push::Event},
};

#[cfg(test)]
mod tests;

/// A connection in a channel.
pub struct Member {
    pub seat: Rc<dyn Seat>,
    pub number: SubscriptionNumber,
    pub info: Arc<ClientInfo>,
    /// The history that it knows.
    epoch: Epoch,
    /// Offset of the last publication of it that it was given.
    position: u64,
    pub encoding: Encoding,
    pub positioned: bool,
    pub join_leave: bool,
    pub announced: Announced,
    /// None: it does not want deltas. Some: whether the last that it was given is the one at `position`.
    delta: Option<bool>,
    /// It stood below the room when last compared.
    suspected: bool,
}

impl Member {
    /// One that has just entered at that position. `knows_last`: it was given what stands there.
    pub fn new(
        seat: Rc<dyn Seat>,
        number: SubscriptionNumber,
        info: Arc<ClientInfo>,
        at: Position,
        wishes: &Wishes,
        knows_last: bool,
    ) -> Self {
        Self {
            encoding: seat.encoding(),
            seat,
            number,
            info,
            epoch: at.epoch,
            position: at.offset,
            positioned: wishes.positioned,
            join_leave: wishes.join_leave,
            announced: wishes.announced,
            delta: wishes.delta.then_some(knows_last),
            suspected: false,
        }
    }
}

/// What a delivery came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Members that were given the message, and the bytes of all copies.
    pub copies: u64,
    pub bytes: u64,
    /// Members for which something before it was missing.
    pub broken: Vec<SeatId>,
    /// Members whose frames can't carry it.
    pub unable: Vec<SeatId>,
}

/// The bytes of a publication in each form that some member here wants, weighed once.
struct Forms<'a> {
    broadcast: &'a Broadcast,
    scales: &'a Arc<Scales>,
    weighed: [Option<Bytes>; 6],
}

impl Forms<'_> {
    fn bytes(&mut self, encoding: Encoding, shape: Shape) -> Result<Bytes, NotJson> {
        let slot = &mut self.weighed[Broadcast::form(encoding, shape)];
        if let Some(weighed) = slot {
            return Ok(weighed.clone());
        }
        let bytes = self.broadcast.bytes(encoding, shape)?;
        Ok(slot.insert(self.scales.weigh(bytes)).clone())
    }
}

/// Everybody here.
#[derive(Default)]
pub struct Members {
    /// In the order in which they connected: so their sessions and sockets lie in memory, and a fan-out is made of
    /// cache misses.
    all: BTreeMap<SeatId, Member>,
}

impl Members {
    pub fn enter(&mut self, id: SeatId, member: Member) {
        self.all.insert(id, member);
    }

    /// Removes the member if this is still the subscription that it speaks of.
    pub fn leave(&mut self, id: SeatId, number: SubscriptionNumber) -> Option<Member> {
        match self.all.get(&id) {
            Some(member) if member.number == number || mutant!(LeaveWithoutNumber) => {
                self.all.remove(&id)
            }
            _ => None,
        }
    }

    pub fn get(&self, id: SeatId) -> Option<&Member> {
        self.all.get(&id)
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (SeatId, &Member)> {
        self.all.iter().map(|(id, member)| (*id, member))
    }

    /// Gives a publication to everybody for whom it is next.
    pub fn deliver(&mut self, broadcast: &Broadcast, scales: &Arc<Scales>) -> Delivered {
        let mut done = Delivered::default();
        let mut forms = Forms { broadcast, scales, weighed: Default::default() };
        let offset = broadcast.publication.offset;
        let half = self.all.len() / 2;
        for (index, (id, member)) in self.all.iter_mut().enumerate() {
            if index == half {
                fail_point!("hub.half");
            }
            let follows = offset == member.position + 1;
            if offset > 0 && offset <= member.position {
                continue;
            }
            if offset > 0 && member.positioned && !follows {
                done.broken.push(*id);
                continue;
            }
            let shape = match member.delta {
                None => Shape::Plain,
                Some(true) if follows => Shape::Delta,
                Some(_) => Shape::Full,
            };
            match forms.bytes(member.encoding, shape) {
                Ok(bytes) => {
                    done.copies += 1;
                    done.bytes += bytes.len() as u64;
                    member.seat.push_shared(bytes);
                    // What has no place in the history changes no position, but it is what comes last.
                    member.position = member.position.max(offset);
                    if let Some(knows_last) = &mut member.delta {
                        *knows_last = offset > 0;
                    }
                }
                Err(_) => done.unable.push(*id),
            }
        }
        done
    }

    /// Gives a join or leave to those who asked for it.
    pub fn announce(&self, push: &Push, scales: &Arc<Scales>) {
        let mut encoded: [Option<Bytes>; 2] = [None, None];
        for member in self.all.values().filter(|m| m.join_leave) {
            let slot = &mut encoded[(member.encoding == Encoding::Protobuf) as usize];
            if slot.is_none() {
                *slot = member.encoding.push(push).ok().map(|bytes| scales.weigh(bytes));
            }
            if let Some(bytes) = slot {
                member.seat.push_shared(bytes.clone());
            }
        }
    }

    /// Compares everybody with where the room stands. Who is behind twice in a row is told.
    pub fn behind(&mut self, at: &Position) -> Vec<SeatId> {
        let mut behind = Vec::new();
        for (id, member) in &mut self.all {
            let lags = member.epoch != at.epoch || member.position < at.offset;
            let lags = member.positioned && lags;
            if lags && member.suspected {
                behind.push(*id);
            }
            member.suspected = lags;
        }
        behind
    }

    /// The channel goes on from here: everybody whose position means nothing any more.
    pub fn start_over(&mut self, at: &Position) -> Vec<SeatId> {
        let mut positioned = Vec::new();
        for (id, member) in &mut self.all {
            if member.positioned {
                positioned.push(*id);
                continue;
            }
            member.epoch = at.epoch.clone();
            member.position = at.offset;
            if let Some(knows_last) = &mut member.delta {
                *knows_last = false;
            }
        }
        positioned
    }
}

/// A join or leave as a push.
pub fn announcement(channel: crate::ids::Channel, event: Event) -> Push {
    Push { channel, event }
}
