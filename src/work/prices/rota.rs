//! Which tokens are asked for in one call: a hundred, and one that spoils its call alone. Pure.
//!
//! A provider may refuse a call of a hundred because of one token that it does not know any more. Such a call is asked
//! again in halves, until that one is alone: from then on it is asked for apart, and seldom. And a round that a failure
//! ended is followed by one that begins behind it, so that what always fails keeps nobody waiting.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::quotes::A_CALL;
use crate::domain::{portfolio::id::TokenId, store::WantedPrice};

/// How often a token that spoils calls is asked for, alone; one of them a round.
const APART: Duration = Duration::from_secs(10 * 60);

/// Calls of one round that are asked again in halves, at most: enough to find one token among a hundred.
const HALVINGS: usize = 7;

/// What is remembered from one round to the next.
#[derive(Default)]
pub struct Rota {
    /// The last token of the call that failed last: the next round begins behind it.
    behind: Option<TokenId>,
    /// Tokens that spoil calls, by the provider's numbers, and when they are asked for again.
    apart: HashMap<i64, Instant>,
}

/// The calls of a round.
pub struct Round {
    calls: VecDeque<Vec<WantedPrice>>,
    halvings: usize,
    /// Alone in a call, and answered.
    well: Vec<i64>,
    /// Alone in a call, and refused.
    ill: Vec<i64>,
    is_answered: bool,
    refused: Option<String>,
}

impl Rota {
    /// What to ask for: at most so many calls at first.
    pub fn round(&mut self, wanted: Vec<WantedPrice>, most: usize, now: Instant) -> Round {
        let is_apart = |one: &WantedPrice| self.apart.contains_key(&one.provider_id);
        let (apart, mut together): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_apart);
        self.apart.retain(|number, _| apart.iter().any(|one| one.provider_id == *number));
        together.sort_by_key(|one| one.token);
        let first = together.partition_point(|one| Some(one.token) <= self.behind);
        together.rotate_left(first);
        let calls = together.chunks(A_CALL).take(most).map(<[_]>::to_vec);
        let due = apart.into_iter().filter(|one| self.apart[&one.provider_id] <= now);
        let one_apart = due.min_by_key(|one| self.apart[&one.provider_id]).map(|one| vec![one]);
        Round {
            calls: calls.chain(one_apart).collect(),
            halvings: HALVINGS,
            well: Vec::new(),
            ill: Vec::new(),
            is_answered: false,
            refused: None,
        }
    }

    /// A call failed for a reason that has nothing to do with what was asked for, and ends the round.
    pub fn failed(&mut self, call: &[WantedPrice]) {
        self.behind = call.last().map(|one| one.token);
    }

    /// Learns from a round, the numbers of tokens that will be asked for apart from now on. The error is why everything
    /// was refused: that is not the tokens' fault.
    pub fn learn(&mut self, round: Round, now: Instant) -> Result<Vec<i64>, String> {
        if let (false, Some(why)) = (round.is_answered, round.refused) {
            return Err(why);
        }
        for number in &round.well {
            self.apart.remove(number);
        }
        let mut ill = round.ill;
        ill.retain(|number| self.apart.insert(*number, now + APART).is_none());
        Ok(ill)
    }
}

impl Round {
    /// The next call.
    pub fn next_call(&mut self) -> Option<Vec<WantedPrice>> {
        self.calls.pop_front()
    }

    /// A call was answered.
    pub fn answered(&mut self, call: &[WantedPrice]) {
        self.is_answered = true;
        if let [one] = call {
            self.well.push(one.provider_id);
        }
    }

