//! Which prices are watched, and what was said of each. Pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    domain::portfolio::{
        id::TokenId,
        token::{Price, PriceBoard},
    },
    ids::Channel,
};

/// Channels of prices that somebody is in.
#[derive(Default)]
pub(super) struct Tickers {
    channels: HashMap<Channel, Ticker>,
    /// Of the prices that were looked at last.
    version: i64,
    /// Somebody may be in a channel in which nothing was said yet.
    has_new: bool,
}

struct Ticker {
    token: TokenId,
    said: Option<Price>,
}

/// A price as it is told.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Told {
    pub token_id: TokenId,
    #[serde(flatten)]
    pub price: Price,
}

impl Tickers {
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Somebody came into the channel of a token. Who comes into one that was told something finds it there.
    pub fn watch(&mut self, token: TokenId, channel: Channel) {
        self.channels.entry(channel).or_insert_with(|| {
            self.has_new = true;
            Ticker { token, said: None }
        });
    }

    /// What is to be said now, and where. Forgets channels in which nobody is.
    pub fn news(
        &mut self,
        board: &PriceBoard,
        is_awake: impl Fn(&Channel) -> bool,
    ) -> Vec<(&Channel, Told)> {
        if board.version == self.version && !self.has_new {
            return Vec::new();
        }
        (self.version, self.has_new) = (board.version, false);
        self.channels.retain(|channel, _| is_awake(channel));
        let news = self.channels.iter_mut().filter_map(|(channel, ticker)| {
            let price = board.prices.get(&ticker.token).copied();
            let price = price.filter(|price| ticker.said.replace(*price) != Some(*price))?;
            Some((channel, Told { token_id: ticker.token, price }))
        });
        news.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{decimal::Decimal, moment::Moment};

    fn board(version: i64, prices: &[(TokenId, i64)]) -> PriceBoard {
        let price = |n| Price { price: Decimal::whole(n), observed_at: Moment::default() };
        PriceBoard { version, prices: prices.iter().map(|(id, n)| (*id, price(*n))).collect() }
    }

    #[test]
    fn each_new_price_is_told_once_and_a_newcomer_is_told_the_last_one_at_once() {
        let (mut tickers, [one, other]) = (Tickers::default(), [TokenId::new(), TokenId::new()]);
        let [first, second] = ["prices:1", "prices:2"].map(Channel::trusted);
        tickers.watch(one, first.clone());
        let now = board(1, &[(one, 5), (other, 7)]);
        let said = |tickers: &mut Tickers, board: &PriceBoard| -> Vec<(String, Decimal)> {
            let news = tickers.news(board, |_| true);
            news.into_iter().map(|(at, told)| (at.as_str().to_owned(), told.price.price)).collect()
        };
        assert_eq!(said(&mut tickers, &now), [("prices:1".to_owned(), Decimal::whole(5))]);
        assert_eq!(said(&mut tickers, &now), []);
        tickers.watch(other, second);
        tickers.watch(one, first);
        assert_eq!(said(&mut tickers, &now), [("prices:2".to_owned(), Decimal::whole(7))]);
        let then = board(2, &[(one, 6), (other, 7)]);
        assert_eq!(said(&mut tickers, &then), [("prices:1".to_owned(), Decimal::whole(6))]);
    }

    #[test]
    fn a_channel_that_nobody_is_in_is_forgotten_and_told_again_when_somebody_comes() {
        let (mut tickers, token) = (Tickers::default(), TokenId::new());
        let channel = Channel::trusted("prices:1");
        tickers.watch(token, channel.clone());
        assert_eq!(tickers.news(&board(1, &[(token, 5)]), |_| true).len(), 1);
        assert_eq!(tickers.news(&board(2, &[(token, 6)]), |_| false), []);
        assert_eq!(tickers.len(), 0);
        tickers.watch(token, channel);
        assert_eq!(tickers.news(&board(2, &[(token, 6)]), |_| true).len(), 1);
    }
}
