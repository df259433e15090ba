//! Who may publish when: an even rate, or as fast as a window lets. The clock is an argument.

use super::{Failure, swarm::Swarm, tally::Tally};

/// A connection that publishes, and the rooms that it takes in turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publisher {
    pub who: usize,
    pub rooms: Vec<usize>,
    /// Messages that it has sent.
    pub sent: u64,
    /// Messages after which it is done; none: until the time is over.
    pub quota: Option<u64>,
}

/// What ends the window of a publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// The server's acknowledgement.
    Acknowledged,
    /// The last member of the room has it.
    Delivered,
}

/// How publishers publish.
#[derive(Clone, PartialEq, Debug)]
pub struct Drive {
    /// Publishes a second in all; none: as fast as the window lets.
    pub rate: Option<f64>,
    /// Publishes of one publisher (until acknowledged) or in one room (until delivered) under way.
    pub window: usize,
    pub until: Until,
    /// Bytes of a message.
    pub size: usize,
}

/// At most so many publishes are caught up in one turn when the rate was missed, so that deliveries are heard between.
pub const BURST: u64 = 64;

/// An even rate.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: f64,
    began: u64,
    made: u64,
}

impl Pace {
    /// So many a second from `now` on.
    pub fn new(rate: f64, now: u64) -> Self {
        Self { rate, began: now, made: 0 }
    }

    /// How many should have been made by now and were not.
    pub fn due(&self, now: u64) -> u64 {
        let wanted = (now.saturating_sub(self.began) as f64 * self.rate / 1e9) as u64;
        wanted.saturating_sub(self.made)
    }

    /// One more was made.
    pub fn made(&mut self) {
        self.made += 1;
    }

    /// Nanoseconds from `now` until the next is due.
    pub fn until_next(&self, now: u64) -> u64 {
        let due = self.began + ((self.made + 1) as f64 * 1e9 / self.rate) as u64;
        due.saturating_sub(now)
    }
}

/// Publishers at work.
pub struct Publishing {
    publishers: Vec<Publisher>,
    drive: Drive,
    pace: Option<Pace>,
    /// The rate wants more, and all windows are full: only an answer or a delivery makes room.
    blocked: bool,
}

impl Publishing {
    /// Publishers that begin at `now`.
    pub fn new(publishers: Vec<Publisher>, drive: Drive, now: u64) -> Self {
        let pace = drive.rate.map(|rate| Pace::new(rate, now));
        Self { publishers, drive, pace, blocked: false }
    }

    /// Sends what may be sent now.
    pub fn step(&mut self, now: u64, swarm: &mut Swarm, tally: &mut Tally) -> Result<(), Failure> {
        match self.pace {
            Some(mut pace) => {
                self.blocked = false;
                for _ in 0..pace.due(now).min(BURST) {
                    if !self.publish_next(now, swarm, tally)? {
                        self.blocked = true;
                        break;
                    }
                    pace.made();
                }
                self.pace = Some(pace);
            }
            None => {
                for index in 0..self.publishers.len() {
                    while self.may(index, swarm, tally) {
                        self.publish(index, now, swarm, tally)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// True when each publisher has sent all that it was to.
    pub fn is_done(&self) -> bool {
        self.publishers.iter().all(Publisher::is_done)
    }

    /// Nanoseconds from `now` to the next publish that the rate wants; none without a rate, and none while nobody
    /// may: asking again before something was heard would take the time of the server beside it.
    pub fn until_next(&self, now: u64) -> Option<u64> {
        self.pace.filter(|_| !self.blocked).map(|pace| pace.until_next(now))
    }

    /// One publisher that may, drawn by lot: people do not speak in rotation, and of two rooms that speak equally often
    /// one may speak twice in a row. False if none may.
    fn publish_next(
        &mut self,
        now: u64,
        swarm: &mut Swarm,
        tally: &mut Tally,
    ) -> Result<bool, Failure> {
        let all = self.publishers.len();
        let first = rand::random_range(0..all);
        let free = (0..all).map(|i| (first + i) % all).find(|i| self.may(*i, swarm, tally));
        if let Some(index) = free {
            self.publish(index, now, swarm, tally)?;
        }
        Ok(free.is_some())
    }

    fn may(&self, index: usize, swarm: &Swarm, tally: &Tally) -> bool {
        let publisher = &self.publishers[index];
        let under_way = match self.drive.until {
            Until::Acknowledged => tally.under_way(publisher.who),
            Until::Delivered => tally.checker.under_way(publisher.room()),
        };
        !publisher.is_done() && under_way < self.drive.window && swarm.is_up(publisher.who)
    }

    fn publish(
        &mut self,
        index: usize,
        now: u64,
        swarm: &mut Swarm,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let publisher = &mut self.publishers[index];
        let room = publisher.room();
        publisher.sent += 1;
        tally.publish(swarm, publisher.who, room, self.drive.size, now)
    }
}

impl Publisher {
    /// A publisher that has sent nothing yet; `rooms` is not empty.
    pub fn new(who: usize, rooms: Vec<usize>, quota: Option<u64>) -> Self {
        Self { who, rooms, sent: 0, quota }
    }

    fn is_done(&self) -> bool {
        self.quota.is_some_and(|quota| self.sent >= quota)
    }

    fn room(&self) -> usize {
        self.rooms[self.sent as usize % self.rooms.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_evenly_from_the_start() {
        let mut pace = Pace::new(1000.0, 1_000);
        assert_eq!((pace.due(1_000), pace.until_next(1_000)), (0, 1_000_000));
        assert_eq!(pace.due(2_501_000), 2);
        pace.made();
        pace.made();
        assert_eq!((pace.due(2_501_000), pace.until_next(2_501_000)), (0, 500_000));
        assert_eq!((pace.due(9_001_000), pace.until_next(9_001_000)), (7, 0));
    }

    #[test]
    fn a_publisher_takes_its_rooms_in_turn_until_its_quota() {
        let mut publisher = Publisher::new(0, vec![4, 5], Some(3));
        let mut rooms = Vec::new();
        while !publisher.is_done() {
            rooms.push(publisher.room());
            publisher.sent += 1;
        }
        assert_eq!(rooms, [4, 5, 4]);
        assert!(!Publisher::new(0, vec![4], None).is_done());
    }
}
