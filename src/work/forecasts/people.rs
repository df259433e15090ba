//! Who was seen, and at which prices their forecasts were computed: whose turn it is follows from that.
//!
//! That a write marked a forecast stands in the database, also for people whom nobody saw. That a price moved does not: it
//! would be a write for each of them. It is found here, for those who were seen; others get theirs when they come.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::{
    domain::{
        decimal::{Decimal, Exact},
        portfolio::{
            id::TokenId,
            token::{Price, Prices},
        },
    },
    ids::UserId,
};

/// Prices that somebody's forecasts were computed at; none where none was known.
pub type Used = Vec<(TokenId, Option<Decimal>)>;

/// Who was seen.
#[derive(Debug)]
pub struct People {
    known: HashMap<UserId, Known>,
    /// People that are remembered, at most: those seen last.
    most: usize,
    /// Whom nobody saw here, and who had a stale forecast when it was looked last.
    waiting: HashSet<UserId>,
    /// Who is left out, and until when.
    aside: HashMap<UserId, Instant>,
}

#[derive(Debug)]
struct Known {
    seen: Instant,
    /// When their forecasts were computed here last, and at which prices; none before the first time.
    computed: Option<(Instant, Used)>,
    /// They may have changed something since.
    changed: bool,
    /// A price has moved since.
    moved: bool,
}

/// Whose forecasts are to be computed, each list in the order in which it is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub seen: Vec<UserId>,
    /// People whom nobody saw here, in no order.
    pub others: Vec<UserId>,
}

impl Line {
    pub fn total(&self) -> usize {
        self.seen.len() + self.others.len()
    }
}

impl People {
    pub fn new(most: usize) -> Self {
        Self { known: HashMap::new(), most, waiting: HashSet::new(), aside: HashMap::new() }
    }

    /// Takes down who asked, each with whether they may have changed something, and forgets who was not seen for so long.
    pub fn see(&mut self, visits: HashMap<UserId, bool>, now: Instant, forget_after: Duration) {
        for (user, changed) in visits {
            let fresh = || Known { seen: now, computed: None, changed, moved: false };
            let known = self.known.entry(user).or_insert_with(fresh);
            known.seen = now;
            known.changed |= changed;
        }
        self.known.retain(|_, known| now.saturating_duration_since(known.seen) < forget_after);
        let too_many = self.known.len().saturating_sub(self.most);
        if too_many > 0 {
            let mut by_time: Vec<_> =
                self.known.iter().map(|(user, known)| (known.seen, user.clone())).collect();
            by_time.sort_unstable();
            for (_, user) in &by_time[..too_many] {
                self.known.remove(user);
            }
        }
    }

    /// Marks those of whose prices one is by more than so many percent another than when they were used.
    pub fn mark(&mut self, prices: &Prices, min_move: Decimal) {
        for known in self.known.values_mut().filter(|known| !known.moved) {
            let Some((_, used)) = &known.computed else { continue };
            let now = |token| prices.get(token).map(|Price { price, .. }| *price);
            known.moved = used.iter().any(|(token, before)| moved(*before, now(token), min_move));
        }
    }

    /// Whose turn it is, if these have a stale forecast, and perhaps more than these.
    ///
    /// First who was seen: of them who changed something, before those of whom only a price moved; each time who waits
    /// longest. Others have to be in two looks, unless there are too many for one: most of them were seen by another
    /// node, which has done it by then.
    pub fn line(&mut self, stale: Vec<UserId>, perhaps_more: bool, now: Instant) -> Line {
        self.aside.retain(|_, until| *until > now);
        let is_in = |user: &UserId| !self.aside.contains_key(user);
        let stale: HashSet<UserId> = stale.into_iter().filter(is_in).collect();
        let known = self.known.iter().filter(|(user, _)| is_in(user));
        let due = known.filter_map(|(user, known)| {
            let changed = known.changed || stale.contains(user);
            let at = known.computed.as_ref().map(|(at, _)| *at);
            (changed || known.moved || at.is_none()).then_some((!changed, at, user))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable();
        let seen = due.into_iter().map(|(.., user)| user.clone()).collect();
        let unseen = stale.into_iter().filter(|user| !self.known.contains_key(user));
        let unseen: HashSet<UserId> = unseen.collect();
        let ripe = |user: &&UserId| perhaps_more || self.waiting.contains(*user);
        let others = unseen.iter().filter(ripe).cloned().collect();
        self.waiting = unseen;
        Line { seen, others }
    }

    /// Leaves somebody out until then: theirs can't be read or kept, and nobody else is to wait for that.
    pub fn set_aside(&mut self, user: &UserId, until: Instant) {
        self.aside.insert(user.clone(), until);
    }

    /// Somebody's forecasts are computed, at these prices.
    pub fn computed(&mut self, user: &UserId, used: Used, now: Instant) {
        self.waiting.remove(user);
        if let Some(known) = self.known.get_mut(user) {
            (known.computed, known.changed, known.moved) = (Some((now, used)), false, false);
        }
    }
}

/// Whether a price is by more than so many percent another than before.
fn moved(before: Option<Decimal>, now: Option<Decimal>, min_move: Decimal) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return before != now };
    let by = Exact::from(before.max(now)) - Exact::from(before.min(now));
    before != now && by > Exact::from(before).percent() * min_move
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::moment::Moment;

    const MINUTE: Duration = Duration::from_secs(60);

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn user(name: &str) -> UserId {
        UserId::new(name)
    }

    fn users(names: &[&str]) -> Vec<UserId> {
        names.iter().copied().map(user).collect()
    }

