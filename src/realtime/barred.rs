//! Who is not let in: blocked users, revoked tokens, tokens of before a moment. Kept in memory, whole.
//!
//! Every connect and refresh asks here, so nobody waits for a database; while that is away, the last known state holds.
//! The rows are in a [`BarStore`], which all nodes share; changes come as orders through the feed.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use crate::platform::tokens::Papers;

mod postgres;
mod sqlite;
mod store;

pub use postgres::PostgresBars;
pub use sqlite::SqliteBars;
pub use store::BarStore;

/// Somebody or something that is not let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bar {
    pub whom: Whom,
    /// Unix seconds; none: for ever.
    pub until: Option<i64>,
}

/// What is barred.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A user.
    User(String),
    /// A token, by its `jti`.
    Token(String),
    /// A user's tokens issued (`iat`) before that, in Unix seconds, and those that do not say when.
    TokensBefore { user: String, before: i64 },
}

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Barrier {
    Blocked,
    Revoked,
}

/// All that is barred.
#[derive(Debug, Default)]
pub struct Barred {
    bars: RwLock<Bars>,
}

#[derive(Debug, Default)]
struct Bars {
    users: HashMap<String, Option<i64>>,
    tokens: HashMap<String, Option<i64>>,
    before: HashMap<String, (i64, Option<i64>)>,
}

impl Bars {
    fn put(&mut self, Bar { whom, until }: Bar) {
        match whom {
            Whom::User(user) => drop(self.users.insert(user, until)),
            Whom::Token(token) => drop(self.tokens.insert(token, until)),
            Whom::TokensBefore { user, before } => drop(self.before.insert(user, (before, until))),
        }
    }

    fn forget(&mut self, now: i64) {
        let holds = |until: &Option<i64>| holds(*until, now);
        self.users.retain(|_, until| holds(until));
        self.tokens.retain(|_, until| holds(until));
        self.before.retain(|_, (_, until)| holds(until));
    }
}

fn holds(until: Option<i64>, now: i64) -> bool {
    until.is_none_or(|until| until > now)
}

impl Barred {
    /// Bars somebody, and forgets whom it is over for. `now` in Unix seconds, here and below.
    pub fn put(&self, bar: Bar, now: i64) {
        let mut bars = self.bars.write().unwrap_or_else(PoisonError::into_inner);
        bars.forget(now);
        bars.put(bar);
    }

    /// Lets a user in again.
    pub fn allow(&self, user: &str) {
        let mut bars = self.bars.write().unwrap_or_else(PoisonError::into_inner);
        bars.users.remove(user);
    }

    /// These and no others.
    pub fn replace(&self, all: Vec<Bar>) {
        let mut bars = Bars::default();
        all.into_iter().for_each(|bar| bars.put(bar));
        *self.bars.write().unwrap_or_else(PoisonError::into_inner) = bars;
    }

    /// Why a user who shows these papers is not let in; none if they are.
    pub fn barrier(&self, user: &str, papers: &Papers, now: i64) -> Option<Barrier> {
        let bars = self.bars.read().unwrap_or_else(PoisonError::into_inner);
        let stands = |until: &Option<i64>| holds(*until, now);
        if bars.users.get(user).is_some_and(stands) {
            return Some(Barrier::Blocked);
        }
        let token = papers.name.as_deref().and_then(|name| bars.tokens.get(name));
        let too_old = bars.before.get(user).is_some_and(|(before, until)| {
            stands(until) && papers.issued.is_none_or(|issued| issued < *before)
        });
        (token.is_some_and(stands) || too_old).then_some(Barrier::Revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn papers(name: Option<&str>, issued: Option<i64>) -> Papers {
        Papers { name: name.map(Into::into), issued }
    }

    #[test]
    fn who_is_barred_is_not_let_in_until_it_is_over() {
        let barred = Barred::default();
        let bar = |whom, until| barred.put(Bar { whom, until }, 50);
        bar(Whom::User("ana".into()), Some(100));
        bar(Whom::Token("t1".into()), None);
        bar(Whom::TokensBefore { user: "bo".into(), before: 40 }, Some(200));
        let cases = [
            ("ana", papers(None, None), 99, Some(Barrier::Blocked)),
            ("ana", papers(None, None), 100, None),
            ("cy", papers(Some("t1"), None), 999, Some(Barrier::Revoked)),
            ("cy", papers(Some("t2"), None), 999, None),
            ("bo", papers(None, Some(39)), 60, Some(Barrier::Revoked)),
            ("bo", papers(None, Some(40)), 60, None),
            ("bo", papers(Some("x"), None), 60, Some(Barrier::Revoked)),
            ("bo", papers(None, Some(39)), 200, None),
            ("cy", papers(None, Some(1)), 60, None),
        ];
        for (user, papers, now, expected) in cases {
            assert_eq!(barred.barrier(user, &papers, now), expected, "{user} {papers:?} {now}");
        }
        barred.allow("ana");
        assert_eq!(barred.barrier("ana", &Papers::default(), 60), None);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let barred = Barred::default();
        for n in 0..100 {
            barred.put(Bar { whom: Whom::Token(n.to_string()), until: Some(n + 1) }, n);
        }
        assert!(barred.bars.read().unwrap().tokens.len() <= 2);
        barred.replace(vec![Bar { whom: Whom::User("ana".into()), until: None }]);
        assert_eq!(barred.bars.read().unwrap().tokens.len(), 0);
        assert_eq!(barred.barrier("ana", &Papers::default(), 0), Some(Barrier::Blocked));
    }
}
