//! Which channels are listened to, through which server, and who still waits to hear so. Pure.
//!
//! Counted here and not by rooms: one that goes and one that comes for the same channel never undo each other.

use std::collections::{HashMap, VecDeque};

use crate::ids::Channel;

/// Names a link for the life of the process.
pub(super) type LinkId = u64;

/// What to tell a server. In this order: what is asked later counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// Listen; the number is that of the asking.
    Listen(Channel, u64),
    Unlisten(Channel),
}

/// What to tell the room of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    Listening(Channel),
    Missed(Channel),
}

#[derive(Default, Debug)]
pub(super) struct Interest {
    channels: HashMap<Channel, Ear>,
    wishes: HashMap<LinkId, VecDeque<Wish>>,
    askings: u64,
    /// Links that do not confirm in time, with the last asking that may be answered late: nobody waits for such a one.
    late: HashMap<LinkId, u64>,
}

#[derive(Debug)]
struct Ear {
    rooms: usize,
    /// None while no server is known.
    link: Option<LinkId>,
    /// The number of the last asking; none while the link is down.
    asking: Option<u64>,
    is_heard: bool,
    /// Rooms were told that it is listened to, whether it is true or the feed has to do.
    was_told: bool,
}

impl Interest {
    /// How many channels are listened to or are to be.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// A room wants to hear a channel through `link`; none if that is down. Says what can be told at once: while it is
    /// not known when the server will answer, the feed has to do.
    pub fn listen(&mut self, channel: &Channel, link: Option<LinkId>) -> Option<Word> {
        if let Some(ear) = self.channels.get_mut(channel) {
            ear.rooms += 1;
            return ear.was_told.then(|| Word::Listening(channel.clone()));
        }
        let was_told = link.is_none_or(|link| self.late.contains_key(&link));
        let mut ear = Ear { rooms: 1, link, asking: None, is_heard: false, was_told };
        if let Some(link) = link {
            ear.asking = Some(Self::wish(&mut self.wishes, &mut self.askings, link, channel));
        }
        self.channels.insert(channel.clone(), ear);
        was_told.then(|| Word::Listening(channel.clone()))
    }

    /// A room does not want to hear it any more.
    pub fn unlisten(&mut self, channel: &Channel) {
        let Some(ear) = self.channels.get_mut(channel) else { return };
        ear.rooms = ear.rooms.saturating_sub(1);
        if ear.rooms == 0 {
            let ear = self.channels.remove(channel);
            if let Some(Ear { link: Some(link), asking: Some(_), .. }) = ear {
                self.wishes.entry(link).or_default().push_back(Wish::Unlisten(channel.clone()));
            }
        }
    }

    /// The next wishes for a link that is up, so many at most.
    pub fn take(&mut self, link: LinkId, most: usize) -> Vec<Wish> {
        let Some(wishes) = self.wishes.get_mut(&link) else { return Vec::new() };
        let count = wishes.len().min(most);
        wishes.drain(..count).collect()
    }

    /// The server has done what it was asked.
    pub fn confirmed(&mut self, wishes: Vec<Wish>) -> Vec<Word> {
        let mut words = Vec::new();
        for wish in wishes {
            let Wish::Listen(channel, asking) = wish else { continue };
            let Some(ear) = self.channels.get_mut(&channel) else { continue };
            if ear.asking != Some(asking) {
                continue;
            }
            ear.is_heard = true;
            if let Some(link) = ear.link
                && self.late.get(&link).is_some_and(|late| *late < asking)
            {
                self.late.remove(&link);
            }
            words.push(match std::mem::replace(&mut ear.was_told, true) {
                true => Word::Missed(channel),
                false => Word::Listening(channel),
            });
        }
        words
    }

