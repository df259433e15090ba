//! One person's dashboard that somebody watches: what they were told, and what is due. Pure.

use std::time::{Duration, Instant};

use super::parts::{Kind, Print};
use crate::{
    domain::{moment::Moment, store::Present},
    ids::UserId,
};

/// What a person's devices on this node were told.
pub(super) struct Watched {
    pub user: UserId,
    /// How their data stood when it was looked at last.
    present: Option<Present>,
    /// Somebody came in since then, who may have seen by HTTP what was written later.
    is_outdated: bool,
    /// When the first of the prices that they were shown as fresh is not any more.
    until: Option<Moment>,
    told: [Told; Kind::ALL.len()],
}

/// Of one kind of part.
#[derive(Clone, Copy, Default)]
struct Told {
    is_due: bool,
    /// Somebody has just come who knows nothing: it is told, changed or not.
    to_all: bool,
    at: Option<Instant>,
    print: Option<Print>,
}

impl Watched {
    pub fn new(user: UserId) -> Self {
        Self { user, present: None, is_outdated: false, until: None, told: Default::default() }
    }

    /// How their data stood when it was looked at last, if that was after the last of them came.
    pub fn present(&self) -> Option<Present> {
        self.present.filter(|_| !self.is_outdated)
    }

    /// Somebody came in.
    pub fn came(&mut self) {
        self.is_outdated = true;
        for told in &mut self.told {
            (told.is_due, told.to_all) = (true, true);
        }
    }

    /// New prices are known: what is computed of them may be another.
    pub fn prices_changed(&mut self) {
        self.told[Kind::Holdings as usize].is_due = true;
    }

    /// Their holdings were shown at prices of which the first grows old then.
    pub fn holds_until(&mut self, until: Option<Moment>) {
        self.until = until;
    }

    /// A price that has grown old is shown as such, also if no new one comes.
    pub fn time_passes(&mut self, now: Moment) {
        if self.until.take_if(|until| *until <= now).is_some() {
            self.told[Kind::Holdings as usize].is_due = true;
        }
    }

    /// How their data stands. What was computed ahead concerns only forecasts.
    pub fn stands(&mut self, present: Present) {
        let before = self.present.replace(present);
        self.is_outdated = false;
        let is_other =
            |of: fn(&Present) -> i64| before.as_ref().is_none_or(|b| of(b) != of(&present));
        let (data, computed) = (is_other(|p| p.generation), is_other(|p| p.computed));
        for kind in Kind::ALL {
            let changed = data || computed && kind == Kind::Forecast;
            self.told[kind as usize].is_due |= changed;
        }
    }

    /// What has to be looked at now: due, and not told within the last `pace`.
    pub fn due(&self, now: Instant, pace: Duration) -> Vec<Kind> {
        let is_due = |kind: &Kind| {
            let told = &self.told[*kind as usize];
            told.is_due && told.at.is_none_or(|at| now.duration_since(at) >= pace)
        };
        Kind::ALL.into_iter().filter(is_due).collect()
    }

    /// It could not be looked at: it is tried again after a while.
    pub fn fell(&mut self, kinds: &[Kind], now: Instant) {
        for kind in kinds {
            self.told[*kind as usize].at = Some(now);
        }
    }

    /// It was looked at; whether it is to be told.
    pub fn tells(&mut self, kind: Kind, print: Print, now: Instant) -> bool {
        let told = &mut self.told[kind as usize];
        told.is_due = false;
        let is_news = told.print.replace(print) != Some(print);
        let tells = std::mem::take(&mut told.to_all) || is_news;
        if tells {
            told.at = Some(now);
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_secs(1);

    fn watched() -> Watched {
        let mut watched = Watched::new(UserId::new("ana"));
        watched.stands(Present { generation: 1, computed: 1 });
        watched.came();
        watched
    }

    fn tell_all(watched: &mut Watched, print: Print, now: Instant) -> Vec<Kind> {
        let due = watched.due(now, PACE);
        due.into_iter().filter(|kind| watched.tells(*kind, print, now)).collect()
    }

    #[test]
    fn who_comes_in_is_told_all_and_then_what_changed() {
        let (mut watched, now) = (watched(), Instant::now());
        assert_eq!(tell_all(&mut watched, 1, now), Kind::ALL);
        assert_eq!(watched.due(now + PACE, PACE), []);
        watched.prices_changed();
        assert_eq!(tell_all(&mut watched, 2, now + PACE), [Kind::Holdings]);
        watched.stands(Present { generation: 1, computed: 2 });
        assert_eq!(tell_all(&mut watched, 2, now + PACE), [Kind::Forecast]);
        watched.stands(Present { generation: 2, computed: 2 });
        let then = now + PACE * 3;
        assert_eq!(watched.due(then, PACE), Kind::ALL);
        assert_eq!(
            tell_all(&mut watched, 2, then),
            [Kind::Strategy],
            "the others are as they were"
        );
    }

    #[test]
    fn prices_that_grow_old_are_told_once() {
        let (mut watched, now) = (watched(), Instant::now());
        tell_all(&mut watched, 1, now);
        let at = Moment::from_micros;
        watched.holds_until(Some(at(5)));
        watched.time_passes(at(4));
        assert_eq!(watched.due(now + PACE, PACE), []);
        watched.time_passes(at(5));
        assert_eq!(tell_all(&mut watched, 2, now + PACE), [Kind::Holdings]);
        watched.time_passes(at(6));
        assert_eq!(watched.due(now + PACE * 2, PACE), []);
    }

    #[test]
    fn a_part_is_told_at_most_once_a_second_and_nothing_is_forgotten() {
        let (mut watched, now) = (watched(), Instant::now());
        tell_all(&mut watched, 1, now);
        watched.prices_changed();
        assert_eq!(watched.due(now + PACE / 2, PACE), []);
        assert_eq!(tell_all(&mut watched, 2, now + PACE), [Kind::Holdings]);
    }

    #[test]
    fn a_second_device_is_told_what_the_first_knows() {
        let (mut watched, now) = (watched(), Instant::now());
        tell_all(&mut watched, 1, now);
        watched.came();
        assert_eq!(watched.present(), None, "the last look may be older than what they have seen");
        watched.stands(Present { generation: 1, computed: 1 });
        assert!(watched.present().is_some());
        assert_eq!(tell_all(&mut watched, 1, now + PACE), Kind::ALL);
        assert_eq!(watched.due(now + PACE * 2, PACE), [], "nothing else changed");
    }

    #[test]
    fn what_could_not_be_computed_is_tried_again_a_second_later() {
        let (mut watched, now) = (watched(), Instant::now());
        watched.fell(&watched.due(now, PACE), now);
        assert_eq!(watched.due(now + PACE / 2, PACE), []);
        assert_eq!(tell_all(&mut watched, 1, now + PACE), Kind::ALL);
    }
}
