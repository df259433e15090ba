//! Which prices are known to somebody, and so should be known to all who watch. Pure.

use std::collections::HashMap;

use serde::Deserialize;

use crate::domain::{moment::Moment, portfolio::id::TokenId};

/// A holding, as far as it says of when its price is.
#[derive(Deserialize)]
pub struct Held {
    token: Token,
    price_observed_at: Option<Moment>,
}

#[derive(Deserialize)]
struct Token {
    id: TokenId,
}

/// A dashboard, as far as it says of when its prices are.
#[derive(Deserialize)]
pub struct Shown {
    holdings: Part,
}

#[derive(Deserialize)]
struct Part {
    items: Vec<Held>,
}

/// When the newest price of each token was observed that anybody has seen.
#[derive(Default)]
pub struct News(HashMap<TokenId, Moment>);

impl News {
    /// Somebody has seen an answer.
    pub fn shown(&mut self, body: &[u8]) {
        if let Ok(shown) = serde_json::from_slice::<Shown>(body) {
            self.seen(&shown.holdings.items);
        }
    }

    fn seen(&mut self, holdings: &[Held]) {
        for (token, observed) in holdings.iter().filter_map(Held::priced) {
            let newest = self.0.entry(token).or_insert(observed);
            *newest = observed.max(*newest);
        }
    }
}

impl Held {
    fn priced(&self) -> Option<(TokenId, Moment)> {
        Some((self.token.id, self.price_observed_at?))
    }
}

/// Somebody who watches: of when the prices are that they were told.
#[derive(Clone, Default)]
pub struct Watcher {
    told: HashMap<TokenId, Moment>,
    /// Whether they have ever come in.
    pub is_in: bool,
    /// Since when others know more, and they have been told nothing new.
    behind_since: Option<u64>,
    is_blamed: bool,
}

impl Watcher {
    /// They are told what they hold at `now`. When the oldest price was observed that is new to them; none of a first
    /// message, which is the state that stood before, nor after a write of their own, which shows prices that they know.
    pub fn hear(&mut self, holdings: &[Held], news: &mut News) -> Option<Moment> {
        news.seen(holdings);
        self.behind_since = None;
        let arrived = holdings.iter().filter_map(Held::priced).filter_map(|(token, observed)| {
            let before = self.told.insert(token, observed)?;
            (observed > before).then_some(observed)
        });
        arrived.min()
    }

    /// Whether they don't know what others know.
    pub fn is_behind(&self, news: &News) -> bool {
        let is_newer = |(token, told): (&TokenId, &Moment)| news.0.get(token) > Some(told);
        self.is_in && (self.told.is_empty() || self.told.iter().any(is_newer))
    }

    /// True once: when they have been behind for longer than `late`.
    pub fn is_late(&mut self, news: &News, now: u64, late: u64) -> bool {
        if !self.is_behind(news) {
            self.behind_since = None;
            return false;
        }
        let since = *self.behind_since.get_or_insert(now);
        now.saturating_sub(since) > late && !std::mem::replace(&mut self.is_blamed, true)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn at(second: i64) -> Moment {
        Moment::from_micros((1_700_000_000 + second) * 1_000_000)
    }

    /// Holdings of some tokens, with when their prices were observed.
    pub fn items(of: &[(&TokenId, i64)]) -> String {
        let item = |(token, second): &(&TokenId, i64)| {
            format!(
                r#"{{"token":{{"id":"{token}","symbol":"A"}},"price":"1","price_observed_at":"{}"}}"#,
                at(*second)
            )
        };
        format!("[{}]", of.iter().map(item).collect::<Vec<_>>().join(","))
    }

    fn held(of: &[(&TokenId, i64)]) -> Vec<Held> {
        serde_json::from_str(&items(of)).unwrap()
    }

    #[test]
    fn the_oldest_price_that_is_new_counts() {
        let [a, b, c] = [TokenId::new(), TokenId::new(), TokenId::new()];
        let (mut watcher, mut news) = (Watcher::default(), News::default());
        let mut hear = |of: &[(&TokenId, i64)]| watcher.hear(&held(of), &mut news);
        assert_eq!(hear(&[(&a, 5), (&b, 3), (&c, 9)]), None, "it stood before");
        assert_eq!(hear(&[(&a, 5), (&b, 3), (&c, 9)]), None, "a write of their own");
        assert_eq!(hear(&[(&a, 30), (&b, 28), (&c, 9)]), Some(at(28)));
        assert_eq!(hear(&[(&a, 30), (&b, 28), (&c, 31)]), Some(at(31)));
        assert_eq!(hear(&[(&a, 1)]), None);
    }

    #[test]
    fn who_is_not_told_what_others_know_is_late() {
        let [a, b] = [TokenId::new(), TokenId::new()];
        let (mut one, mut news) = (Watcher::default(), News::default());
        assert!(
            !one.is_late(&news, 0, 10) && !one.is_late(&news, 20, 10),
            "they are on their way in"
        );
        one.is_in = true;
        assert!(!one.is_late(&news, 20, 10));
        assert!(one.is_late(&news, 31, 10), "nobody told them anything");
        assert!(!one.is_late(&news, 50, 10), "that was said");

        let mut two = Watcher { is_in: true, ..Watcher::default() };
        two.hear(&held(&[(&a, 1)]), &mut news);
        assert!(!two.is_late(&news, 100, 10) && !two.is_late(&news, 200, 10), "nothing is new");
        let dashboard =
            |of: &[(&TokenId, i64)]| format!(r#"{{"holdings":{{"items":{}}}}}"#, items(of));
        news.shown(dashboard(&[(&a, 1), (&b, 5)]).as_bytes());
        assert!(!two.is_behind(&news), "they don't hold that");
        news.shown(dashboard(&[(&a, 2)]).as_bytes());
        news.shown(br#"{"holdings":null}"#);
        assert!(two.is_behind(&news) && !two.is_late(&news, 200, 10));
        two.hear(&held(&[(&a, 2)]), &mut news);
        assert!(!two.is_late(&news, 211, 10), "in time");
        news.shown(dashboard(&[(&a, 3)]).as_bytes());
        assert!(!two.is_late(&news, 220, 10));
        news.shown(dashboard(&[(&a, 4)]).as_bytes());
        assert!(two.is_late(&news, 231, 10), "each newer price is not another ten seconds");
    }
}
