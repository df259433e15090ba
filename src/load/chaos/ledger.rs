//! The pen: writes down what the clients of a run say and see while it goes on.

use super::{
    payload::Payloads,
    record::{
        Attempt, Channel, Event, History, Message, Nanos, Outcome, Recovery, Subscriber, What,
    },
    wire::{Publication, Subscribed},
};

/// The records of a run under way.
pub struct Ledger {
    pub history: History,
    payloads: Payloads,
    /// Messages of each publisher so far.
    said: Vec<u32>,
    /// Attempts that are not answered yet, of all publishers.
    pub under_way: usize,
    pub acknowledged: u64,
    pub delivered: u64,
}

impl Ledger {
    /// An empty ledger; the salt sets its payloads apart from those of other runs.
    pub fn new(salt: u64) -> Self {
        Self {
            history: History::default(),
            payloads: Payloads { salt },
            said: Vec::new(),
            under_way: 0,
            acknowledged: 0,
            delivered: 0,
        }
    }

    /// A channel of the run.
    pub fn channel(&mut self, name: String, person: Option<u32>) -> u32 {
        self.history.channels.push(Channel { name, person });
        self.history.channels.len() as u32 - 1
    }

    /// A channel's name.
    pub fn name(&self, channel: u32) -> &str {
        self.history.channels.get(channel as usize).map_or("", |channel| &channel.name)
    }

    /// Somebody who publishes.
    pub fn publisher(&mut self) -> u32 {
        self.said.push(0);
        self.said.len() as u32 - 1
    }

    /// Somebody who listens.
    pub fn subscriber(&mut self, role: &'static str, user: u32, slow: bool) -> u32 {
        self.history.subscribers.push(Subscriber { role, user, slow, events: Vec::new() });
        self.history.subscribers.len() as u32 - 1
    }

    /// A new message of a publisher, not invoked yet.
    pub fn message(&mut self, publisher: u32, channel: u32, size: u32, keyed: bool) -> u32 {
        let number = self.history.messages.len() as u32;
        let n = self.said[publisher as usize];
        self.said[publisher as usize] += 1;
        self.history.messages.push(Message { channel, publisher, n, size, keyed });
        number
    }

    /// The payload of a message.
    pub fn payload(&mut self, message: u32) -> Vec<u8> {
        let known = &mut self.history.messages[message as usize];
        let mut out = Vec::with_capacity(known.size as usize);
        self.payloads.write(message, known, &mut out);
        known.size = out.len() as u32;
        out
    }

    /// Which message these bytes are.
    pub fn identify(&self, data: &[u8]) -> u32 {
        self.payloads.read(data, &self.history.messages)
    }

    /// A publish goes out; the number is for [`answered`](Self::answered).
    pub fn invoked(&mut self, message: u32, node: u8, now: Nanos) -> u32 {
        let attempt = Attempt {
            message,
            node,
            invoked: now,
            answered: Nanos::MAX,
            outcome: Outcome::Unknown,
        };
        self.history.attempts.push(attempt);
        self.under_way += 1;
        self.history.attempts.len() as u32 - 1
    }

    /// What became of it.
    pub fn answered(&mut self, attempt: u32, outcome: Outcome, now: Nanos) {
        let Some(attempt) = self.history.attempts.get_mut(attempt as usize) else { return };
        self.under_way -= 1;
        self.acknowledged += u64::from(matches!(outcome, Outcome::Ok { .. }));
        (attempt.answered, attempt.outcome) = (now, outcome);
    }

    /// Something that a subscriber saw.
    pub fn saw(&mut self, subscriber: u32, at: Nanos, what: What) {
        if let Some(subscriber) = self.history.subscribers.get_mut(subscriber as usize) {
            subscriber.events.push(Event { at, what });
        }
    }