    /// The server takes its time: no room that waits for it need do so any longer.
    pub fn overdue(&mut self, channel: &Channel, asking: u64) -> Vec<Word> {
        let ear = self.channels.get(channel);
        let ear = ear.filter(|ear| ear.asking == Some(asking) && !ear.is_heard);
        let Some(link) = ear.and_then(|ear| ear.link) else { return Vec::new() };
        match self.late.insert(link, self.askings) {
            // They were told then, and who came since was told at once.
            Some(_) => Vec::new(),
            None => self.feed_has_to_do(link),
        }
    }

    fn feed_has_to_do(&mut self, link: LinkId) -> Vec<Word> {
        let all = self.channels.iter_mut().filter(|(_, ear)| ear.link == Some(link));
        let told = all.filter_map(|(channel, ear)| {
            let waits = !std::mem::replace(&mut ear.was_told, true);
            waits.then(|| Word::Listening(channel.clone()))
        });
        told.collect()
    }

    /// A link is down: rooms that wait have to do with the feed.
    pub fn down(&mut self, link: LinkId) -> Vec<Word> {
        self.wishes.remove(&link);
        self.late.remove(&link);
        for ear in self.channels.values_mut().filter(|ear| ear.link == Some(link)) {
            (ear.asking, ear.is_heard) = (None, false);
        }
        self.feed_has_to_do(link)
    }

    /// A link is up: everything that goes through it is asked for.
    pub fn up(&mut self, link: LinkId) {
        self.wishes.remove(&link);
        for (channel, ear) in self.channels.iter_mut().filter(|(_, ear)| ear.link == Some(link)) {
            ear.asking = Some(Self::wish(&mut self.wishes, &mut self.askings, link, channel));
            ear.is_heard = false;
        }
    }

    /// Channels go other ways now: `home` says which, and whether that link is up.
    pub fn moved(&mut self, home: impl Fn(&Channel) -> Option<(LinkId, bool)>) {
        let Self { channels, wishes, askings, .. } = self;
        let mut left = Vec::new();
        for (channel, ear) in channels.iter_mut() {
            let new = home(channel);
            let link = new.map(|(link, _)| link);
            if link == ear.link {
                continue;
            }
            if let (Some(old), Some(_)) = (ear.link, ear.asking) {
                left.push((old, channel.clone()));
            }
            (ear.link, ear.is_heard) = (link, false);
            ear.asking = match new {
                Some((link, true)) => Some(Self::wish(wishes, askings, link, channel)),
                _ => None,
            };
        }
        for (old, channel) in left {
            wishes.entry(old).or_default().push_back(Wish::Unlisten(channel));
        }
    }

    /// The link is no more.
    pub fn forget(&mut self, link: LinkId) {
        self.wishes.remove(&link);
        self.late.remove(&link);
    }

