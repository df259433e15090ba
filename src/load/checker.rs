//! The judge of every delivery: what was acknowledged must reach each seat of its room once, in order, the same for all.
//!
//! Pure. A *seat* is one subscription of one connection. A *place* is a message's offset in its channel; where the
//! channel has no offsets, its number. The judge believes neither alone: what one seat heard at a place, all must hear.

use std::collections::{BTreeSet, HashMap};

use progress::Progress;

/// What the judge found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Deliveries that were due and came.
    pub delivered: u64,
    /// Deliveries that were due and never came, or came altered.
    pub lost: u64,
    /// Deliveries that came once more, and messages that stand in their room twice.
    pub duplicated: u64,
    /// Deliveries that came after a later one, or at a place where others heard something else.
    pub reordered: u64,
}

impl Verdict {
    /// True if the promise was kept.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.reordered == 0
    }
}

/// Keeps score of a run.
#[derive(Default)]
pub struct Checker {
    rooms: Vec<Room>,
    seats: Vec<Option<Seat>>,
    /// Places that a seat was not told although it was told a later one. Empty as long as all is well.
    missing: HashMap<usize, BTreeSet<u64>>,
    delivered: u64,
    duplicated: u64,
    reordered: u64,
    /// Deliveries due by acknowledged messages, less those that came.
    owed: i64,
}

struct Seat {
    room: usize,
    /// The place that it stands at: the last one that it was told.
    stands: u64,
}

#[derive(Default)]
struct Room {
    seats: u64,
    /// The place before the first of the run.
    base: Option<u64>,
    /// Number of the message at each place from `base` + 1; 0 where none was heard yet.
    log: Vec<u32>,
    progress: Progress,
    /// By number less one.
    messages: Vec<Message>,
    /// The highest number that stands in the log, by publisher.
    last_by: HashMap<u32, u32>,
}

#[derive(Clone, Copy, Default)]
struct Message {
    acknowledged: bool,
    placed: bool,
}

impl Checker {
    /// A judge of so many rooms, all still empty.
    pub fn new(rooms: usize) -> Self {
        Self { rooms: (0..rooms).map(|_| Room::default()).collect(), ..Self::default() }
    }

    /// A seat was given a subscription that stands at `place`. If it sat there before and the server did not bring it
    /// all that it missed, the missed places stay missing.
    pub fn sat_down(&mut self, seat: usize, room: usize, place: u64) {
        if self.seats.len() <= seat {
            self.seats.resize_with(seat + 1, || None);
        }
        match &mut self.seats[seat] {
            Some(known) => {
                if place > known.stands {
                    self.missing.entry(seat).or_default().extend(known.stands + 1..=place);
                    self.rooms[room].skipped(known.stands, place);
                    known.stands = place;
                }
            }
            empty => {
                *empty = Some(Seat { room, stands: place });
                let room = &mut self.rooms[room];
                room.seats += 1;
                let base = *room.base.get_or_insert(place);
                room.skipped(base, place);
            }
        }
    }

    /// Where the seat stands: its room, and the last place that it was told; none if it never sat down.
    pub fn stands(&self, seat: usize) -> Option<(usize, u64)> {
        let seat = self.seats.get(seat)?.as_ref()?;
        Some((seat.room, seat.stands))
    }

    /// The number for the next message into this room.
    pub fn number(&mut self, room: usize) -> u32 {
        let room = &mut self.rooms[room];
        room.progress.sent();
        room.messages.push(Message::default());
        room.messages.len() as u32
    }

    /// A message of this room will not be heard of: it was refused, or its sender's
    /// connection ended before the answer.
    pub fn given_up(&mut self, room: usize) {
        self.rooms[room].progress.given_up();
    }

    /// The server acknowledged this message: from now on it is owed to each seat.
    pub fn acknowledged(&mut self, room: usize, number: u32) {
        let room = &mut self.rooms[room];
        if let Some(message) = room.messages.get_mut(number as usize - 1) {
            message.acknowledged = true;
            self.owed += room.seats as i64;
        }
    }