    /// A subscription as granted, and what came with it. Returns where it leaves the subscriber: offset and epoch.
    pub fn joined(
        &mut self,
        subscriber: u32,
        channel: u32,
        before: Option<(u32, u16)>,
        granted: &Subscribed<'_>,
        at: Nanos,
    ) -> (u32, u16) {
        let epoch = self.history.epochs.number(&granted.epoch);
        let offset = granted.offset;
        let recovery = match (granted.was_recovering, granted.recovered) {
            (true, true) => Recovery::Whole,
            (true, false) => Recovery::Lost,
            (false, _) => Recovery::Fresh,
        };
        self.saw(subscriber, at, What::Joined { channel, offset, epoch, recovery });
        let mut stands = match (recovery, before) {
            (Recovery::Whole, Some((position, _))) => position,
            _ => offset,
        };
        for publication in &granted.publications {
            stands = self.delivered(subscriber, channel, publication, at);
        }
        (stands, epoch)
    }

    /// A publication, as its bytes say. Returns its offset.
    pub fn delivered(
        &mut self,
        subscriber: u32,
        channel: u32,
        publication: &Publication<'_>,
        at: Nanos,
    ) -> u32 {
        let message = self.identify(publication.data.get().as_bytes());
        let offset = publication.offset;
        self.delivered += 1;
        self.saw(subscriber, at, What::Delivered { channel, offset, message });
        offset
    }

    /// No answer will come any more: what is still under way stays unknown.
    pub fn close(&mut self, now: Nanos) {
        for attempt in &mut self.history.attempts {
            attempt.answered = attempt.answered.min(now);
        }
        self.history.ended_at = now;
        self.under_way = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::chaos::record::FOREIGN;

    #[test]
    fn what_is_said_is_known_when_it_is_heard() {
        let mut ledger = Ledger::new(5);
        let channel = ledger.channel("room".into(), None);
        let publisher = ledger.publisher();
        let message = ledger.message(publisher, channel, 100, true);
        let payload = ledger.payload(message);
        assert_eq!(ledger.identify(&payload), message);
        assert_eq!(ledger.identify(b"{}"), FOREIGN);
        let attempt = ledger.invoked(message, 1, 10);
        ledger.answered(attempt, Outcome::Ok { offset: 1, epoch: 0 }, 20);
        assert_eq!((ledger.acknowledged, ledger.under_way), (1, 0));
    }

    #[test]
    fn who_recovers_goes_on_from_where_it_stood() {
        let mut ledger = Ledger::new(5);
        let subscriber = ledger.subscriber("member", 1, false);
        let granted = |json: &'static str| serde_json::from_str::<Subscribed<'_>>(json).unwrap();
        let fresh = granted(r#"{"epoch":"g.0","offset":4}"#);
        assert_eq!(ledger.joined(subscriber, 0, None, &fresh, 1), (4, 0));
        let whole = r#"{"epoch":"g.0","offset":9,"was_recovering":true,"recovered":true}"#;
        assert_eq!(ledger.joined(subscriber, 0, Some((4, 0)), &granted(whole), 2), (4, 0));
        let lost = r#"{"epoch":"h.0","offset":9,"was_recovering":true}"#;
        assert_eq!(ledger.joined(subscriber, 0, Some((4, 0)), &granted(lost), 3), (9, 1));
        let seen: Vec<_> = ledger.history.subscribers[0].events.iter().map(|e| e.what).collect();
        assert!(matches!(seen[1], What::Joined { recovery: Recovery::Whole, .. }));
        assert!(matches!(seen[2], What::Joined { recovery: Recovery::Lost, .. }));
    }

    #[test]
    fn what_was_never_answered_is_unknown() {
        let mut ledger = Ledger::new(5);
        let message = {
            let publisher = ledger.publisher();
            ledger.message(publisher, 0, 100, false)
        };
        ledger.invoked(message, 0, 10);
        ledger.close(50);
        let attempt = ledger.history.attempts[0];
        assert_eq!((attempt.answered, attempt.outcome), (50, Outcome::Unknown));
    }
}