    fn wish(
        wishes: &mut HashMap<LinkId, VecDeque<Wish>>,
        askings: &mut u64,
        link: LinkId,
        channel: &Channel,
    ) -> u64 {
        *askings += 1;
        wishes.entry(link).or_default().push_back(Wish::Listen(channel.clone(), *askings));
        *askings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news() -> Channel {
        Channel::trusted("news")
    }

    fn listening() -> Word {
        Word::Listening(news())
    }

    #[test]
    fn a_room_hears_when_the_server_has_confirmed() {
        let mut interest = Interest::default();
        assert_eq!(interest.listen(&news(), Some(1)), None);
        let asked = interest.take(1, 10);
        assert_eq!(asked, [Wish::Listen(news(), 1)]);
        assert_eq!(interest.confirmed(asked), [listening()]);
        assert_eq!(interest.listen(&news(), Some(1)), Some(listening()), "the second at once");
        assert_eq!(interest.take(1, 10), []);
    }

    #[test]
    fn a_room_that_goes_does_not_end_what_another_wants() {
        let mut interest = Interest::default();
        interest.listen(&news(), Some(1));
        interest.listen(&news(), Some(1));
        interest.take(1, 10);
        interest.unlisten(&news());
        assert_eq!(interest.take(1, 10), []);
        interest.unlisten(&news());
        assert_eq!(interest.take(1, 10), [Wish::Unlisten(news())]);
        assert_eq!(interest.len(), 0);
    }

    #[test]
    fn who_goes_and_comes_at_once_is_asked_for_again_in_that_order() {
        let mut interest = Interest::default();
        interest.listen(&news(), Some(1));
        let first = interest.take(1, 10);
        interest.unlisten(&news());
        interest.listen(&news(), Some(1));
        assert_eq!(interest.confirmed(first), [], "that was another asking");
        assert_eq!(interest.take(1, 1), [Wish::Unlisten(news())]);
        let again = interest.take(1, 1);
        assert_eq!(again, [Wish::Listen(news(), 2)]);
        assert_eq!(interest.confirmed(again), [listening()]);
    }

    #[test]
    fn nobody_waits_for_a_server_that_is_not_there() {
        let mut interest = Interest::default();
        assert_eq!(interest.listen(&news(), None), Some(listening()));
        interest.moved(|_| Some((1, true)));
        let asked = interest.take(1, 10);
        assert_eq!(interest.confirmed(asked), [Word::Missed(news())]);
    }

    #[test]
    fn nobody_waits_for_a_server_that_went_or_is_slow() {
        let mut interest = Interest::default();
        interest.listen(&news(), Some(1));
        assert_eq!(interest.down(1), [listening()]);
        interest.up(1);
        let asked = interest.take(1, 10);
        assert_eq!(interest.overdue(&news(), 1), [], "that was another asking");
        assert_eq!(interest.confirmed(asked), [Word::Missed(news())]);
        let other = Channel::trusted("other");
        interest.listen(&other, Some(1));
        assert_eq!(interest.overdue(&other, 3), [Word::Listening(other.clone())]);
        let asked = interest.take(1, 10);
        assert_eq!(interest.confirmed(asked), [Word::Missed(other)]);
    }

    #[test]
    fn one_wait_for_a_slow_server_is_enough_until_it_answers_in_time() {
        let channel = |n: u64| Channel::trusted(&n.to_string());
        let mut interest = Interest::default();
        for n in 1..=3 {
            assert_eq!(interest.listen(&channel(n), Some(1)), None);
        }
        let first = interest.take(1, 10);
        let mut told = interest.overdue(&channel(1), 1);
        told.sort_by_key(|word| format!("{word:?}"));
        assert_eq!(told, [1, 2, 3].map(|n| Word::Listening(channel(n))), "whoever waits for it");
        assert_eq!(interest.overdue(&channel(2), 2), []);
        let at_once = |n| Some(Word::Listening(channel(n)));
        assert_eq!(interest.listen(&channel(4), Some(1)), at_once(4));
        assert_eq!(interest.listen(&channel(5), Some(2)), None, "another server");
        // What was asked before it was known to be late says nothing about how it is now.
        interest.confirmed(first);
        assert_eq!(interest.listen(&channel(6), Some(1)), at_once(6));
        let second = interest.take(1, 10);
        let missed = [4, 6].map(|n| Word::Missed(channel(n)));
        assert_eq!(interest.confirmed(second), missed);
        assert_eq!(interest.listen(&channel(7), Some(1)), None, "it is in time again");
    }

    #[test]
    fn a_channel_that_moves_is_left_behind_and_asked_for_anew() {
        let mut interest = Interest::default();
        interest.listen(&news(), Some(1));
        let asked = interest.take(1, 10);
        interest.confirmed(asked);
        interest.moved(|_| Some((2, true)));
        assert_eq!(interest.take(1, 10), [Wish::Unlisten(news())]);
        let asked = interest.take(2, 10);
        assert_eq!(interest.confirmed(asked), [Word::Missed(news())]);
        interest.moved(|_| Some((2, true)));
        assert_eq!(interest.take(2, 10), [], "it is there already");
    }
}