    /// A delivery. `place` is its offset, or 0 in a channel that has none.
    pub fn heard(&mut self, seat: usize, place: u64, publisher: u32, number: u32) {
        let Some(Some(known)) = self.seats.get_mut(seat) else {
            self.duplicated += 1;
            return;
        };
        let place = if place == 0 { u64::from(number) } else { place };
        let room = &mut self.rooms[known.room];
        if !room.could_stand_at(place, number) {
            self.reordered += 1;
            return;
        }
        if place <= known.stands {
            match self.missing.get_mut(&seat).is_some_and(|missing| missing.remove(&place)) {
                true => self.reordered += 1,
                false => {
                    self.duplicated += 1;
                    return;
                }
            }
        } else {
            if place > known.stands + 1 {
                self.missing.entry(seat).or_default().extend(known.stands + 1..place);
            }
            known.stands = place;
        }
        room.write_down(place, publisher, number, &mut self.duplicated, &mut self.reordered);
        let index = (place - room.base.unwrap_or(0) - 1) as usize;
        room.progress.told(index, room.seats);
        self.delivered += 1;
        self.owed -= 1;
    }

    /// Deliveries that came so far, each counted once.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Deliveries that acknowledged messages still owe; not above 0 when there is nothing left to wait for.
    pub fn owed(&self) -> i64 {
        self.owed
    }

    /// How many messages of this room are still on their way to somebody: to the slowest of its seats.
    pub fn under_way(&self, room: usize) -> usize {
        self.rooms[room].progress.under_way()
    }

    /// The verdict, when no more deliveries are waited for.
    pub fn verdict(&self) -> Verdict {
        let mut lost = 0;
        for (number, seat) in self.seats.iter().enumerate() {
            let Some(seat) = seat else { continue };
            let room = &self.rooms[seat.room];
            let skipped = self.missing.get(&number).into_iter().flatten().copied();
            let missed: Vec<_> = skipped.chain(seat.stands + 1..=room.top()).collect();
            let known = missed.iter().filter(|place| room.is_known(**place)).count() as u64;
            // A place that nobody heard and an acknowledged message that stands nowhere are the same loss.
            lost += known + (missed.len() as u64 - known).max(room.nowhere());
        }
        let Self { delivered, duplicated, reordered, .. } = *self;
        Verdict { delivered, lost, duplicated, reordered }
    }
}

impl Room {
    fn top(&self) -> u64 {
        self.base.unwrap_or(0) + self.log.len() as u64
    }

    /// Whether anybody heard what stands at this place.
    fn is_known(&self, place: u64) -> bool {
        let index = place.checked_sub(self.base.unwrap_or(0) + 1);
        index.and_then(|index| self.log.get(index as usize)).is_some_and(|number| *number != 0)
    }

    /// Acknowledged messages that nobody heard anywhere.
    fn nowhere(&self) -> u64 {
        self.messages.iter().filter(|m| m.acknowledged && !m.placed).count() as u64
    }

    /// False for numbers that were never sent and places that so few messages can't have reached.
    fn could_stand_at(&self, place: u64, number: u32) -> bool {
        let sent = self.messages.len() as u64;
        let base = self.base.unwrap_or(0);
        (1..=sent).contains(&u64::from(number)) && place > base && place - base <= sent
    }

    /// The seat stands at `place` now, and is owed nothing of what lies between there and `after`.
    fn skipped(&mut self, after: u64, place: u64) {
        let base = self.base.unwrap_or(0);
        for place in after.max(base)..place {
            self.progress.told((place - base) as usize, self.seats);
        }
    }

    fn write_down(
        &mut self,
        place: u64,
        publisher: u32,
        number: u32,
        duplicated: &mut u64,
        reordered: &mut u64,
    ) {
        let index = (place - self.base.unwrap_or(0) - 1) as usize;
        if self.log.len() <= index {
            self.log.resize(index + 1, 0);
        }
        if self.log[index] == number {
            return;
        }
        if self.log[index] != 0 {
            *reordered += 1;
            return;
        }
        self.log[index] = number;
        let message = &mut self.messages[number as usize - 1];
        if message.placed {
            *duplicated += 1;
            return;
        }
        message.placed = true;
        let last = self.last_by.entry(publisher).or_default();
        if index + 1 == self.log.len() && number < *last {
            *reordered += 1;
        }
        *last = number.max(*last);
    }
}

mod progress;

#[cfg(test)]
mod tests;