    /// A call was refused for what it asked for.
    pub fn refused(&mut self, mut call: Vec<WantedPrice>, why: String) {
        self.refused = Some(why);
        match &*call {
            [] => {}
            [one] => self.ill.push(one.provider_id),
            // What is left of it has its turn in the next round, without those that were found in this one.
            _ if self.halvings == 0 => {}
            _ => {
                self.halvings -= 1;
                let half = call.split_off(call.len() / 2);
                // At once: halving one call to its end finds one token, halving two of them in turn may find none.
                self.calls.push_front(half);
                self.calls.push_front(call);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Tokens with these numbers at their provider.
    fn wanted(numbers: std::ops::Range<i64>) -> Vec<WantedPrice> {
        let id = |number: i64| format!("01900000-0000-7000-8000-{number:012}").parse().unwrap();
        let one = |number| WantedPrice { token: id(number), provider_id: number, price: None };
        numbers.map(one).collect()
    }

    /// A round with a provider that refuses calls with some tokens: how many calls, and which tokens were answered.
    fn play(rota: &mut Rota, of: i64, refuses: &[i64], now: Instant) -> (usize, BTreeSet<i64>) {
        let mut round = rota.round(wanted(0..of), usize::MAX, now);
        let (mut calls, mut known) = (0, BTreeSet::new());
        while let Some(call) = round.next_call() {
            calls += 1;
            assert!(call.len() <= A_CALL);
            match call.iter().any(|one| refuses.contains(&one.provider_id)) {
                true => round.refused(call, "no".into()),
                false => {
                    round.answered(&call);
                    known.extend(call.iter().map(|one| one.provider_id));
                }
            }
        }
        let _ = rota.learn(round, now);
        (calls, known)
    }

    #[test]
    fn five_hundred_tokens_are_five_calls() {
        for (of, calls) in [(0, 0), (1, 1), (100, 1), (101, 2), (500, 5)] {
            let played = play(&mut Rota::default(), of, &[], Instant::now());
            assert_eq!(played, (calls, (0..of).collect()));
        }
    }

    #[test]
    fn one_that_spoils_its_call_is_found_in_the_first_round_and_then_asked_for_seldom_and_alone() {
        for ill in [0, 42, 99, 250, 499] {
            let (mut rota, now) = (Rota::default(), Instant::now());
            let (calls, known) = play(&mut rota, 500, &[ill], now);
            assert_eq!(known.len(), 499, "all but {ill}");
            assert!(calls <= 5 + 2 * HALVINGS, "{calls} calls");
            let (calls, known) = play(&mut rota, 500, &[ill], now);
            assert_eq!((calls, known.len()), (5, 499));
            let (calls, _) = play(&mut rota, 500, &[ill], now + APART);
            assert_eq!(calls, 6, "it may be well again");
            assert_eq!(play(&mut rota, 500, &[], now + APART).0, 5, "it was not");
            assert_eq!(play(&mut rota, 500, &[], now + APART * 2), (6, (0..500).collect()));
            assert_eq!(play(&mut rota, 500, &[], now + APART * 2), (5, (0..500).collect()));
        }
    }

    #[test]
    fn each_round_finds_one_more_and_no_round_asks_without_end() {
        let ill: Vec<i64> = vec![3, 4, 50, 97, 130, 131];
        let (mut rota, now) = (Rota::default(), Instant::now());
        let mut known = 0;
        for _ in 0..ill.len() {
            let (calls, now_known) = play(&mut rota, 200, &ill, now);
            assert!(calls <= 2 + 2 * HALVINGS, "{calls} calls");
            known = now_known.len();
        }
        assert_eq!(
            play(&mut rota, 200, &ill, now),
            (2, (0..200).filter(|n| !ill.contains(n)).collect())
        );
        assert!(known >= 190, "{known}");
    }

    #[test]
    fn who_refuses_everything_is_not_believed_about_tokens() {
        let (mut rota, now) = (Rota::default(), Instant::now());
        let mut round = rota.round(wanted(0..150), usize::MAX, now);
        let mut calls = 0;
        while let Some(call) = round.next_call() {
            calls += 1;
            round.refused(call, "no".into());
        }
        assert!(calls <= 2 + 2 * HALVINGS, "{calls} calls");
        assert_eq!(rota.learn(round, now), Err("no".into()));
        assert_eq!(play(&mut rota, 150, &[], now), (2, (0..150).collect()));
    }

    #[test]
    fn the_next_round_begins_behind_the_call_that_failed() {
        let (mut rota, now) = (Rota::default(), Instant::now());
        let numbers = |call: Vec<WantedPrice>| (call[0].provider_id, call.len());
        let mut round = rota.round(wanted(0..250), usize::MAX, now);
        assert_eq!(round.next_call().map(numbers), Some((0, 100)));
        rota.failed(&round.next_call().unwrap());
        // While it is on trial, one call finds out.
        let mut round = rota.round(wanted(0..250), 1, now);
        assert_eq!(
            round.next_call().map(numbers),
            Some((200, 100)),
            "the last fifty, and the first"
        );
        assert!(round.next_call().is_none());
        assert_eq!(play(&mut rota, 250, &[], now), (3, (0..250).collect()));
    }
}
