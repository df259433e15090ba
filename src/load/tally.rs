//! What a run has come to: hears the swarm, asks the judge, and knows what each publisher has under way.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    str,
};

use bytes::Bytes;

use super::{
    Failure,
    checker::Checker,
    hearing::{Message, Refusal, Subscribed},
    histogram::Histogram,
    payload::{Noise, Stamp},
    swarm::{Ear, Swarm},
};
use crate::protocol::{Epoch, Position};

/// The score of a run.
pub struct Tally {
    pub checker: Checker,
    pub noise: Noise,
    /// From the time in a payload to its receipt.
    pub latency: Histogram,
    /// The moments of sending whose messages count in it, in nanoseconds of the run's clock.
    pub timed: Range<u64>,
    /// From a publish to its answer.
    pub ack: Histogram,
    pub sent: u64,
    pub acknowledged: u64,
    /// Deliveries that were no payload of this run.
    pub unreadable: u64,
    /// Publishes that were refused, by the server's words.
    pub refusals: BTreeMap<String, u64>,
    /// By connection.
    under_way: Vec<VecDeque<UnderWay>>,
    /// Of each room, as last told; empty where it has no history.
    epochs: Vec<Epoch>,
    /// Subscriptions that came back without all that they missed.
    pub unrecovered: u64,
    /// Connections that came back and have all that they missed.
    pub recovered: u64,
}

#[derive(Clone, Copy)]
struct UnderWay {
    id: u32,
    room: usize,
    number: u32,
    at: u64,
}

impl Tally {
    /// The score of a run that has not begun.
    pub fn new(rooms: usize) -> Self {
        Self {
            checker: Checker::new(rooms),
            noise: Noise::new(),
            latency: Histogram::default(),
            timed: 0..u64::MAX,
            ack: Histogram::default(),
            sent: 0,
            acknowledged: 0,
            unreadable: 0,
            refusals: BTreeMap::new(),
            under_way: Vec::new(),
            epochs: vec![Epoch::default(); rooms],
            unrecovered: 0,
            recovered: 0,
        }
    }

    /// Lets a connection publish the next message of a room.
    pub fn publish(
        &mut self,
        swarm: &mut Swarm,
        who: usize,
        room: usize,
        size: usize,
        now: u64,
    ) -> Result<(), Failure> {
        let (number, json) = self.message(who as u32, room, size, now);
        let id = swarm.publish(who, room, json)?;
        if self.under_way.len() <= who {
            self.under_way.resize_with(who + 1, VecDeque::new);
        }
        self.under_way[who].push_back(UnderWay { id, room, number, at: now });
        Ok(())
    }

    /// The next message of a room, as somebody is about to send it.
    pub fn message(&mut self, publisher: u32, room: usize, size: usize, now: u64) -> (u32, Bytes) {
        let number = self.checker.number(room);
        let mut json = Vec::with_capacity(size);
        self.noise.write(Stamp { publisher, seq: number, at: now }, size, &mut json);
        self.sent += 1;
        (number, json.into())
    }

    /// How many publishes of this connection are not answered yet.
    pub fn under_way(&self, who: usize) -> usize {
        self.under_way.get(who).map_or(0, VecDeque::len)
    }

    /// Whether any publish is not answered yet.
    pub fn is_publishing(&self) -> bool {
        self.under_way.iter().any(|under_way| !under_way.is_empty())
    }

    /// How many publishes have been answered, either way.
    pub fn answered_count(&self) -> u64 {
        self.acknowledged + self.refusals.values().sum::<u64>()
    }

    /// A message was acknowledged after `took` nanoseconds.
    pub fn acknowledge(&mut self, room: usize, number: u32, took: u64) {
        self.ack.record(took);
        self.acknowledged += 1;
        self.checker.acknowledged(room, number);
    }

    /// A publish was refused.
    pub fn refuse(&mut self, words: String) {
        *self.refusals.entry(words).or_default() += 1;
    }
}

