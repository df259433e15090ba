//! Nodes that are wrong on purpose: what a test is worth shows when the fault that it is about is there.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static HERE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// The variable that switches the mutant on in nodes that this thread starts.
pub fn variable() -> Option<(String, String)> {
    HERE.get().map(|name| ("FANFARE_MUTANT".to_owned(), name.to_owned()))
}

/// Passes if the property holds, and does not hold in nodes with that mutant.
#[track_caller]
pub fn assert_caught(mutant: &'static str, property: impl Fn()) {
    property();
    HERE.set(Some(mutant));
    let outcome = catch_unwind(AssertUnwindSafe(&property));
    HERE.set(None);
    assert!(outcome.is_err(), "{mutant} survives");
}
