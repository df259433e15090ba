//! Counts what fell, by the actor's name.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

static FALLS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// How often each kind of actor was restarted since the process began. Kinds that never fell are left out.
pub fn restarts() -> BTreeMap<&'static str, u64> {
    FALLS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn fell(name: &'static str) {
    *FALLS.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
}
