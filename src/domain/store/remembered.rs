//! The states of people's data as a node alone on its file remembers them: nobody else writes it.
//!
//! What is remembered is forgotten before a write begins, and nothing is remembered until it has ended. Whoever is told
//! that a write happened finds it in the next answer; nobody sees a later state and then an earlier one.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::{Present, transact::Whose};
use crate::ids::UserId;

/// People, at most: past it all are forgotten, and remembered again as they ask. About 100 bytes each.
const MOST: usize = 100_000;

/// Who is known to be in which state.
#[derive(Default)]
pub(super) struct Remembered(RwLock<State>);

#[derive(Default)]
struct State {
    people: HashMap<UserId, Present>,
    /// Writes under way, of whomever.
    writing: usize,
    /// Writes that ended.
    written: u64,
}

/// How many writes there had been when a question began; none while there is one.
#[derive(Clone, Copy)]
pub(super) struct Asked(Option<u64>);

/// A write under way: its end is when this is dropped, however it ended.
pub(super) struct Writing<'a>(&'a Remembered);

impl Remembered {
    pub fn get(&self, user: &UserId) -> Option<Present> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.people.get(user).copied()
    }

    /// To be called before the database is asked what [`Self::keep`] will be given.
    pub fn ask(&self) -> Asked {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Asked((state.writing == 0).then_some(state.written))
    }

    /// Remembers what the database said, unless somebody wrote since it was asked.
    pub fn keep(&self, asked: Asked, people: impl IntoIterator<Item = (UserId, Present)>) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.writing > 0 || asked.0 != Some(state.written) {
            return;
        }
        for (user, present) in people {
            if state.people.len() >= MOST {
                state.people.clear();
            }
            state.people.insert(user, present);
        }
    }

    /// To be called before a write begins.
    pub fn write(&self, whose: &Whose) -> Writing<'_> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.writing += 1;
        let of = match whose {
            Whose::One(user) => std::slice::from_ref(user),
            Whose::Following(people) => people,
            Whose::Anybody => {
                state.people.clear();
                &[]
            }
        };
        for user in of {
            state.people.remove(user);
        }
        Writing(self)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.write().unwrap_or_else(PoisonError::into_inner);
        state.writing -= 1;
        state.written += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(generation: i64) -> Present {
        Present { generation, computed: 0 }
    }

    fn ana() -> UserId {
        UserId::new("ana")
    }

    fn bo() -> UserId {
        UserId::new("bo")
    }

    #[test]
    fn a_write_is_forgotten_for_whom_it_was() {
        let known = Remembered::default();
        known.keep(known.ask(), [(ana(), at(1)), (bo(), at(1))]);
        drop(known.write(&Whose::One(ana())));
        assert_eq!((known.get(&ana()), known.get(&bo())), (None, Some(at(1))));
        known.keep(known.ask(), [(ana(), at(2))]);
        drop(known.write(&Whose::Following(vec![ana()])));
        assert_eq!((known.get(&ana()), known.get(&bo())), (None, Some(at(1))));
        drop(known.write(&Whose::Anybody));
        assert_eq!(known.get(&bo()), None, "a write of nobody in particular may be anybody's");
    }

    #[test]
    fn what_was_read_before_a_write_is_not_remembered_after_it() {
        let known = Remembered::default();
        let before = known.ask();
        let writing = known.write(&Whose::One(ana()));
        let amid = known.ask();
        known.keep(before, [(ana(), at(1))]);
        assert_eq!(known.get(&ana()), None, "while it is written");
        drop(writing);
        known.keep(before, [(ana(), at(1))]);
        known.keep(amid, [(ana(), at(1))]);
        assert_eq!(known.get(&ana()), None, "once it is written");
        known.keep(known.ask(), [(ana(), at(2))]);
        assert_eq!(known.get(&ana()), Some(at(2)));
    }

    #[test]
    fn the_memory_has_an_end() {
        let known = Remembered::default();
        let crowd = (0..=MOST).map(|n| (UserId::new(&n.to_string()), at(1)));
        known.keep(known.ask(), crowd);
        assert_eq!(known.get(&UserId::new(&MOST.to_string())), Some(at(1)));
        assert_eq!(known.get(&UserId::new("0")), None);
    }
}