impl Ear for Tally {
    fn position(&self, who: usize) -> Option<Position> {
        let (room, offset) = self.checker.stands(who)?;
        let epoch = self.epochs[room].clone();
        (!epoch.is_unknown()).then_some(Position { epoch, offset })
    }

    fn joined(&mut self, who: usize, room: usize, granted: &Subscribed<'_>) {
        if self.checker.stands(who).is_some() {
            let whole = granted.recovered || granted.epoch.is_empty();
            *(if whole { &mut self.recovered } else { &mut self.unrecovered }) += 1;
        }
        self.checker.sat_down(who, room, granted.offset);
        if self.epochs[room].as_str().as_bytes() != granted.epoch
            && let Ok(epoch) = str::from_utf8(granted.epoch)
        {
            self.epochs[room] = Epoch::new(epoch);
        }
    }

    #[inline]
    fn delivered(&mut self, who: usize, message: Message<'_>, now: u64) {
        let Some(stamp) = self.noise.read(message.data) else {
            self.unreadable += 1;
            return;
        };
        if self.timed.contains(&stamp.at) {
            self.latency.record(now.saturating_sub(stamp.at));
        }
        self.checker.heard(who, message.offset, stamp.publisher, stamp.seq);
    }

    fn answered(&mut self, who: usize, id: u32, outcome: Result<(), Refusal<'_>>, now: u64) {
        let Some(waiting) = self.under_way.get_mut(who) else { return };
        let Some(index) = waiting.iter().position(|sent| sent.id == id) else { return };
        let Some(sent) = waiting.remove(index) else { return };
        match outcome {
            Ok(()) => self.acknowledge(sent.room, sent.number, now.saturating_sub(sent.at)),
            Err(refusal) => {
                self.checker.given_up(sent.room);
                self.refuse(format!("{} {}", refusal.code, refusal.message));
            }
        }
    }

    fn gone(&mut self, who: usize) {
        if let Some(under_way) = self.under_way.get_mut(who) {
            for sent in under_way.drain(..) {
                self.checker.given_up(sent.room);
                *self.refusals.entry("unknown: the connection ended first".into()).or_default() +=
                    1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::checker::Verdict;

    fn delivered(tally: &mut Tally, who: usize, offset: u64, data: &[u8]) {
        tally.delivered(who, Message { offset, data }, 3_000_000);
    }

    #[test]
    fn a_message_is_counted_timed_and_judged() {
        let mut tally = Tally::new(1);
        tally.joined(0, 0, &Subscribed { epoch: b"g.1", ..Subscribed::default() });
        let (number, json) = tally.message(9, 0, 200, 1_000_000);
        tally.acknowledge(0, number, 500_000);
        assert_eq!(tally.checker.owed(), 1);
        delivered(&mut tally, 0, 1, &json);
        assert_eq!(tally.checker.verdict(), Verdict { delivered: 1, ..Verdict::default() });
        assert_eq!(tally.latency.quantiles().unwrap().max, 2.0);
        assert_eq!(tally.position(0), Some(Position { epoch: Epoch::new("g.1"), offset: 1 }));
        assert_eq!(tally.position(1), None);
    }

    #[test]
    fn an_altered_delivery_counts_as_lost() {
        let mut tally = Tally::new(1);
        tally.joined(0, 0, &Subscribed::default());
        let (number, json) = tally.message(9, 0, 200, 0);
        tally.acknowledge(0, number, 0);
        let mut altered = json.to_vec();
        altered[150] ^= 1;
        delivered(&mut tally, 0, 1, &altered);
        assert_eq!((tally.unreadable, tally.checker.verdict().lost), (1, 1));
    }

    #[test]
    fn who_comes_back_without_recovery_is_counted() {
        let mut tally = Tally::new(1);
        let granted = |recovered| Subscribed { epoch: b"g.1", recovered, ..Subscribed::default() };
        for recovered in [false, true, false] {
            tally.joined(0, 0, &granted(recovered));
        }
        assert_eq!((tally.recovered, tally.unrecovered), (1, 1));
    }
}