    /// People with a clock.
    struct Scene {
        people: People,
        start: Instant,
        now: Instant,
        token: TokenId,
    }

    impl Scene {
        fn new(most: usize) -> Self {
            let now = Instant::now();
            Self { people: People::new(most), start: now, now, token: TokenId::new() }
        }

        /// So many seconds after the beginning somebody asks.
        fn see(&mut self, second: u64, name: &str, changed: bool) {
            self.now = self.start + Duration::from_secs(second);
            self.people.see(HashMap::from([(user(name), changed)]), self.now, MINUTE);
        }

        fn compute(&mut self, name: &str, price: &str) {
            let used = vec![(self.token, Some(d(price)))];
            self.people.computed(&user(name), used, self.now);
        }

        fn price(&mut self, price: &str) {
            let price = Price { price: d(price), observed_at: Moment::default() };
            self.people.mark(&HashMap::from([(self.token, price)]), d("0.1"));
        }

        fn seen(&mut self) -> Vec<UserId> {
            self.line(&[]).seen
        }

        fn line(&mut self, stale: &[&str]) -> Line {
            let mut line = self.people.line(users(stale), false, self.now);
            line.others.sort_unstable();
            line
        }
    }

    #[test]
    fn a_price_has_moved_when_it_is_far_enough_from_the_one_that_was_used() {
        for (before, now, is) in [
            ("1000", "1000", false),
            ("1000", "1001", false),
            ("1000", "1001.000000000000000001", true),
            ("1000", "999", false),
            ("1000", "998.999999999999999999", true),
            ("0.000000000000000001", "0.000000000000000002", true),
            ("99999999999999999999", "1", true),
        ] {
            assert_eq!(moved(Some(d(before)), Some(d(now)), d("0.1")), is, "{before} to {now}");
        }
        assert!(moved(Some(d("1")), Some(d("1.000000000000000001")), Decimal::ZERO));
        assert!(!moved(Some(d("1")), Some(d("1")), Decimal::ZERO));
        assert!(moved(None, Some(d("1")), Decimal::HUNDRED));
        assert!(!moved(None, None, Decimal::ZERO));
    }

    #[test]
    fn small_moves_add_up() {
        let mut it = Scene::new(9);
        it.see(0, "ana", false);
        assert_eq!(it.seen(), users(&["ana"]), "at which prices hers were computed nobody knows");
        it.compute("ana", "1000");
        for price in ["1000.5", "1001"] {
            it.price(price);
            assert_eq!(it.seen(), [], "{price}");
        }
        it.price("1001.5");
        it.price("1000");
        assert_eq!(it.seen(), users(&["ana"]), "she was marked, and is until it is done");
        it.compute("ana", "1000");
        assert_eq!(it.seen(), []);
    }

    #[test]
    fn who_changed_something_is_before_those_whose_prices_moved() {
        let mut it = Scene::new(9);
        for (second, name) in [(0, "ana"), (1, "bo"), (2, "cem"), (3, "dag")] {
            it.see(second, name, false);
            it.compute(name, "1000");
        }
        it.price("2000");
        it.see(4, "dag", true);
        assert_eq!(it.line(&["cem"]).seen, users(&["cem", "dag", "ana", "bo"]));
        it.compute("dag", "2000");
        assert_eq!(it.seen(), users(&["ana", "bo", "cem"]), "what she changed is done");
    }

    #[test]
    fn who_was_not_seen_for_long_costs_nothing() {
        let mut it = Scene::new(9);
        it.see(0, "ana", false);
        it.see(59, "bo", false);
        assert_eq!(it.people.known.len(), 2);
        it.see(60, "bo", false);
        assert_eq!(it.seen(), users(&["bo"]));
    }

    #[test]
    fn of_more_people_than_fit_those_seen_last_are_remembered() {
        let mut it = Scene::new(2);
        for (second, name) in [(0, "ana"), (1, "bo"), (2, "ana"), (3, "cem")] {
            it.see(second, name, false);
        }
        let mut seen = it.seen();
        seen.sort_unstable();
        assert_eq!(seen, users(&["ana", "cem"]));
    }

    #[test]
    fn who_is_left_out_is_in_line_again_after_a_while() {
        let mut it = Scene::new(9);
        it.see(0, "ana", true);
        it.line(&["bo"]);
        for name in ["ana", "bo"] {
            it.people.set_aside(&user(name), it.start + Duration::from_secs(2));
        }
        it.see(1, "cem", true);
        assert_eq!(it.line(&["ana", "bo"]), Line { seen: users(&["cem"]), others: vec![] });
        it.see(2, "cem", true);
        it.line(&["ana", "bo"]);
        let line = it.line(&["ana", "bo"]);
        assert_eq!(line, Line { seen: users(&["ana", "cem"]), others: users(&["bo"]) });
    }

    #[test]
    fn whom_another_node_saw_is_left_to_it_for_a_look() {
        let mut it = Scene::new(9);
        it.see(0, "ana", false);
        let first = it.line(&["ana", "bo", "cem"]);
        assert_eq!(first, Line { seen: users(&["ana"]), others: vec![] });
        let second = it.line(&["bo", "dag"]);
        assert_eq!((second.others, second.seen), (users(&["bo"]), users(&["ana"])));
        it.people.computed(&user("bo"), vec![], it.now);
        assert_eq!(it.line(&["bo", "dag"]).others, users(&["dag"]), "bo is stale once more");
        let all = it.people.line(users(&["eve"]), true, it.now);
        assert_eq!(all.others, users(&["eve"]), "there are too many to be choosy");
    }
}
