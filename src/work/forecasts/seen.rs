//! Who asked or watched since somebody looked: noted by whoever answers or tells them, taken by who computes for these people.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::ids::UserId;

/// People that are remembered, at most. Of more than that, some have their forecasts computed when they ask.
pub const MOST: usize = 100_000;

/// People who were there, each with whether they may have changed something.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashMap<UserId, bool>>);

impl Seen {
    /// Somebody was answered or watches. To be noted after what they changed is committed: who takes the note reads what is there.
    pub fn note(&self, user: &UserId, changed: bool) {
        let mut seen = self.lock();
        if let Some(before) = seen.get_mut(user) {
            *before |= changed;
        } else if seen.len() < MOST {
            seen.insert(user.clone(), changed);
        }
    }

    /// Who was noted since the last time.
    pub fn take(&self) -> HashMap<UserId, bool> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changed_something_and_looked_at_it_then_has_changed_something() {
        let seen = Seen::default();
        let (ana, bo) = (UserId::new("ana"), UserId::new("bo"));
        seen.note(&ana, true);
        seen.note(&ana, false);
        seen.note(&bo, false);
        assert_eq!(seen.take(), HashMap::from([(ana, true), (bo, false)]));
        assert!(seen.take().is_empty());
    }

    #[test]
    fn a_crowd_takes_no_more_memory_than_it_may() {
        let seen = Seen::default();
        for n in 0..=MOST {
            seen.note(&UserId::new(&n.to_string()), false);
        }
        assert_eq!(seen.take().len(), MOST);
    }
}
